//! Key sets (RFC 7517).
//!
//! What is loaded was published, holds nothing private, and reads back as it was. A set verifies a token if, and only
//! if, it holds the very key that the token was signed with.

use std::time::Duration;

use hallpass_protocol::jose::{Algorithm, Expected, JwkSet, PublicKey, UnverifiedJwt, VerifyingKeys};
use hallpass_protocol::{Issuer, Timestamp};
use serde_json::Value;

use crate::keys::{NOW, X};
use crate::protected::{ISSUER, RESOURCE, TOKEN};

/// Takes one input.
pub fn check(data: &[u8]) {
    let Ok(set) = serde_json::from_slice::<JwkSet>(data) else { return };
    assert!(set.keys.len() <= 64);
    let written = serde_json::to_vec(&set).expect("JSON");
    assert_eq!(serde_json::from_slice::<JwkSet>(&written).expect("a key set"), set);
    let Some(published) = published(data) else { return };
    for key in &set.keys {
        let key = serde_json::to_value(key).expect("JSON");
        assert!(published.iter().any(|published| comes_from(&key, published)), "nobody published {key}");
        assert!(key["d"].is_null() && key["p"].is_null() && key["q"].is_null() && key["k"].is_null());
    }
    let keys = VerifyingKeys::from_jwk_set(&set, &Algorithm::ALL);
    let holds = set.keys.iter().any(|key| key.key == PublicKey::Ed25519 { x: X.to_owned() });
    if verifies(&keys) {
        assert!(holds, "verified by {keys:?}");
    }
    // One alone is found, whatever its name, since the token names none.
    if let [key] = set.keys.as_slice()
        && holds
        && key.is_for_verifying()
        && key.alg.as_deref().is_none_or(|alg| alg == "EdDSA")
        && key.kid.as_deref() == Some("rfc8037")
    {
        assert!(verifies(&keys), "not verified by {keys:?}");
    }
}

fn verifies(keys: &VerifyingKeys) -> bool {
    let expected = Expected {
        issuer: &Issuer::parse(ISSUER).expect("an issuer"),
        audience: &[RESOURCE],
        typ: &["at+jwt"],
        now: Timestamp::from_unix(NOW),
        leeway: Duration::ZERO,
    };
    UnverifiedJwt::parse(&TOKEN).expect("a token").verify(keys, &expected).is_ok()
}

/// The keys, as far as all of it are objects: serde takes a list of values in place of one, and nobody sends that.
fn published(data: &[u8]) -> Option<Vec<Value>> {
    let document: Value = serde_json::from_slice(data).ok()?;
    let keys = document.get("keys")?.as_array()?;
    keys.iter().all(Value::is_object).then(|| keys.clone())
}

/// Each member of the key stands so in what was published, and nothing private stands beside them.
fn comes_from(key: &Value, published: &Value) -> bool {
    let private = ["d", "p", "q", "k"].iter().any(|name| !published[*name].is_null());
    !private && key.as_object().expect("an object").iter().all(|(name, value)| published[name] == *value)
}
