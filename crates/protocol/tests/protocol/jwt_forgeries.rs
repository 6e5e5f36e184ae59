//! Tokens that somebody else made. Never-again 16 and 17.

use std::sync::LazyLock;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use aws_lc_rs::{hmac, rsa};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use hallpass_protocol::{Algorithm, JoseError, PublicKey, SigningKey};
use jsonwebtoken::{EncodingKey, crypto};
use serde_json::{Value, json};

use crate::jwt::{KEY, claims, keys_of, verify_with};

static ED25519: LazyLock<SigningKey> = LazyLock::new(|| {
    let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
    SigningKey::from_pkcs8("ed", pkcs8.as_ref(), Algorithm::EdDSA).unwrap()
});

static RSA: LazyLock<(SigningKey, SigningKey)> = LazyLock::new(|| {
    let pair = rsa::KeyPair::generate(rsa::KeySize::Rsa2048).unwrap();
    let pkcs8 = AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).unwrap();
    let key = |kid, algorithm| SigningKey::from_pkcs8(kid, pkcs8.as_ref(), algorithm).unwrap();
    (key("rs", Algorithm::RS256), key("ps", Algorithm::PS256))
});

pub(crate) fn base64(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// A token with any header and any claims, signed with [`KEY`].
pub(crate) fn forge(header: &str, claims: &str) -> String {
    let signed = format!("{}.{}", base64(header), base64(claims));
    let key = EncodingKey::from_ec_der(KEY.to_pkcs8().expose());
    let signature = crypto::sign(signed.as_bytes(), &key, jsonwebtoken::Algorithm::ES256).unwrap();
    format!("{signed}.{signature}")
}

pub(crate) fn verify(token: &str) -> Result<(), JoseError> {
    let keys = keys_of(&[&KEY, &ED25519, &RSA.0, &RSA.1]);
    verify_with(&keys, token).map(|_| ())
}

pub(crate) fn header(change: Value) -> String {
    let mut header = json!({ "alg": "ES256", "kid": KEY.kid(), "typ": "at+jwt" });
    for (name, value) in change.as_object().unwrap() {
        header[name] = value.clone();
    }
    header.to_string()
}

#[test]
fn every_algorithm_signs_and_verifies() {
    for key in [&*KEY, &*ED25519, &RSA.0, &RSA.1] {
        let token = key.sign("at+jwt", &claims()).unwrap();
        assert_eq!(verify(&token), Ok(()), "{}", key.algorithm());
    }
    assert_eq!(verify(&forge(&header(json!({})), &claims().to_string())), Ok(()));
}

/// Never-again 16: `none` in every spelling, and whatever else is not on the list.
#[test]
fn an_algorithm_that_is_not_on_the_list_is_refused() {
    for alg in [
        "none", "None", "NONE", "nOnE", "", "HS256", "HS384", "HS512", "ES384", "ES512", "RS384", "RS512",
        "PS384", "PS512", "ES256K", "es256", "ES256 ", "eddsa", "RSA-OAEP", "dir",
    ] {
        let forged = forge(&header(json!({ "alg": alg })), &claims().to_string());
        assert_eq!(verify(&forged), Err(JoseError::UnsupportedAlgorithm), "{alg}");
        let (signed, _) = forged.rsplit_once('.').unwrap();
        assert_eq!(verify(&format!("{signed}.")), Err(JoseError::Segments), "{alg}");
        assert_eq!(verify(signed), Err(JoseError::Segments), "{alg}");
    }
    let missing = json!({ "kid": KEY.kid(), "typ": "at+jwt" }).to_string();
    assert_eq!(verify(&forge(&missing, "{}")), Err(JoseError::UnsupportedAlgorithm));
    for alg in [Value::Null, json!(1), json!(["ES256"]), json!({})] {
        let forged = forge(&header(json!({ "alg": alg })), &claims().to_string());
        assert_eq!(verify(&forged), Err(JoseError::HeaderType("alg")), "{alg}");
    }
}

/// Never-again 16: the public key, in every form that it is published in, taken for a secret.
#[test]
fn hmac_with_the_public_key_is_refused() {
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, KEY.to_pkcs8().expose()).unwrap();
    let spki = AsDer::<PublicKeyX509Der<'_>>::as_der(pair.public_key()).unwrap();
    let body = base64::prelude::BASE64_STANDARD.encode(spki.as_ref());
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n");
    let jwk = serde_json::to_string(&KEY.public_jwk()).unwrap();
    let point = pair.public_key().as_ref().to_vec();
    for secret in [point, spki.as_ref().to_vec(), pem.into_bytes(), jwk.into_bytes(), vec![]] {
        for alg in ["HS256", "ES256"] {
            let header = header(json!({ "alg": alg }));
            let signed = format!("{}.{}", base64(header), base64(claims().to_string()));
            let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret), signed.as_bytes());
            let refused = verify(&format!("{signed}.{}", base64(tag)));
            let expected = match alg {
                "HS256" => JoseError::UnsupportedAlgorithm,
                _ => JoseError::BadSignature,
            };
            assert_eq!(refused, Err(expected));
        }
    }
}

/// Never-again 16: a key is found for its own algorithm and no other.
#[test]
fn an_algorithm_and_a_key_of_another_kind_do_not_meet() {
    let kids = [KEY.kid(), "ed", "rs", "ps"];
    for (kid, own) in kids.into_iter().zip(Algorithm::ALL) {
        for algorithm in Algorithm::ALL.into_iter().filter(|algorithm| *algorithm != own) {
            let header = header(json!({ "alg": algorithm, "kid": kid }));
            let refused = verify(&forge(&header, &claims().to_string()));
            assert_eq!(refused, Err(JoseError::UnknownKey(algorithm)), "{kid} as {algorithm}");
        }
    }
}

#[test]
fn a_key_id_names_one_key() {
    let token = |kid: Value| forge(&header(json!({ "kid": kid })), &claims().to_string());
    let unknown = Err(JoseError::UnknownKey(Algorithm::ES256));
    for kid in ["", "other", "ed", &KEY.kid().to_uppercase(), "../../etc/passwd"] {
        assert_eq!(verify(&token(kid.into())), unknown, "{kid}");
    }
    for kid in [Value::Null, json!(1), json!([KEY.kid()])] {
        assert_eq!(verify(&token(kid.clone())), Err(JoseError::HeaderType("kid")), "{kid}");
    }
    // Without one, the only key for the algorithm is meant, if it is the only one.
    let nameless = json!({ "alg": "ES256", "typ": "at+jwt" }).to_string();
    let nameless = forge(&nameless, &claims().to_string());
    assert_eq!(verify(&nameless), Ok(()));
    let second = SigningKey::generate_es256().unwrap();
    let refused = verify_with(&keys_of(&[&KEY, &second]), &nameless);
    assert_eq!(refused, Err(JoseError::AmbiguousKey(Algorithm::ES256)));
    assert_eq!(verify_with(&keys_of(&[]), &nameless).map(|_| ()), unknown);
}

/// Never-again 17: a header that brings its own key convinces nobody.
#[test]
fn a_key_in_the_header_is_never_used() {
    let attacker = SigningKey::generate_es256().unwrap();
    let PublicKey::P256 { x, y } = attacker.public_jwk().key else { panic!() };
    let jwk = json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y });
    let sign = |header: Value| {
        let signed = format!("{}.{}", base64(header.to_string()), base64(claims().to_string()));
        let key = EncodingKey::from_ec_der(attacker.to_pkcs8().expose());
        let algorithm = jsonwebtoken::Algorithm::ES256;
        format!("{signed}.{}", crypto::sign(signed.as_bytes(), &key, algorithm).unwrap())
    };
    for brought in [
        json!({ "jwk": jwk }),
        json!({ "jku": "https://evil.com/jwks" }),
        json!({ "x5u": "https://evil.com/cert" }),
        json!({ "x5c": ["MIIB"] }),
        json!({ "jwk": jwk, "jku": "https://evil.com/jwks", "x5c": [] }),
        json!({}),
    ] {
        for (kid, error) in [
            (Some(KEY.kid()), JoseError::BadSignature),
            (None, JoseError::BadSignature),
            (Some(attacker.kid()), JoseError::UnknownKey(Algorithm::ES256)),
        ] {
            let mut header = json!({ "alg": "ES256", "typ": "at+jwt" });
            header.as_object_mut().unwrap().extend(brought.as_object().unwrap().clone());
            if let Some(kid) = kid {
                header["kid"] = kid.into();
            }
            assert_eq!(verify(&sign(header.clone())), Err(error), "{header}");
        }
    }
    // Providers send x5c and the like in honest tokens: not used, and not held against them.
    let honest = header(json!({ "jwk": jwk, "x5c": ["MIIB"], "x5t": "abc" }));
    assert_eq!(verify(&forge(&honest, &claims().to_string())), Ok(()));
}
