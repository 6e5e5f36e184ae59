//! Tokens that somebody else made, and tokens with a fault: one table for every place where a JWT enters (rows 16 to 23 of
//! `docs/never-again.md`). Each is to be refused there; the good one, sent last, shows that the place was open.

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use hallpass_protocol::jose::{Jwk, SigningKey};
use serde_json::{Value, json};

/// A good token, and what is known of whoever signed it.
pub struct Good<'a> {
    /// The token, signed with ES256.
    pub token: &'a str,
    /// The public key, as everybody knows it.
    pub public: Jwk,
    /// The key itself, where the test has it: then a header can be changed under a right signature.
    pub key: Option<&'a SigningKey>,
    /// How long "huge" is, in bytes: more than a token may have, and less than the way to it carries.
    pub huge: usize,
}

/// A token, or the claims of one, that is to be refused.
#[derive(Clone, Debug)]
pub struct Forgery<T = String> {
    /// The row of `docs/never-again.md`.
    pub row: u8,
    /// What is wrong with it.
    pub what: String,
    /// The token, or its claims.
    pub is: T,
}

impl<T> Forgery<T> {
    fn new(row: u8, what: impl Into<String>, is: T) -> Self {
        Self { row, what: what.into(), is }
    }
}

/// Rows 16 to 19 and 23: nobody who lacks the key made a good token, whatever its header says.
///
/// # Panics
/// When no key can be made, or the good token is none.
#[allow(clippy::expect_used)] // The kit is for tests.
pub fn forgeries(good: &Good<'_>) -> Vec<Forgery> {
    let mut parts = good.token.split('.');
    let mut part = || parts.next().expect("three parts");
    let (header, claims, signature) = (part(), part(), part());
    let header: Value =
        serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(header).expect("base64url")).expect("JSON");
    let with = |change: Value| {
        let mut header = header.clone();
        for (name, value) in change.as_object().into_iter().flatten() {
            header[name] = value.clone();
        }
        BASE64_URL_SAFE_NO_PAD.encode(header.to_string())
    };
    let stranger = SigningKey::generate_es256().expect("a key");
    let mut all = Vec::new();

    // Row 16: no signature, the algorithm of another kind of key, the public key as a shared secret.
    for alg in ["none", "None", "NONE", "nOnE", ""] {
        let signed = format!("{}.{claims}", with(json!({ "alg": alg })));
        all.push(Forgery::new(16, format!("alg {alg:?}, unsigned"), format!("{signed}.")));
        all.push(Forgery::new(16, format!("alg {alg:?}, signed"), format!("{signed}.{signature}")));
    }
    for alg in ["RS256", "PS256", "EdDSA", "ES384", "ES512", "ES256K", "es256", "dir"] {
        let token = format!("{}.{claims}.{signature}", with(json!({ "alg": alg })));
        all.push(Forgery::new(16, format!("alg {alg} over a signature with ES256"), token));
    }
    let without = {
        let mut header = header.clone();
        header.as_object_mut().expect("an object").remove("alg");
        BASE64_URL_SAFE_NO_PAD.encode(header.to_string())
    };
    all.push(Forgery::new(16, "no alg", format!("{without}.{claims}.{signature}")));
    for (form, secret) in public_forms(&good.public) {
        for alg in ["HS256", "ES256"] {
            let signed = format!("{}.{claims}", with(json!({ "alg": alg })));
            let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret), signed.as_bytes());
            let token = format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(tag));
            all.push(Forgery::new(16, format!("{alg}, keyed with {form}"), token));
        }
    }

    // Row 17: signed rightly, by a key that the token brings along. (In a DPoP proof such a key is the sender's own.)
    if header.get("jwk").is_none() {
        for brought in [
            json!({}),
            json!({ "kid": stranger.kid() }),
            json!({ "jwk": stranger.public_jwk() }),
            json!({ "jwk": stranger.public_jwk(), "kid": stranger.kid() }),
            json!({ "jku": "https://evil.example/jwks", "kid": stranger.kid() }),
            json!({ "x5u": "https://evil.example/x5u" }),
            json!({ "x5c": ["MIIB"] }),
        ] {
            let token = sign(&with(brought.clone()), claims, &stranger);
            all.push(Forgery::new(17, format!("a stranger's key, {brought}"), token));
        }
    }

    // Row 18: an extension that has to be understood; under a right signature where that can be made.
    for crit in [json!(["exp"]), json!(["b64"]), json!([]), json!("exp")] {
        let header = with(json!({ "crit": crit, "exp": 1, "b64": true }));
        let token = match good.key {
            Some(key) => sign(&header, claims, key),
            None => format!("{header}.{claims}.{signature}"),
        };
        all.push(Forgery::new(18, format!("crit {crit}"), token));
    }

    // Row 19.
    let huge = "A".repeat(good.huge);
    for (what, token) in [
        ("huge header", format!("{huge}.{claims}.{signature}")),
        ("huge claims", format!("{}.{huge}.{signature}", with(json!({})))),
        ("huge signature", format!("{}.{claims}.{huge}", with(json!({})))),
        ("huge, and no token", huge.clone()),
    ] {
        all.push(Forgery::new(19, what, token));
    }

    // Row 23: cut, lengthened, of other parts.
    let token = good.token;
    for (what, token) in [
        ("cut by one", token.get(..token.len() - 1).unwrap_or_default().to_owned()),
        ("half a signature", token.get(..token.len() - signature.len() / 2).unwrap_or_default().to_owned()),
        ("no signature", format!("{}.{claims}.", with(json!({})))),
        ("two parts", format!("{}.{claims}", with(json!({})))),
        ("lengthened", format!("{token}A")),
        ("four parts", format!("{token}.{signature}")),
        ("padded", format!("{token}=")),
        ("garbage", "garbage".to_owned()),
        ("parts of garbage", "a.b.c".to_owned()),
    ] {
        all.push(Forgery::new(23, what, token));
    }
    all
}

/// Rows 20 to 22 and 26: claims that make no good token although the right key signs them. `required` are those that must
/// be there; the time is that of `iat`.
///
/// # Panics
/// When the claims are no object.
#[allow(clippy::expect_used)]
pub fn faults(good: &Value, required: &[&str]) -> Vec<Forgery<Value>> {
    let now = good["iat"].as_i64().expect("iat");
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        claims
    };
    let mut all = Vec::new();
    for name in required {
        let mut claims = good.clone();
        claims.as_object_mut().expect("claims").remove(*name);
        all.push(Forgery::new(21, format!("no {name}"), claims));
    }
    for name in ["exp", "iat", "nbf"] {
        for value in [
            json!(now.to_string()),
            json!(null),
            json!(1.5),
            json!(-1),
            json!(u64::MAX),
            json!(i64::MAX),
            json!([now]),
            json!({}),
            json!(1e300),
        ] {
            all.push(Forgery::new(20, format!("{name} {value}"), with(name, value)));
        }
    }
    let audience = &good["aud"];
    for value in [json!([]), json!({}), json!(1), json!(null), json!([audience, 1]), json!("")] {
        all.push(Forgery::new(20, format!("aud {value}"), with("aud", value)));
    }
    for value in [json!(1), json!(null), json!([good["iss"]]), json!("")] {
        all.push(Forgery::new(20, format!("iss {value}"), with("iss", value)));
    }
    for (what, name, value) in [
        ("expired", "exp", json!(now - 31)),
        ("expired long ago", "exp", json!(1)),
        ("not yet valid", "nbf", json!(now + 90)),
        ("issued in the future", "iat", json!(now + 90)),
    ] {
        all.push(Forgery::new(21, what, with(name, value)));
    }
    let text = audience.as_str().unwrap_or_default();
    for value in ["https://elsewhere.example/mcp".to_owned(), format!("{text}/"), format!("{text}x")] {
        all.push(Forgery::new(22, format!("for {value}"), with("aud", value.into())));
    }
    let issuer = good["iss"].as_str().unwrap_or_default();
    for value in ["https://elsewhere.example".to_owned(), format!("{issuer}/")] {
        all.push(Forgery::new(22, format!("of {value}"), with("iss", value.into())));
    }
    all
}

/// The public key in every form in which it is published, and no key at all.
#[allow(clippy::expect_used)]
fn public_forms(public: &Jwk) -> Vec<(&'static str, Vec<u8>)> {
    let jwk = serde_json::to_value(public).expect("JSON");
    let coordinate = |name: &str| {
        let text = jwk[name].as_str().expect("a P-256 key");
        BASE64_URL_SAFE_NO_PAD.decode(text).expect("base64url")
    };
    let point = [coordinate("x"), coordinate("y")].concat();
    let whole = [vec![4], point.clone()].concat();
    // RFC 5480 §2: SubjectPublicKeyInfo of a P-256 key is this, then the point.
    let head = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE";
    let spki = [BASE64_STANDARD.decode(head).expect("base64"), point.clone()].concat();
    let pem =
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", BASE64_STANDARD.encode(&spki));
    vec![
        ("the coordinates", point),
        ("the point", whole),
        ("the key in DER", spki),
        ("the key in PEM", pem.into_bytes()),
        ("the JWK", jwk.to_string().into_bytes()),
        ("nothing", Vec::new()),
    ]
}

/// Signed with ES256, whatever the header says.
#[allow(clippy::expect_used)]
fn sign(header: &str, claims: &str, key: &SigningKey) -> String {
    let pkcs8 = key.to_pkcs8();
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.expose()).expect("a key");
    let signed = format!("{header}.{claims}");
    let signature = pair.sign(&SystemRandom::new(), signed.as_bytes()).expect("a signature");
    format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
}

#[cfg(test)]
mod tests {
    use hallpass_protocol::jose::{Algorithm, Expected, JwkSet, UnverifiedJwt, VerifyingKeys};
    use hallpass_protocol::time::Timestamp;

    use super::*;
    use crate::issuer::TestIssuer;

    /// What the table is worth: signed and shaped as the good one is, each differs from it in its one fault.
    #[test]
    fn the_signatures_of_the_table_are_right_where_they_can_be() {
        let issuer = TestIssuer::new("https://login.example.com");
        let now = Timestamp::from_unix(1_000);
        let token = issuer.token("https://mcp.example.com", "", now);
        let mut parts = token.split('.');
        let (header, claims) = (parts.next().unwrap(), parts.next().unwrap());
        let again = sign(header, claims, &issuer.key);
        let keys =
            VerifyingKeys::from_jwk_set(&JwkSet { keys: vec![issuer.key.public_jwk()] }, &[Algorithm::ES256]);
        let expected = Expected {
            issuer: &issuer.issuer,
            audience: &["https://mcp.example.com"],
            typ: &["at+jwt"],
            now,
            leeway: std::time::Duration::ZERO,
        };
        UnverifiedJwt::parse(&again).unwrap().verify(&keys, &expected).unwrap();
        let spki = &public_forms(&issuer.key.public_jwk())[2].1;
        assert_eq!(spki.len(), 91);
    }
}
