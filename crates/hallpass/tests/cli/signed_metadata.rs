//! `[server.signed_metadata]`, through `serve`.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hallpass_protocol::jose::{SigningKey, UnverifiedJwt};
use serde_json::{Value, json};

use crate::outside::House;
use crate::program::run;

pub(crate) fn pem(key: &SigningKey) -> String {
    let der = BASE64_STANDARD.encode(key.to_pkcs8().expose());
    format!("-----BEGIN PRIVATE KEY-----\n{der}\n-----END PRIVATE KEY-----\n")
}

/// RFC 9728 §2.2, §3.2: the members as claims beside who says so, never the signed metadata within itself; the same wherever the
/// metadata stands.
#[tokio::test]
async fn the_metadata_is_there_as_a_jwt_too() {
    let (key, other) = (SigningKey::generate_es256().unwrap(), SigningKey::generate_es256().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("metadata.pem");
    std::fs::write(&file, pem(&key)).unwrap();
    for (more, kid, issuer) in [
        ("", key.kid(), None),
        (
            ", kid = \"metadata-1\", issuer = \"https://trust.example\"",
            "metadata-1",
            Some("https://trust.example"),
        ),
    ] {
        let signed = format!("signed_metadata = {{ key_file = \"{}\"{more} }}", file.display());
        let house = House::with(&signed, "").await;
        for path in ["/.well-known/oauth-protected-resource/mcp", "/.well-known/oauth-protected-resource"] {
            let mut metadata = house.json(path).await;
            let signed = metadata.as_object_mut().unwrap().remove("signed_metadata").unwrap();
            let jwt = UnverifiedJwt::parse(signed.as_str().unwrap()).unwrap();
            assert_eq!(jwt.kid(), Some(kid));
            let mut claims = Value::from(jwt.unverified_claims().clone());
            let claims = claims.as_object_mut().unwrap();
            assert_eq!(claims.remove("iss").unwrap(), json!(issuer.unwrap_or(&house.endpoint)));
            assert!(claims.remove("iat").unwrap().is_i64());
            assert_eq!(Value::from(claims.clone()), metadata, "{path}");
            assert_eq!(metadata["resource"], house.endpoint);
            for (signer, good) in [(&key, true), (&other, false)] {
                assert_eq!(is_signed_by(signer, signed.as_str().unwrap()), good, "{path}");
            }
        }
    }
    let plain = House::with("", "").await;
    let metadata = plain.json("/.well-known/oauth-protected-resource/mcp").await;
    assert_eq!(metadata.get("signed_metadata"), None);
}

/// By a second opinion: the bare check of aws-lc-rs.
fn is_signed_by(key: &SigningKey, jwt: &str) -> bool {
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, EcdsaKeyPair, KeyPair, UnparsedPublicKey};
    let pkcs8 = key.to_pkcs8();
    let pair =
        EcdsaKeyPair::from_pkcs8(&aws_lc_rs::signature::ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.expose())
            .unwrap();
    let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, pair.public_key().as_ref());
    let (said, signature) = jwt.rsplit_once('.').unwrap();
    let signature = base64::prelude::BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap();
    public.verify(said.as_bytes(), &signature).is_ok()
}

#[test]
fn a_key_that_cannot_sign_is_told_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("not-a-key.pem");
    std::fs::write(&file, "no key").unwrap();
    for (key, what) in [
        (file.display().to_string(), "can't be used"),
        ("/no/such.pem".to_owned(), "can't read /no/such.pem"),
    ] {
        let config = folder.path().join("hallpass.toml");
        let text = format!(
            "[server]\nupstream = \"http://127.0.0.1:1/mcp\"\nsigned_metadata = {{ key_file = \"{key}\" }}\n"
        );
        std::fs::write(&config, text).unwrap();
        let output = run(folder.path(), &["config", "check", config.to_str().unwrap()]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(3), "{said}");
        assert!(said.contains("hallpass.toml:3: ") && said.contains(what), "{said}");
    }
}
