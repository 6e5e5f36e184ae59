use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{Algorithm, Claims, JoseError};

/// A JWT whose signature, issuer, audience, type and times are right. Only
/// [`UnverifiedJwt::verify`](super::UnverifiedJwt::verify) makes one.
#[derive(Clone, PartialEq)]
pub struct VerifiedJwt {
    claims: Claims,
    all: Arc<Map<String, Value>>,
    algorithm: Algorithm,
    kid: Option<String>,
}

impl VerifiedJwt {
    pub(super) fn new(
        claims: Claims,
        all: Arc<Map<String, Value>>,
        algorithm: Algorithm,
        kid: Option<String>,
    ) -> Self {
        Self { claims, all, algorithm, kid }
    }

    /// The registered claims.
    pub fn claims(&self) -> &Claims {
        &self.claims
    }

    /// Any claim.
    pub fn claim(&self, name: &str) -> Option<&Value> {
        self.all.get(name)
    }

    /// Every claim.
    pub fn all(&self) -> &Map<String, Value> {
        &self.all
    }

    /// Every claim, to be kept. Nothing is copied once the [`UnverifiedJwt`](super::UnverifiedJwt) is gone.
    pub fn into_all(self) -> Map<String, Value> {
        Arc::unwrap_or_clone(self.all)
    }

    /// The algorithm it was signed with.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The key it was signed with.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// All claims as a type of the caller's, such as
    /// [`AccessTokenClaims`](super::AccessTokenClaims).
    ///
    /// # Errors
    /// [`JoseError::Decode`], if they are not of that shape.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, JoseError> {
        T::deserialize(&*self.all).map_err(|error| JoseError::Decode(error.to_string()))
    }
}

impl fmt::Debug for VerifiedJwt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedJwt")
            .field("issuer", &self.claims.issuer)
            .field("audience", &self.claims.audience)
            .field("expires_at", &self.claims.expires_at)
            .finish_non_exhaustive()
    }
}
