//! A JWT that is right, and every way in which its claims can be wrong. Never-again 20 and 21.

use std::sync::LazyLock;
use std::time::Duration;

use hallpass_protocol::{
    AccessTokenClaims, Algorithm, Expected, Issuer, JoseError, JwkSet, ScopeSet, SigningKey, Timestamp,
    UnverifiedJwt, VerifiedJwt, VerifyingKeys,
};
use serde_json::{Value, json};

pub(crate) const NOW: i64 = 1_800_000_000;
pub(crate) const ISSUER: &str = "https://auth.example.com";
pub(crate) const AUDIENCE: &str = "https://mcp.example.com/mcp";

pub(crate) static KEY: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::generate_es256().unwrap());

pub(crate) fn keys_of(keys: &[&SigningKey]) -> VerifyingKeys {
    let keys = keys.iter().map(|key| key.public_jwk()).collect();
    VerifyingKeys::from_jwk_set(&JwkSet { keys }, &Algorithm::ALL)
}

pub(crate) fn verify_with(keys: &VerifyingKeys, token: &str) -> Result<VerifiedJwt, JoseError> {
    UnverifiedJwt::parse(token)?.verify(
        keys,
        &Expected {
            issuer: &Issuer::parse(ISSUER).unwrap(),
            audience: &[AUDIENCE],
            typ: &["at+jwt"],
            now: Timestamp::from_unix(NOW),
            leeway: Duration::ZERO,
        },
    )
}

fn verify(token: &str) -> Result<VerifiedJwt, JoseError> {
    verify_with(&keys_of(&[&KEY]), token)
}

/// The claims of a good token.
pub(crate) fn claims() -> Value {
    json!({
        "iss": ISSUER, "sub": "alice", "aud": AUDIENCE, "exp": NOW + 300, "iat": NOW, "jti": "1",
        "client_id": "abc", "scope": "notes:read notes:write", "tenant": "t",
    })
}

/// Signs the good claims with one changed.
fn with(name: &str, value: Value) -> String {
    let mut claims = claims();
    claims[name] = value;
    KEY.sign("at+jwt", &claims).unwrap()
}

fn without(name: &str) -> String {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(name);
    KEY.sign("at+jwt", &claims).unwrap()
}

#[test]
fn a_good_token_is_verified_and_read() {
    let verified = verify(&KEY.sign("at+jwt", &claims()).unwrap()).unwrap();
    assert_eq!(verified.claims().subject, "alice");
    assert_eq!(verified.claims().expires_at.unix(), NOW + 300);
    assert_eq!(verified.claim("tenant"), Some(&json!("t")));
    assert_eq!((verified.algorithm(), verified.kid()), (Algorithm::ES256, Some(KEY.kid())));
    let claims: AccessTokenClaims = verified.decode().unwrap();
    assert_eq!(claims.scope, Some(ScopeSet::parse("notes:read notes:write").unwrap()));
    assert_eq!(claims.client_id, "abc");
    assert_eq!(claims.other["tenant"], "t");
    assert!(matches!(verified.decode::<Vec<u8>>(), Err(JoseError::Decode(_))));
}

/// What the authorization server signs is what the resource server reads.
#[test]
fn access_token_claims_round_trip() {
    let claims: AccessTokenClaims = serde_json::from_value(claims()).unwrap();
    assert_eq!(serde_json::to_value(&claims).unwrap(), self::claims());
    let token = KEY.sign(AccessTokenClaims::TYP, &claims).unwrap();
    assert_eq!(verify(&token).unwrap().decode::<AccessTokenClaims>().unwrap(), claims);
}

/// Never-again 21.
#[test]
fn each_required_claim_is_required() {
    for (name, error) in [
        ("iss", JoseError::MissingIssuer),
        ("sub", JoseError::MissingSubject),
        ("aud", JoseError::MissingAudience),
        ("exp", JoseError::MissingExpiry),
        ("iat", JoseError::MissingIssuedAt),
    ] {
        assert_eq!(verify(&without(name)), Err(error), "{name}");
    }
    for name in ["jti", "client_id", "scope", "nbf"] {
        assert!(verify(&without(name)).is_ok(), "{name}");
    }
}

/// Never-again 20.
#[test]
fn a_time_is_a_whole_number_within_reason() {
    for name in ["exp", "nbf", "iat"] {
        for value in [
            json!(NOW.to_string()),
            json!("never"),
            json!(""),
            Value::Null,
            json!(true),
            json!([NOW]),
            json!({}),
            json!(1.8e9),
            json!(1_800_000_000.5),
            json!(1e300),
            json!(-1),
            json!(i64::MIN),
            json!(i64::MAX),
            json!(u64::MAX),
            json!(253_402_300_800_i64),
        ] {
            let refused = verify(&with(name, value.clone()));
            assert_eq!(refused, Err(JoseError::ClaimType(name)), "{name} {value}");
        }
    }
}

#[test]
fn an_audience_is_a_text_or_a_list_of_texts() {
    for value in [
        Value::Null,
        json!(1),
        json!(true),
        json!({}),
        json!({ AUDIENCE: 1 }),
        json!(""),
        json!([]),
        json!([null]),
        json!([AUDIENCE, 1]),
        json!([AUDIENCE, ""]),
        json!([[AUDIENCE]]),
    ] {
        let refused = verify(&with("aud", value.clone()));
        assert_eq!(refused, Err(JoseError::ClaimType("aud")), "{value}");
    }
    assert!(verify(&with("aud", json!(["https://other", AUDIENCE]))).is_ok());
}

#[test]
fn other_claims_are_texts() {
    for name in ["iss", "sub", "jti"] {
        for value in [Value::Null, json!(1), json!([ISSUER]), json!({}), json!("")] {
            let refused = verify(&with(name, value.clone()));
            assert_eq!(refused, Err(JoseError::ClaimType(name)), "{name} {value}");
        }
    }
}

#[test]
fn another_issuer_is_refused() {
    for issuer in ["https://evil.com", "https://auth.example.com/", "https://AUTH.example.com"] {
        assert_eq!(verify(&with("iss", issuer.into())), Err(JoseError::WrongIssuer), "{issuer}");
    }
}

#[test]
fn another_audience_is_refused() {
    for audience in
        [json!("https://mcp.example.com"), json!("https://mcp.example.com/mcp/"), json!(["a", "b"])]
    {
        let refused = verify(&with("aud", audience.clone()));
        assert_eq!(refused, Err(JoseError::WrongAudience), "{audience}");
    }
}

#[test]
fn the_edges_of_time() {
    assert!(verify(&with("exp", json!(NOW + 1))).is_ok());
    assert_eq!(verify(&with("exp", json!(NOW))), Err(JoseError::Expired));
    assert_eq!(verify(&with("exp", json!(0))), Err(JoseError::Expired));
    assert!(verify(&with("nbf", json!(NOW))).is_ok());
    assert_eq!(verify(&with("nbf", json!(NOW + 1))), Err(JoseError::NotYetValid));
    assert!(verify(&with("iat", json!(NOW))).is_ok());
    assert_eq!(verify(&with("iat", json!(NOW + 1))), Err(JoseError::IssuedInFuture));
}

#[test]
fn leeway_moves_every_edge_by_as_much() {
    let keys = keys_of(&[&KEY]);
    let verify = |token: &str| {
        UnverifiedJwt::parse(token)?.verify(
            &keys,
            &Expected {
                issuer: &Issuer::parse(ISSUER).unwrap(),
                audience: &[AUDIENCE],
                typ: &["at+jwt"],
                now: Timestamp::from_unix(NOW),
                leeway: Duration::from_secs(60),
            },
        )
    };
    assert!(verify(&with("exp", json!(NOW - 59))).is_ok());
    assert_eq!(verify(&with("exp", json!(NOW - 60))), Err(JoseError::Expired));
    assert!(verify(&with("nbf", json!(NOW + 60))).is_ok());
    assert_eq!(verify(&with("nbf", json!(NOW + 61))), Err(JoseError::NotYetValid));
    assert!(verify(&with("iat", json!(NOW + 60))).is_ok());
    assert_eq!(verify(&with("iat", json!(NOW + 61))), Err(JoseError::IssuedInFuture));
}

/// RFC 8725 §3.11, RFC 9068 §4: an ID token is no access token.
#[test]
fn another_type_is_refused() {
    for typ in ["at+jwt", "AT+JWT", "application/at+jwt", "Application/At+Jwt"] {
        assert!(verify(&KEY.sign(typ, &claims()).unwrap()).is_ok(), "{typ}");
    }
    for typ in ["JWT", "", "dpop+jwt", "application/", "at+jwt ", "application/application/at+jwt"] {
        let refused = verify(&KEY.sign(typ, &claims()).unwrap());
        assert_eq!(refused, Err(JoseError::WrongType), "{typ}");
    }
}

#[test]
fn an_empty_list_of_types_or_audiences_takes_nothing() {
    let token = KEY.sign("at+jwt", &claims()).unwrap();
    let issuer = Issuer::parse(ISSUER).unwrap();
    let now = Timestamp::from_unix(NOW);
    let verify = |audience: &[&str], typ: &[&str]| {
        let expected = Expected { issuer: &issuer, audience, typ, now, leeway: Duration::ZERO };
        UnverifiedJwt::parse(&token).unwrap().verify(&keys_of(&[&KEY]), &expected)
    };
    assert_eq!(verify(&[AUDIENCE], &[]), Err(JoseError::WrongType));
    assert_eq!(verify(&[], &["at+jwt"]), Err(JoseError::WrongAudience));
}

#[test]
fn what_is_unverified_picks_a_key_and_is_not_shown() {
    let token = KEY.sign("at+jwt", &claims()).unwrap();
    let unverified = UnverifiedJwt::parse(&token).unwrap();
    assert_eq!(unverified.unverified_issuer(), Some(ISSUER));
    assert_eq!(unverified.algorithm(), Algorithm::ES256);
    assert_eq!(unverified.kid(), Some(KEY.kid()));
    assert_eq!(unverified.typ(), Some("at+jwt"));
    let shown = format!("{unverified:?} {:?}", verify(&token).unwrap());
    let signature = token.rsplit_once('.').unwrap().1;
    assert!(!shown.contains("alice") && !shown.contains(signature), "{shown}");
}

#[test]
fn claims_that_are_no_object_are_refused() {
    for claims in [json!([]), json!("x"), json!(1), Value::Null] {
        let token = KEY.sign("at+jwt", &claims).unwrap();
        assert_eq!(verify(&token), Err(JoseError::ClaimsObject), "{claims}");
    }
}
