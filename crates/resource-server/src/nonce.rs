//! Nonces that need no memory: the time, signed.

use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hallpass_protocol::time::Timestamp;

/// Bytes of time, of randomness and of signature.
const PARTS: (usize, usize, usize) = (8, 8, 16);

/// Issues nonces, and knows them again. Clones know each other's.
#[derive(Clone)]
pub(crate) struct Nonces {
    key: hmac::Key,
    lifetime: Duration,
}

/// What a nonce is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Worth {
    /// One of ours, of now.
    Good,
    /// One of ours, too old: the client is to take a new one.
    Stale,
    /// None of ours.
    Foreign,
}

impl Nonces {
    /// With a key of this process alone.
    pub(crate) fn new(lifetime: Duration) -> Self {
        Self::with_secret(&rand::random::<[u8; 32]>(), lifetime)
    }

    fn with_secret(secret: &[u8], lifetime: Duration) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, secret), lifetime }
    }

    pub(crate) fn issue(&self, now: Timestamp) -> String {
        let mut nonce = now.unix().to_be_bytes().to_vec();
        nonce.extend(rand::random::<[u8; PARTS.1]>());
        let tag = hmac::sign(&self.key, &nonce);
        nonce.extend(tag.as_ref().iter().take(PARTS.2));
        BASE64_URL_SAFE_NO_PAD.encode(nonce)
    }

    pub(crate) fn worth(&self, nonce: &str, now: Timestamp) -> Worth {
        let Some(issued) = self.issued(nonce) else { return Worth::Foreign };
        let timely = issued <= now && now < issued.after(self.lifetime);
        if timely { Worth::Good } else { Worth::Stale }
    }

    /// When it ends; only for one that is good.
    pub(crate) fn ends(&self, nonce: &str) -> Option<Timestamp> {
        self.issued(nonce).map(|issued| issued.after(self.lifetime))
    }

    fn issued(&self, nonce: &str) -> Option<Timestamp> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(nonce).ok()?;
        let (said, tag) = bytes.split_at_checked(PARTS.0 + PARTS.1)?;
        let expected = hmac::sign(&self.key, said);
        let expected = expected.as_ref().get(..PARTS.2)?;
        aws_lc_rs::constant_time::verify_slices_are_equal(expected, tag).ok()?;
        let seconds = said.get(..PARTS.0)?.try_into().ok()?;
        Some(Timestamp::from_unix(i64::from_be_bytes(seconds)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_is_known_again_until_it_is_old() {
        let nonces = Nonces::new(Duration::from_secs(60));
        let now = Timestamp::from_unix(1_000);
        let nonce = nonces.issue(now);
        let at = |seconds| nonces.worth(&nonce, Timestamp::from_unix(seconds));
        assert_eq!(
            (at(1_000), at(1_059), at(1_060), at(999)),
            (Worth::Good, Worth::Good, Worth::Stale, Worth::Stale)
        );
        assert_ne!(nonces.issue(now), nonce);
        assert_eq!(Nonces::new(Duration::from_secs(60)).worth(&nonce, now), Worth::Foreign);
    }

    /// Row 23: no truncation, extension or flipped bit is taken.
    #[test]
    fn no_other_text_is_a_nonce() {
        let nonces = Nonces::new(Duration::from_secs(60));
        let now = Timestamp::from_unix(1_000);
        let nonce = nonces.issue(now);
        for length in 0..nonce.len() {
            assert_eq!(nonces.worth(&nonce[..length], now), Worth::Foreign);
        }
        assert_eq!(nonces.worth(&format!("{nonce}A"), now), Worth::Foreign);
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(&nonce).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut bytes = bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(nonces.worth(&BASE64_URL_SAFE_NO_PAD.encode(bytes), now), Worth::Foreign, "{bit}");
        }
    }
}
