use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::claims::check_event_claims;
use super::{Audience, Expected, JoseError, UnverifiedJwt, VerifyingKeys};
use crate::time::Timestamp;

/// A security event token (RFC 8417) whose signature, type, issuer, audience and times are right. Only
/// [`UnverifiedJwt::verify_event`] makes one.
///
/// It speaks of somebody and is nobody's proof of anything: other than a [`VerifiedJwt`](super::VerifiedJwt) it may have no
/// `sub` and no end.
#[derive(Clone, PartialEq)]
pub struct VerifiedEvent {
    pub(super) issuer: String,
    pub(super) audience: Audience,
    pub(super) id: String,
    pub(super) issued_at: Timestamp,
    pub(super) expires_at: Option<Timestamp>,
    pub(super) subject: Option<String>,
    pub(super) all: Arc<Map<String, Value>>,
}

impl VerifiedEvent {
    /// `iss`
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// `aud`
    pub fn audience(&self) -> &Audience {
        &self.audience
    }

    /// `jti`
    pub fn id(&self) -> &str {
        &self.id
    }

    /// `iat`
    pub fn issued_at(&self) -> Timestamp {
        self.issued_at
    }

    /// `exp`, which RFC 8417 §2.2 does not recommend.
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.expires_at
    }

    /// `sub`
    pub fn subject(&self) -> Option<&str> {
        self.subject.as_deref()
    }

    /// Any claim.
    pub fn claim(&self, name: &str) -> Option<&Value> {
        self.all.get(name)
    }

    /// What it says of an event of this type.
    pub fn event(&self, uri: &str) -> Option<&Map<String, Value>> {
        self.claim("events")?.get(uri)?.as_object()
    }
}

impl UnverifiedJwt<'_> {
    /// Checks type, signature and the claims of a security event token, in this order (RFC 8417 §2.2).
    ///
    /// # Errors
    /// One variant of [`JoseError`] for each rule.
    pub fn verify_event(
        &self,
        keys: &VerifyingKeys,
        expected: &Expected<'_>,
    ) -> Result<VerifiedEvent, JoseError> {
        self.check_type(expected.typ)?;
        self.check_signature(keys)?;
        check_event_claims(&self.claims, expected)
    }
}

/// Shows no part of it that is about a person.
impl fmt::Debug for VerifiedEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedEvent")
            .field("issuer", &self.issuer)
            .field("audience", &self.audience)
            .field("issued_at", &self.issued_at)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::issuer::Issuer;
    use crate::jose::{Algorithm, JwkSet, SigningKey};

    const NOW: i64 = 1_800_000_000;

    fn good() -> Value {
        json!({
            "iss": "https://idp.example", "aud": ["hallpass", "other"], "jti": "1", "iat": NOW,
            "events": { "https://event.example/type": { "reason": "x" } },
        })
    }

    fn verify(key: &SigningKey, typ: &str, claims: &Value) -> Result<VerifiedEvent, JoseError> {
        let keys = JwkSet { keys: vec![key.public_jwk()] };
        let keys = VerifyingKeys::from_jwk_set(&keys, &[Algorithm::ES256]);
        let token = key.sign(typ, claims).unwrap();
        let issuer = Issuer::parse("https://idp.example").unwrap();
        UnverifiedJwt::parse(&token)?.verify_event(
            &keys,
            &Expected {
                issuer: &issuer,
                audience: &["hallpass"],
                typ: &["secevent+jwt"],
                now: Timestamp::from_unix(NOW),
                leeway: Duration::from_secs(30),
            },
        )
    }

    #[test]
    fn one_that_breaks_no_rule_is_taken() {
        let key = SigningKey::generate_es256().unwrap();
        let event = verify(&key, "application/secevent+jwt", &good()).unwrap();
        assert_eq!((event.issuer(), event.id(), event.subject()), ("https://idp.example", "1", None));
        assert_eq!((event.issued_at().unix(), event.expires_at()), (NOW, None));
        assert_eq!(event.event("https://event.example/type").unwrap()["reason"], "x");
        assert_eq!(event.event("https://event.example/other"), None);
        let mut claims = good();
        (claims["exp"], claims["sub"]) = (json!(NOW + 60), json!("ada"));
        let event = verify(&key, "secevent+jwt", &claims).unwrap();
        assert_eq!((event.expires_at().unwrap().unix(), event.subject()), (NOW + 60, Some("ada")));
    }

    #[test]
    fn each_rule_refuses() {
        let key = SigningKey::generate_es256().unwrap();
        for (name, value, error) in [
            ("iss", json!(null), JoseError::MissingIssuer),
            ("iss", json!("https://other.example"), JoseError::WrongIssuer),
            ("aud", json!(null), JoseError::MissingAudience),
            ("aud", json!("other"), JoseError::WrongAudience),
            ("jti", json!(null), JoseError::MissingId),
            ("jti", json!(7), JoseError::ClaimType("jti")),
            ("iat", json!(null), JoseError::MissingIssuedAt),
            ("iat", json!(NOW + 31), JoseError::IssuedInFuture),
            ("exp", json!(NOW - 30), JoseError::Expired),
            ("exp", json!("soon"), JoseError::ClaimType("exp")),
            ("nbf", json!(NOW + 31), JoseError::NotYetValid),
            ("sub", json!(""), JoseError::ClaimType("sub")),
            ("events", json!(null), JoseError::MissingEvents),
            ("events", json!({}), JoseError::MissingEvents),
            ("events", json!(["https://event.example/type"]), JoseError::ClaimType("events")),
            ("events", json!({ "https://event.example/type": true }), JoseError::ClaimType("events")),
        ] {
            let mut claims = good();
            match value {
                Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
                ref value => claims[name] = value.clone(),
            }
            assert_eq!(verify(&key, "secevent+jwt", &claims).unwrap_err(), error, "{name}: {value}");
        }
        for typ in ["JWT", "logout+jwt", "at+jwt"] {
            assert_eq!(verify(&key, typ, &good()).unwrap_err(), JoseError::WrongType, "{typ}");
        }
        let token = SigningKey::generate_es256().unwrap().sign("secevent+jwt", &good()).unwrap();
        let keys = JwkSet { keys: vec![key.public_jwk()] };
        let keys = VerifyingKeys::from_jwk_set(&keys, &[Algorithm::ES256]);
        let issuer = Issuer::parse("https://idp.example").unwrap();
        let expected = Expected {
            issuer: &issuer,
            audience: &["hallpass"],
            typ: &["secevent+jwt"],
            now: Timestamp::from_unix(NOW),
            leeway: Duration::ZERO,
        };
        assert!(
            UnverifiedJwt::parse(&token).unwrap().verify_event(&keys, &expected).is_err(),
            "another's key"
        );
    }

    proptest! {
        /// Whatever the claims are: what is taken has all that RFC 8417 wants, and nothing panics.
        #[test]
        fn what_is_taken_is_whole(name in "iss|aud|jti|iat|exp|nbf|sub|events|other", value in any_json()) {
            let key = SigningKey::generate_es256().unwrap();
            let mut claims = good();
            claims[name.as_str()] = value;
            if let Ok(event) = verify(&key, "secevent+jwt", &claims) {
                prop_assert_eq!(event.issuer(), "https://idp.example");
                prop_assert!(event.audience().contains("hallpass") && !event.id().is_empty());
                prop_assert!(event.issued_at().unix() <= NOW + 30);
                let events = event.claim("events").and_then(Value::as_object).unwrap();
                prop_assert!(!events.is_empty() && events.values().all(Value::is_object));
            }
        }
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(|number| json!(number)),
            ".{0,12}".prop_map(Value::from),
        ];
        leaf.prop_recursive(2, 8, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(".{0,6}", inner, 0..4).prop_map(|map| json!(map)),
            ]
        })
    }
}
