//! Challenges: made by this server, for one browser and one ceremony, good for ten minutes and once.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hallpass_protocol::time::Timestamp;

use crate::browser::Browser;
use crate::keys::MasterKey;
use crate::random::digest;
use crate::store::StoreError;

const SEALED: &str = "passkey challenge";
const LIFETIME: Duration = Duration::from_secs(10 * 60);

/// What a challenge is for.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ceremony {
    /// WebAuthn §7.2.
    Login,
    /// WebAuthn §7.1.
    Registration,
}

/// A challenge for this browser. Nothing is stored before it is answered: it is its own end, sealed, so nobody else can
/// make one, and random, since the seal's nonce is. Browsers take a challenge as bytes and give it back in base64url
/// (WebAuthn §5.8.1), which what is sealed need not be: it names its key.
pub(crate) fn issue(
    key: &MasterKey,
    browser: &Browser,
    ceremony: Ceremony,
    now: Timestamp,
) -> Result<String, StoreError> {
    let ends = now.after(LIFETIME).unix().to_be_bytes();
    Ok(URL_SAFE_NO_PAD.encode(key.sealing(SEALED).seal(&context(browser, ceremony), &ends)?))
}

/// When the challenge ends, if it was issued for this browser and this ceremony and has not ended yet. Whether it was
/// answered before, the store knows.
pub(super) fn check(
    key: &MasterKey,
    browser: &Browser,
    ceremony: Ceremony,
    challenge: &str,
    now: Timestamp,
) -> Option<Timestamp> {
    let sealed = String::from_utf8(URL_SAFE_NO_PAD.decode(challenge).ok()?).ok()?;
    let ends = key.sealing(SEALED).open(&context(browser, ceremony), &sealed).ok()?;
    let ends = Timestamp::from_unix(i64::from_be_bytes(ends.try_into().ok()?));
    (ends > now).then_some(ends)
}

fn context(browser: &Browser, ceremony: Ceremony) -> String {
    format!("{ceremony:?} {}", digest(&browser.token))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_for_one_browser_one_ceremony_and_ten_minutes() {
        let key = MasterKey::from_bytes([1; 32]);
        let browser = |token: &str| Browser { token: token.to_owned(), is_new: false };
        let now = Timestamp::from_unix(1_000);
        let challenge = issue(&key, &browser("a"), Ceremony::Login, now).unwrap();
        assert!(URL_SAFE_NO_PAD.decode(&challenge).is_ok(), "{challenge} is not what a browser takes");
        assert_ne!(challenge, issue(&key, &browser("a"), Ceremony::Login, now).unwrap());
        let fits = |key: &MasterKey, token: &str, ceremony, at: i64| {
            check(key, &browser(token), ceremony, &challenge, Timestamp::from_unix(at)).is_some()
        };
        assert!(fits(&key, "a", Ceremony::Login, 1_599));
        assert!(!fits(&key, "a", Ceremony::Login, 1_600));
        assert!(!fits(&key, "b", Ceremony::Login, 1_000));
        assert!(!fits(&key, "a", Ceremony::Registration, 1_000));
        assert!(!fits(&MasterKey::from_bytes([2; 32]), "a", Ceremony::Login, 1_000));
    }
}
