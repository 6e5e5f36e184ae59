//! Keys that are the same in every run, all of them printed in RFCs, so that a finding can be repeated and a seed can
//! hold a signature.

use std::sync::LazyLock;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hallpass_protocol::jose::{Algorithm, JwkSet, SigningKey, VerifyingKeys};
use serde_json::{Value, json};

/// What time it is in every target.
pub const NOW: i64 = 1_800_000_000;

/// The private part of RFC 8037 appendix A.1.
const SEED: &str = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";
/// Its public part.
pub const X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

/// Signs what the targets sign.
pub static KEY: LazyLock<SigningKey> = LazyLock::new(|| {
    // RFC 8410 §7: a PKCS#8 key is a fixed head and the 32 bytes.
    let mut pkcs8 = vec![0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
    pkcs8.extend(BASE64_URL_SAFE_NO_PAD.decode(SEED).expect("base64url"));
    SigningKey::from_pkcs8("rfc8037", &pkcs8, Algorithm::EdDSA).expect("a key")
});

/// RFC 7515 appendices A.2 and A.3; nobody here has their private parts.
#[must_use]
pub fn strangers() -> [Value; 2] {
    [
        json!({ "kid": "rsa", "kty": "RSA", "e": "AQAB", "n": "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ" }),
        json!({ "kid": "ec", "kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0" }),
    ]
}

/// All three, as a server publishes them.
pub static PUBLISHED: LazyLock<JwkSet> = LazyLock::new(|| {
    let [rsa, ec] = strangers();
    let own = KEY.public_jwk();
    serde_json::from_value(json!({ "keys": [rsa, ec, own] })).expect("a key set")
});

/// All three, for verifying.
#[must_use]
pub fn verifying() -> VerifyingKeys {
    VerifyingKeys::from_jwk_set(&PUBLISHED, &Algorithm::ALL)
}

/// Signs a header and claims just as they are, whatever they are.
#[must_use]
pub fn sign(header: &[u8], claims: &[u8]) -> String {
    let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let signed = format!("{}.{}", encode(header), encode(claims));
    let signature = PAIR.sign(signed.as_bytes());
    format!("{signed}.{}", encode(signature.as_ref()))
}

static PAIR: LazyLock<aws_lc_rs::signature::Ed25519KeyPair> = LazyLock::new(|| {
    let seed = BASE64_URL_SAFE_NO_PAD.decode(SEED).expect("base64url");
    aws_lc_rs::signature::Ed25519KeyPair::from_seed_unchecked(&seed).expect("a key")
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_the_rfcs() {
        assert_eq!(serde_json::to_value(KEY.public_jwk()).unwrap()["x"], X);
        let token = sign(br#"{"alg":"EdDSA"}"#, b"{}");
        assert!(crate::signature::is_right(&token, &json!({ "kty": "OKP", "crv": "Ed25519", "x": X })));
        assert!(!crate::signature::is_right(&token, &crate::keys::strangers()[1]));
    }
}
