//! What the browser says that it was asked (WebAuthn §5.8.1).

use serde::Deserialize;

use super::challenge::Ceremony;
use super::relying_party::RelyingParty;

/// Longer ones are refused unread.
const LONGEST: usize = 4096;

/// `CollectedClientData`, as it was signed. Members that are not known are allowed (§5.8.1.2); one that is there twice
/// is not.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct CollectedClientData {
    #[serde(rename = "type")]
    ceremony: String,
    challenge: String,
    origin: String,
    #[serde(default)]
    cross_origin: bool,
    #[serde(default)]
    top_origin: Option<String>,
}

/// Why client data is not what this server asked for: the steps of §7.1 and §7.2 that read it.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WrongClientData {
    /// Not JSON of that form.
    #[error("the client data cannot be read")]
    Unreadable,
    /// §7.1 step 7, §7.2 step 11: `type` is another ceremony's.
    #[error("the client data is of another ceremony")]
    Ceremony,
    /// §7.1 step 9, §7.2 step 13: the page was another site's.
    #[error("the passkey was used on a page of another origin")]
    Origin,
    /// §7.1 step 10, §7.2 step 14: the page stood in another site's frame.
    #[error("the passkey was used in a frame of another site")]
    Framed,
}

/// The challenge that was answered, where everything else is right.
pub(super) fn challenge(
    json: &[u8],
    ceremony: Ceremony,
    party: &RelyingParty,
) -> Result<String, WrongClientData> {
    if json.len() > LONGEST {
        return Err(WrongClientData::Unreadable);
    }
    // §5.8.1: UTF-8 throughout; serde does not look at the bytes of names that it skips.
    let json = str::from_utf8(json).map_err(|_| WrongClientData::Unreadable)?;
    // An object: serde would take a list of its values as well.
    if !json.trim_ascii_start().starts_with('{') {
        return Err(WrongClientData::Unreadable);
    }
    let data: CollectedClientData = serde_json::from_str(json).map_err(|_| WrongClientData::Unreadable)?;
    let expected = match ceremony {
        Ceremony::Login => "webauthn.get",
        Ceremony::Registration => "webauthn.create",
    };
    if data.ceremony != expected {
        return Err(WrongClientData::Ceremony);
    }
    if data.origin != party.origin {
        return Err(WrongClientData::Origin);
    }
    if data.cross_origin || data.top_origin.is_some() {
        return Err(WrongClientData::Framed);
    }
    Ok(data.challenge)
}

#[cfg(test)]
mod tests {
    use hallpass_protocol::issuer::Issuer;
    use proptest::prelude::*;

    use super::*;

    fn of(json: &str) -> Result<String, WrongClientData> {
        let party = RelyingParty::of(&Issuer::parse("https://auth.example/t").unwrap()).unwrap();
        challenge(json.as_bytes(), Ceremony::Login, &party)
    }

    #[test]
    fn each_rule_refuses() {
        let good = r#"{"type":"webauthn.get","challenge":"abc","origin":"https://auth.example","crossOrigin":false,"more":1}"#;
        assert_eq!(of(good), Ok("abc".to_owned()));
        let with = |from: &str, to: &str| of(&good.replace(from, to));
        assert_eq!(with("webauthn.get", "webauthn.create"), Err(WrongClientData::Ceremony));
        for origin in
            ["http://auth.example", "https://auth.example:444", "https://auth.example.evil.example", "null"]
        {
            assert_eq!(with("https://auth.example", origin), Err(WrongClientData::Origin), "{origin}");
        }
        assert_eq!(with("false", "true"), Err(WrongClientData::Framed));
        assert_eq!(
            with("\"more\":1", "\"topOrigin\":\"https://evil.example\""),
            Err(WrongClientData::Framed)
        );
        assert_eq!(with("\"more\":1", "\"challenge\":\"other\""), Err(WrongClientData::Unreadable));
        assert_eq!(
            with("\"more\":1", &format!("\"more\":\"{}\"", "x".repeat(LONGEST))),
            Err(WrongClientData::Unreadable)
        );
        let list = r#"["webauthn.get","abc","https://auth.example",false,null]"#;
        assert_eq!(of(list), Err(WrongClientData::Unreadable));
        assert_eq!(of(""), Err(WrongClientData::Unreadable));
    }

    #[test]
    fn bytes_that_are_no_utf_8_are_refused_wherever_they_stand() {
        let party = RelyingParty::of(&Issuer::parse("https://auth.example").unwrap()).unwrap();
        let with = |name: &[u8]| {
            let rest = br#"":1,"type":"webauthn.get","challenge":"abc","origin":"https://auth.example"}"#;
            challenge(&[b"{\"", name, rest].concat(), Ceremony::Login, &party)
        };
        assert_eq!(with(b"more"), Ok("abc".to_owned()));
        assert_eq!(with(b"m\xd7re"), Err(WrongClientData::Unreadable));
    }

    proptest! {
        #[test]
        fn nothing_panics(text in ".*") {
            prop_assert!(of(&text).is_err());
        }
    }
}
