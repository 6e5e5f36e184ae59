//! Keys as JSON: RFC 7517, RFC 7518 §6, RFC 8037 §2, RFC 7638.

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa;
use hallpass_protocol::{Algorithm, JoseError, Jwk, JwkSet, SigningKey, VerifyingKeys};
use proptest::prelude::*;
use serde_json::{Value, json};

const N: &str = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";

fn jwk(json: &Value) -> Result<Jwk, serde_json::Error> {
    serde_json::from_value(json.clone())
}

fn es256() -> Value {
    serde_json::to_value(SigningKey::generate_es256().unwrap().public_jwk()).unwrap()
}

/// RFC 7638 §3.1, and RFC 8037 appendix A.3.
#[test]
fn the_thumbprints_of_the_rfcs() {
    let rsa = jwk(&json!({
        "kty": "RSA", "n": N, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29",
    }));
    assert_eq!(rsa.unwrap().key.thumbprint(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    let ed25519 = jwk(&json!({
        "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    }));
    assert_eq!(ed25519.unwrap().key.thumbprint(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
}

#[test]
fn a_generated_key_publishes_its_public_half_alone() {
    let key = SigningKey::generate_es256().unwrap();
    let json = serde_json::to_value(key.public_jwk()).unwrap();
    let mut names: Vec<_> = json.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["alg", "crv", "kid", "kty", "use", "x", "y"]);
    assert_eq!(key.kid(), key.public_jwk().key.thumbprint());
    assert_eq!(jwk(&json).unwrap(), key.public_jwk());
}

#[test]
fn a_key_survives_storage_and_is_not_shown() {
    let key = SigningKey::generate_es256().unwrap();
    let stored = key.to_pkcs8();
    let again = SigningKey::from_pkcs8(key.kid(), stored.expose(), Algorithm::ES256).unwrap();
    assert_eq!(again.public_jwk(), key.public_jwk());
    assert_eq!(format!("{key:?}"), format!("SigningKey {{ kid: {:?}, .. }}", key.kid()));
    assert_eq!(format!("{stored:?}"), "[secret]");
}

#[test]
fn bytes_of_another_kind_are_no_key() {
    let es256 = SigningKey::generate_es256().unwrap().to_pkcs8();
    for algorithm in Algorithm::ALL {
        for bytes in [b"".as_slice(), b"nonsense", &es256.expose()[..20]] {
            let refused = SigningKey::from_pkcs8("k", bytes, algorithm).unwrap_err();
            assert_eq!(refused, JoseError::PrivateKey(algorithm));
        }
        let loaded = SigningKey::from_pkcs8("k", es256.expose(), algorithm);
        assert_eq!(loaded.is_ok(), algorithm == Algorithm::ES256, "{algorithm}");
    }
}

/// RFC 7518 §3.3: 2048 bits or more.
#[test]
fn an_rsa_key_has_2048_bits() {
    let short = N.get(..168).unwrap();
    assert!(jwk(&json!({ "kty": "RSA", "n": short, "e": "AQAB" })).is_err());
    assert!(jwk(&json!({ "kty": "RSA", "n": N, "e": "AQAB" })).is_ok());
}

#[test]
fn symmetric_and_private_keys_are_refused() {
    assert!(jwk(&json!({ "kty": "oct", "k": "c2VjcmV0" })).is_err());
    assert!(jwk(&json!({ "kty": "oct" })).is_err());
    for member in ["d", "p", "q", "k"] {
        let mut key = es256();
        key[member] = "AAAA".into();
        let refused = jwk(&key).unwrap_err().to_string();
        assert!(refused.contains("private"), "{member}: {refused}");
    }
}

#[test]
fn a_malformed_key_is_refused() {
    for (member, value) in [
        ("kty", json!("RSA")),
        ("kty", json!("OKP")),
        ("kty", json!(1)),
        ("crv", json!("P-384")),
        ("crv", json!("Ed25519")),
        ("x", json!("AAAA")),
        ("x", json!("not base64url!")),
        ("y", Value::Null),
        ("kid", json!(1)),
        ("use", json!([])),
    ] {
        let mut key = es256();
        key[member] = value.clone();
        assert!(jwk(&key).is_err(), "{member} {value}");
    }
}

/// RFC 7517 §5: what is not understood is left out, the rest is used.
#[test]
fn a_set_keeps_what_is_usable() {
    let good = es256();
    let mut private = es256();
    private["d"] = "AAAA".into();
    let set = json!({
        "keys": [{ "kty": "oct", "k": "c2VjcmV0" }, private, good, { "kty": "EC", "crv": "P-521" }, 7, null],
    });
    let set: JwkSet = serde_json::from_value(set).unwrap();
    assert_eq!(serde_json::to_value(&set).unwrap(), json!({ "keys": [good] }));
    assert!(serde_json::from_value::<JwkSet>(json!({})).is_err());
    let many = json!({ "keys": vec![good; 1000] });
    assert_eq!(serde_json::from_value::<JwkSet>(many).unwrap().keys.len(), 64);
}

#[test]
fn a_key_is_loaded_for_what_it_is_for() {
    let allowed = Algorithm::ALL;
    let serves = |change: &[(&str, Value)]| {
        let mut key = es256();
        change.iter().for_each(|(member, value)| key[member] = value.clone());
        let kid = key["kid"].as_str().map(str::to_owned);
        let set: JwkSet = serde_json::from_value(json!({ "keys": [key] })).unwrap();
        let keys = VerifyingKeys::from_jwk_set(&set, &allowed);
        allowed.into_iter().filter(|alg| keys.contains(kid.as_deref(), *alg)).collect::<Vec<_>>()
    };
    assert_eq!(serves(&[]), [Algorithm::ES256]);
    assert_eq!(serves(&[("alg", Value::Null), ("use", Value::Null)]), [Algorithm::ES256]);
    assert_eq!(serves(&[("key_ops", json!(["verify"]))]), [Algorithm::ES256]);
    for change in [
        ("use", json!("enc")),
        ("key_ops", json!(["sign"])),
        ("key_ops", json!([])),
        ("alg", json!("RS256")),
        ("alg", json!("HS256")),
        ("alg", json!("none")),
        ("alg", json!("ES384")),
    ] {
        assert_eq!(serves(std::slice::from_ref(&change)), [], "{change:?}");
    }
    let set: JwkSet = serde_json::from_value(json!({ "keys": [es256()] })).unwrap();
    assert!(VerifyingKeys::from_jwk_set(&set, &[Algorithm::RS256]).is_empty());
    assert!(VerifyingKeys::from_jwk_set(&set, &[]).is_empty());
}

#[test]
fn an_rsa_key_serves_both_rsa_algorithms_unless_it_names_one() {
    let pair = rsa::KeyPair::generate(rsa::KeySize::Rsa2048).unwrap();
    let pkcs8 = AsDer::<aws_lc_rs::encoding::Pkcs8V1Der<'_>>::as_der(&pair).unwrap();
    let key = SigningKey::from_pkcs8("r", pkcs8.as_ref(), Algorithm::PS256).unwrap();
    let mut jwk = key.public_jwk();
    let contains = |jwk: &Jwk, algorithm| {
        let set = JwkSet { keys: vec![jwk.clone()] };
        VerifyingKeys::from_jwk_set(&set, &Algorithm::ALL).contains(Some("r"), algorithm)
    };
    assert!(contains(&jwk, Algorithm::PS256) && !contains(&jwk, Algorithm::RS256));
    jwk.alg = None;
    assert!(contains(&jwk, Algorithm::PS256) && contains(&jwk, Algorithm::RS256));
    assert!(!contains(&jwk, Algorithm::ES256));
}

proptest! {
    #[test]
    fn any_key_is_read_or_refused(
        kty in "(EC|RSA|OKP|oct|[a-z]{0,3})", crv in "(P-256|Ed25519|[a-z]{0,3})",
        x in "[A-Za-z0-9_=-]{0,50}", n in "[A-Za-z0-9_-]{0,400}",
    ) {
        let key = json!({ "kty": kty, "crv": crv, "x": x, "y": x, "n": n, "e": "AQAB" });
        if let Ok(jwk) = jwk(&key) {
            let set = JwkSet { keys: vec![jwk.clone()] };
            let _ = VerifyingKeys::from_jwk_set(&set, &Algorithm::ALL);
            let again: Jwk = serde_json::from_value(serde_json::to_value(&jwk).unwrap()).unwrap();
            prop_assert_eq!(again, jwk);
        }
    }
}
