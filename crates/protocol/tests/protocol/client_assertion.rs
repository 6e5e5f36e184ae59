use std::time::Duration;

use hallpass_protocol::{
    client_assertion::{ClientAssertion, ClientAssertionError, ExpectedAssertion, UnverifiedClientAssertion},
    issuer::Issuer,
    jose::{Algorithm, JoseError, JwkSet, SigningKey, VerifyingKeys},
    time::Timestamp,
};
use serde_json::{Value, json};

/// Never again, row 48: the issuer is the sole audience, as one text, exactly as published.
#[test]
fn the_issuer_is_the_sole_audience() {
    for issuer in ["https://as.example", "https://as.example/", "https://as.example/tenant"] {
        let published = Issuer::parse(issuer).unwrap();
        let claims = ClientAssertion::new("me", &published, "once", Timestamp::from_unix(100));
        assert_eq!(
            serde_json::to_value(&claims).unwrap(),
            json!({"iss": "me", "sub": "me", "aud": issuer, "jti": "once", "iat": 100, "exp": 160})
        );
    }
}

const NOW: i64 = 1_800_000_000;

fn good() -> Value {
    json!({"iss": "me", "sub": "me", "aud": "https://as.example", "jti": "once", "iat": NOW, "exp": NOW + 60})
}

fn judge(typ: &str, claims: &Value) -> Result<String, ClientAssertionError> {
    let key = SigningKey::generate_es256().unwrap();
    let keys = VerifyingKeys::from_jwk_set(&JwkSet { keys: vec![key.public_jwk()] }, &Algorithm::ALL);
    let token = key.sign(typ, claims).unwrap();
    let issuer = Issuer::parse("https://as.example").unwrap();
    let expected = ExpectedAssertion {
        client_id: "me",
        issuer: &issuer,
        now: Timestamp::from_unix(NOW),
        leeway: Duration::from_secs(30),
    };
    let verified = UnverifiedClientAssertion::parse(&token)?.verify(&keys, &expected)?;
    Ok(verified.id().to_owned())
}

#[test]
fn what_the_client_writes_is_taken() {
    let issuer = Issuer::parse("https://as.example").unwrap();
    let claims = ClientAssertion::new("me", &issuer, "once", Timestamp::from_unix(NOW));
    assert_eq!(judge("JWT", &serde_json::to_value(claims).unwrap()), Ok("once".to_owned()));
    assert_eq!(judge("client-authentication+jwt", &good()), Ok("once".to_owned()));
    assert_eq!(judge("at+jwt", &good()), Err(ClientAssertionError::Jose(JoseError::WrongType)));
}

/// Never again, rows 20, 21 and 48, for client assertions.
#[test]
fn each_single_fault_refuses() {
    use ClientAssertionError::{Jose, LongLife, NoId, OtherAudience, OtherSubject};
    for (name, value, error) in [
        ("iss", json!("you"), Jose(JoseError::WrongIssuer)),
        ("sub", json!("you"), OtherSubject),
        ("aud", json!("https://as.example/token"), OtherAudience),
        ("aud", json!(["https://as.example", "https://as.example/token"]), OtherAudience),
        ("aud", json!(["https://as.example", "https://as.example"]), OtherAudience),
        ("aud", json!("https://as.example/"), OtherAudience),
        ("jti", json!("x".repeat(257)), NoId),
        ("exp", json!(NOW - 30), Jose(JoseError::Expired)),
        ("exp", json!(NOW + 631), LongLife),
        ("iat", json!(NOW + 31), Jose(JoseError::IssuedInFuture)),
        ("nbf", json!(NOW + 31), Jose(JoseError::NotYetValid)),
    ] {
        let mut claims = good();
        claims[name] = value.clone();
        assert_eq!(judge("JWT", &claims), Err(error), "{name}: {value}");
    }
    for name in ["iss", "sub", "aud", "jti", "iat", "exp"] {
        let mut without = good();
        without.as_object_mut().unwrap().remove(name);
        assert!(judge("JWT", &without).is_err(), "without {name}");
        for wrong in [json!(null), json!(1.5), json!(-1), json!(u64::MAX), json!({}), json!("")] {
            let mut claims = good();
            claims[name] = wrong.clone();
            assert!(judge("JWT", &claims).is_err(), "{name}: {wrong}");
        }
    }
}
