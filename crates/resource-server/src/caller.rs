//! Who is calling, as a trusted issuer says it.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use hallpass_protocol::issuer::Issuer;
use hallpass_protocol::scope::ScopeSet;
use hallpass_protocol::time::Timestamp;
use http::StatusCode;
use http::request::Parts;
use serde_json::{Map, Value};

/// The caller of a permitted request. It is put into the request's extensions, and is an axum
/// extractor.
#[derive(Clone, PartialEq, Eq)]
pub struct Caller(Arc<Said>);

#[derive(PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) granted: Granted,
    pub(crate) token_id: String,
    pub(crate) expires: Timestamp,
}

/// What a credential lets its holder do, and what else policy looks at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Granted {
    /// Who it is: [`Caller::principal`].
    pub principal: String,
    /// Who says so: [`Caller::issuer`].
    pub issuer: String,
    /// The user's name there: [`Caller::subject`].
    pub subject: String,
    /// Through which client: [`Caller::client_id`].
    pub client: String,
    /// The scopes, and roles or groups that count as scopes.
    pub scopes: ScopeSet,
    /// The tenant, by the claim that [`ClaimNames::tenant`](crate::ClaimNames::tenant) names.
    pub tenant: Option<String>,
    /// When the user logged in (`auth_time`, RFC 9068 §2.2.1).
    pub login: Option<Timestamp>,
    /// Every claim.
    pub claims: Map<String, Value>,
}

impl Granted {
    /// A claim by its name; where no claim has that name, by a path with dots.
    #[must_use]
    pub fn claim(&self, name: &str) -> Option<&Value> {
        find_claim(&self.claims, name)
    }
}

pub(crate) fn find_claim<'c>(claims: &'c Map<String, Value>, name: &str) -> Option<&'c Value> {
    if let Some(value) = claims.get(name) {
        return Some(value);
    }
    // A name within may have a dot itself, such as `kubernetes.io`.
    name.match_indices('.').find_map(|(dot, _)| {
        let (first, rest) = (name.get(..dot)?, name.get(dot + 1..)?);
        find_claim(claims.get(first)?.as_object()?, rest)
    })
}

/// The [`Caller::principal`] of a token. An issuer has no `#` (RFC 8414 §2), so the first one ends it.
pub(crate) fn principal_of(issuer: &Issuer, subject: &str, own: Option<&Issuer>) -> String {
    if own == Some(issuer) { subject.to_owned() } else { format!("{issuer}#{subject}") }
}

impl Caller {
    pub(crate) fn new(said: Said) -> Self {
        Self(Arc::new(said))
    }

    /// Whether it is the very same, not one that is alike.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The issuer of the token. A subject is unique within its issuer only (RFC 9068 §2.2).
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.0.granted.issuer
    }

    /// The user, or the client where there is no user (`sub`, RFC 9068 §2.2).
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.0.granted.subject
    }

    /// The user under a name that nobody else has, whoever vouches for them: what is kept for a user is kept
    /// under this. The subject alone for users of [`Settings::own_issuer`](crate::Settings::own_issuer),
    /// `issuer#subject` for those of other issuers, and `key#name`, `basic#name`, `digest#name` or
    /// `certificate#name` for accounts of this server's own.
    #[must_use]
    pub fn principal(&self) -> &str {
        &self.0.granted.principal
    }

    /// The client that the token was issued to (`client_id`, RFC 8693 §4.3).
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.0.granted.client
    }

    /// What was granted (`scope`, RFC 8693 §4.2).
    #[must_use]
    pub fn scopes(&self) -> &ScopeSet {
        &self.0.granted.scopes
    }

    /// The tenant, where the issuer has tenants and the settings name their claim.
    #[must_use]
    pub fn tenant(&self) -> Option<&str> {
        self.0.granted.tenant.as_deref()
    }

    /// Any claim, by its name or by a path with dots (`realm_access.roles`).
    #[must_use]
    pub fn claim(&self, name: &str) -> Option<&Value> {
        self.0.granted.claim(name)
    }

    /// Every claim.
    #[must_use]
    pub fn claims(&self) -> &Map<String, Value> {
        &self.0.granted.claims
    }

    /// All that policy looks at.
    #[must_use]
    pub fn granted(&self) -> &Granted {
        &self.0.granted
    }

    /// The token's name (`jti`, RFC 7519 §4.1.7). It is no secret.
    #[must_use]
    pub fn token_id(&self) -> &str {
        &self.0.token_id
    }

    /// When the token ends (`exp`, RFC 7519 §4.1.4).
    #[must_use]
    pub fn expires(&self) -> Timestamp {
        self.0.expires
    }
}

impl std::fmt::Debug for Caller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Caller")
            .field("issuer", &self.issuer())
            .field("subject", &self.subject())
            .field("client_id", &self.client_id())
            .field("scopes", &self.scopes().to_string())
            .finish_non_exhaustive()
    }
}

/// A handler asked for a [`Caller`], but no layer stands in front of its route.
#[derive(Debug, thiserror::Error)]
#[error("this route is not protected: put ResourceServer::layer in front of it")]
pub struct Unprotected;

impl IntoResponse for Unprotected {
    fn into_response(self) -> Response {
        tracing::error!("{self}");
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Unprotected;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Unprotected> {
        parts.extensions.get::<Self>().cloned().ok_or(Unprotected)
    }
}
