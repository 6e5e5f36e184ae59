//! Whether a compact JWS is signed by a key: said by aws-lc alone, without a line of the verifier that is tested.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256,
    RsaPublicKeyComponents, UnparsedPublicKey,
};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::Value;

/// Whether any algorithm that is taken here fits this key and this signature.
#[must_use]
pub fn is_right(token: &str, jwk: &Value) -> bool {
    let bytes = |text: &str| BASE64_URL_SAFE_NO_PAD.decode(text).unwrap_or_default();
    let member = |name: &str| bytes(jwk[name].as_str().unwrap_or_default());
    let Some((signed, signature)) = token.rsplit_once('.') else { return false };
    let (signed, signature) = (signed.as_bytes(), bytes(signature));
    match jwk["kty"].as_str() {
        Some("OKP") => UnparsedPublicKey::new(&ED25519, member("x")).verify(signed, &signature).is_ok(),
        Some("EC") => {
            let point = [vec![4], member("x"), member("y")].concat();
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(signed, &signature).is_ok()
        }
        Some("RSA") => {
            [&RSA_PKCS1_2048_8192_SHA256, &RSA_PSS_2048_8192_SHA256].into_iter().any(|algorithm| {
                let key = RsaPublicKeyComponents { n: member("n"), e: member("e") };
                key.verify(algorithm, signed, &signature).is_ok()
            })
        }
        _ => false,
    }
}
