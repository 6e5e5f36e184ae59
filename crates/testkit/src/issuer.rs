//! An issuer of access tokens, right ones and wrong ones.

use std::time::Duration;

use hallpass_protocol::issuer::Issuer;
use hallpass_protocol::jose::{Algorithm, JwkSet, SigningKey, VerifyingKeys};
use hallpass_protocol::time::Timestamp;
use serde_json::{Value, json};

/// Signs whatever it is told to.
pub struct TestIssuer {
    /// Who it says it is.
    pub issuer: Issuer,
    /// What it signs with.
    pub key: SigningKey,
}

impl TestIssuer {
    /// A new key, for that issuer.
    #[allow(clippy::expect_used)] // The kit is for tests.
    pub fn new(issuer: &str) -> Self {
        Self {
            issuer: Issuer::parse(issuer).expect("an issuer"),
            key: SigningKey::generate_es256().expect("a key"),
        }
    }

    /// What a resource server verifies with.
    pub fn keys(&self) -> VerifyingKeys {
        let set = JwkSet { keys: vec![self.key.public_jwk()] };
        VerifyingKeys::from_jwk_set(&set, &[Algorithm::ES256])
    }

    /// The claims of a good access token (RFC 9068 §2.2) that lives for ten minutes.
    pub fn claims(&self, audience: &str, scope: &str, now: Timestamp) -> Value {
        json!({
            "iss": self.issuer, "sub": "alice", "aud": audience, "client_id": "test-client",
            "iat": now, "exp": now.after(Duration::from_secs(600)), "jti": "token-1", "scope": scope,
        })
    }

    /// A good access token.
    pub fn token(&self, audience: &str, scope: &str, now: Timestamp) -> String {
        self.sign(&self.claims(audience, scope, now))
    }

    /// An access token with those claims.
    #[allow(clippy::expect_used)]
    pub fn sign(&self, claims: &Value) -> String {
        self.key.sign("at+jwt", claims).expect("a signature")
    }
}
