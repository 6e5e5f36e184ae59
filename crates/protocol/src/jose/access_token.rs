use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Audience;
use crate::scope::ScopeSet;
use crate::time::Timestamp;

/// The claims of a JWT access token (RFC 9068 §2.2). Its type is [`AccessTokenClaims::TYP`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AccessTokenClaims {
    /// Who issued it.
    pub iss: String,
    /// Whom it speaks for.
    pub sub: String,
    /// The resource it is for.
    pub aud: Audience,
    /// Until when, exclusive.
    pub exp: Timestamp,
    /// Since when.
    pub iat: Timestamp,
    /// Its own name.
    pub jti: String,
    /// The client it was given to.
    pub client_id: String,
    /// What it allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<ScopeSet>,
    /// Whatever else was said.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl AccessTokenClaims {
    /// RFC 9068 §2.1.
    pub const TYP: &'static str = "at+jwt";
}
