//! What the authenticator says (WebAuthn §6.1).

use aws_lc_rs::digest::{SHA256, digest};

use super::relying_party::RelyingParty;

const USER_PRESENT: u8 = 0x01;
const USER_VERIFIED: u8 = 0x04;
const ATTESTED: u8 = 0x40;
/// Hash of the relying party's id, flags, counter.
const HEAD: usize = 37;
/// Ids are at most this long (§5.8.3).
const LONGEST_ID: usize = 1023;

/// What is used of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct AuthenticatorData {
    pub(super) sign_count: u32,
}

/// Why it is not what this server asked for.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WrongAuthenticatorData {
    /// Too short, or no credential where there has to be one.
    #[error("the authenticator's data cannot be read")]
    Unreadable,
    /// §7.1 step 14, §7.2 step 15: another server's passkey.
    #[error("the passkey is for another server")]
    RelyingParty,
    /// §7.1 step 15, §7.2 step 16.
    #[error("nobody was present")]
    Absent,
    /// §7.1 step 16, §7.2 step 17: without that a passkey would be one factor.
    #[error("the authenticator has not verified who is using it")]
    Unverified,
}

/// Checks it and takes what is used of it.
pub(super) fn check(bytes: &[u8], party: &RelyingParty) -> Result<AuthenticatorData, WrongAuthenticatorData> {
    let head: &[u8; HEAD] = bytes.first_chunk().ok_or(WrongAuthenticatorData::Unreadable)?;
    let (hash, rest) = head.split_at(32);
    let [flags, count @ ..] = rest else { return Err(WrongAuthenticatorData::Unreadable) };
    if hash != digest(&SHA256, party.id.as_bytes()).as_ref() {
        return Err(WrongAuthenticatorData::RelyingParty);
    }
    if flags & USER_PRESENT == 0 {
        return Err(WrongAuthenticatorData::Absent);
    }
    if flags & USER_VERIFIED == 0 {
        return Err(WrongAuthenticatorData::Unverified);
    }
    let count = count.try_into().map_err(|_| WrongAuthenticatorData::Unreadable)?;
    Ok(AuthenticatorData { sign_count: u32::from_be_bytes(count) })
}

/// The id of a new credential (§6.5.1): after the head come the model (16 bytes), the id's length (2), and the id.
pub(super) fn credential_id(bytes: &[u8]) -> Result<&[u8], WrongAuthenticatorData> {
    let unreadable = WrongAuthenticatorData::Unreadable;
    let flags = bytes.get(32).ok_or(unreadable)?;
    if flags & ATTESTED == 0 {
        return Err(unreadable);
    }
    let length: &[u8; 2] = bytes.get(HEAD + 16..).and_then(<[u8]>::first_chunk).ok_or(unreadable)?;
    let length = usize::from(u16::from_be_bytes(*length));
    if length == 0 || length > LONGEST_ID {
        return Err(unreadable);
    }
    bytes.get(HEAD + 18..HEAD + 18 + length).ok_or(unreadable)
}

#[cfg(test)]
mod tests {
    use hallpass_protocol::issuer::Issuer;
    use proptest::prelude::*;

    use super::*;

    fn party() -> RelyingParty {
        RelyingParty::of(&Issuer::parse("https://auth.example").unwrap()).unwrap()
    }

    fn data(id: &str, flags: u8) -> Vec<u8> {
        let mut bytes = digest(&SHA256, id.as_bytes()).as_ref().to_vec();
        bytes.push(flags);
        bytes.extend(7_u32.to_be_bytes());
        bytes
    }

    #[test]
    fn each_rule_refuses() {
        let of = |bytes: &[u8]| check(bytes, &party());
        assert_eq!(of(&data("auth.example", 0x05)), Ok(AuthenticatorData { sign_count: 7 }));
        assert_eq!(of(&data("evil.example", 0x05)), Err(WrongAuthenticatorData::RelyingParty));
        assert_eq!(of(&data("auth.example", 0x04)), Err(WrongAuthenticatorData::Absent));
        assert_eq!(of(&data("auth.example", 0x01)), Err(WrongAuthenticatorData::Unverified));
        assert_eq!(of(&data("auth.example", 0x05)[..36]), Err(WrongAuthenticatorData::Unreadable));
    }

    #[test]
    fn the_id_is_where_the_specification_says() {
        let with_id = |flags: u8, length: u16, id: &[u8]| {
            let mut bytes = data("auth.example", flags);
            bytes.extend([0; 16]);
            bytes.extend(length.to_be_bytes());
            bytes.extend(id);
            bytes
        };
        assert_eq!(credential_id(&with_id(0x45, 3, b"abcdef")), Ok(b"abc".as_slice()));
        assert!(credential_id(&with_id(0x05, 3, b"abc")).is_err());
        assert!(credential_id(&with_id(0x45, 4, b"abc")).is_err());
        assert!(credential_id(&with_id(0x45, 0, b"")).is_err());
        assert!(credential_id(&with_id(0x45, 1024, &[0; 1024])).is_err());
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(check(&bytes, &party()).is_err());
            let _ = credential_id(&bytes);
        }
    }
}
