//! Passkeys: client data and authenticator data (WebAuthn §5.8.1, §6.1). The first byte says which; with 2, behind it
//! comes a public key.
//!
//! What is taken is for this server and this ceremony, whichever of two equal names another reader takes, and a person
//! was there and was verified. No key verifies what nobody signed.

use aws_lc_rs::digest::{SHA256, digest};
use hallpass_authorization_server::fuzzing::{client_data, credential_id, sign_count, verifies};
use hallpass_protocol::Issuer;

use crate::twins;

/// Takes one input.
pub fn check(data: &[u8]) {
    let Some((which, data)) = data.split_first() else { return };
    let issuer = Issuer::parse("https://auth.example.com").expect("an issuer");
    match which % 3 {
        0 => said_by_browser(data, &issuer),
        1 => said_by_authenticator(data, &issuer),
        _ => keys(data),
    }
}

fn said_by_browser(json: &[u8], issuer: &Issuer) {
    for (registration, ceremony) in [(false, "webauthn.get"), (true, "webauthn.create")] {
        let Some(challenge) = client_data(json, registration, issuer) else { continue };
        let (first, last) = twins::read(json).expect("JSON");
        for read in [first, last] {
            assert_eq!(read["type"], ceremony);
            assert_eq!(read["challenge"], challenge);
            assert_eq!(read["origin"], "https://auth.example.com");
            assert!(read.get("crossOrigin").is_none_or(|cross| cross == false));
            assert!(read.get("topOrigin").is_none_or(serde_json::Value::is_null));
        }
    }
}

fn said_by_authenticator(bytes: &[u8], issuer: &Issuer) {
    if let Some(count) = sign_count(bytes, issuer) {
        assert_eq!(&bytes[..32], digest(&SHA256, b"auth.example.com").as_ref());
        assert_eq!(bytes[32] & 0x05, 0x05, "nobody was there, or was verified");
        assert_eq!(bytes[33..37], count.to_be_bytes());
    }
    if let Some(id) = credential_id(bytes) {
        assert!((1..=1023).contains(&id.len()) && bytes[32] & 0x40 != 0);
        let length = usize::from(bytes[53]) << 8 | usize::from(bytes[54]);
        assert_eq!(id, &bytes[55..55 + length]);
    }
}

fn keys(spki: &[u8]) {
    let reads = [-7, -8, -257, -35, 0].map(|algorithm| verifies(algorithm, spki, b"message", b"signature"));
    assert!(reads.iter().flatten().all(|verified| !verified), "a signature that nobody made");
    assert!(reads.iter().flatten().count() <= 1, "a key of two kinds");
    assert_eq!(&reads[3..], [None, None]);
    // Nor what was signed is verified by a key that is all of the message.
    assert_ne!(verifies(-8, spki, spki, spki), Some(true));
}
