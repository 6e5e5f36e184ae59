//! The answer of a token endpoint (RFC 6749 §5.1).

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use crate::scope::ScopeSet;
use crate::secret::Secret;

/// A successful answer. `Debug` prints no token, not even in a member that is not known here.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct TokenResponse {
    /// The access token.
    pub access_token: Secret,
    /// `Bearer` or `DPoP`; case does not count.
    pub token_type: String,
    /// Seconds until the access token ends.
    #[serde(default, deserialize_with = "lenient_seconds", skip_serializing_if = "Option::is_none")]
    pub expires_in: Option<u64>,
    /// For the next access token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<Secret>,
    /// What was granted; absent means what was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<ScopeSet>,
    /// OpenID Connect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id_token: Option<Secret>,
    /// Whatever else was said.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl TokenResponse {
    /// An answer with a bearer token and nothing else.
    pub fn bearer(access_token: Secret) -> Self {
        Self {
            access_token,
            token_type: "Bearer".to_owned(),
            expires_in: None,
            refresh_token: None,
            scope: None,
            id_token: None,
            other: Map::new(),
        }
    }
}

impl fmt::Debug for TokenResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenResponse")
            .field("access_token", &self.access_token)
            .field("token_type", &self.token_type)
            .field("expires_in", &self.expires_in)
            .field("refresh_token", &self.refresh_token)
            .field("scope", &self.scope)
            .field("id_token", &self.id_token)
            .field("other", &self.other.keys().collect::<Vec<_>>())
            .finish()
    }
}

/// RFC 6749 §5.1: a number, RECOMMENDED. Some send `"3599"`, or `3599.0`; whoever sends what says nothing has left it out.
fn lenient_seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::Number(seconds) => seconds.as_u64().or_else(|| whole(seconds.as_f64()?)),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    })
}

/// The whole seconds of what has a fraction. What no such number can tell apart from its neighbours is no time.
fn whole(seconds: f64) -> Option<u64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    // Without a sign, and in range: the digits are those of the number.
    (0.0..EXACT).contains(&seconds).then(|| format!("{:.0}", seconds.floor()).parse().ok())?
}
