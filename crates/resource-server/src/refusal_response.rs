//! The one place where a refusal becomes an HTTP answer.

use std::time::Duration;

use axum::Json;
use axum::response::{IntoResponse, Response};
use hallpass_protocol::challenge::Challenge;
use hallpass_protocol::oauth_error::{ErrorCode, OAuthError};
use hallpass_protocol::scope::ScopeSet;
use http::header::{CACHE_CONTROL, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use serde_json::json;

use crate::json_rpc::{self, Id};
use crate::refusal::Refusal;

/// What a challenge says beside the error.
pub(crate) struct Challenger<'a> {
    pub(crate) realm: &'a str,
    pub(crate) resource_metadata: &'a str,
    /// What a first login asks for.
    pub(crate) login_scopes: &'a ScopeSet,
}

enum Kind<'a> {
    /// RFC 6750 §3.1: no error code where no credential was understood.
    Unauthenticated,
    /// RFC 6750 §3.1.
    OAuth(ErrorCode),
    /// RFC 9470 §3, `insufficient_user_authentication`.
    Stale { ask: &'a ScopeSet, max_age: Duration },
    /// RFC 6750 §3.1, `insufficient_scope`.
    Insufficient { ask: &'a ScopeSet, missing: &'a ScopeSet },
    /// Refused before any credential was looked at, or for the body's sake: JSON-RPC 2.0 §5.1.
    JsonRpc(StatusCode, i64, Option<&'a Id>),
    /// This server's own trouble.
    Unavailable,
}

fn kind(refusal: &Refusal) -> Kind<'_> {
    use Kind::{Insufficient, JsonRpc, OAuth, Stale, Unauthenticated, Unavailable};
    match refusal {
        Refusal::NoCredential | Refusal::OtherScheme => Unauthenticated,
        Refusal::SeveralCredentials | Refusal::MalformedCredential | Refusal::TokenInQuery => {
            OAuth(ErrorCode::InvalidRequest)
        }
        Refusal::Token(_) | Refusal::UntrustedIssuer | Refusal::Revoked => OAuth(ErrorCode::InvalidToken),
        Refusal::InsufficientScope { ask, missing, .. } => Insufficient { ask, missing },
        Refusal::LoginTooOld { ask, max_age } => Stale { ask, max_age: *max_age },
        // No challenge: whoever follows one would log in for nothing.
        Refusal::Denied { id, .. } | Refusal::OutOfReach { id, .. } => {
            JsonRpc(StatusCode::FORBIDDEN, json_rpc::FORBIDDEN, id.as_ref())
        }
        Refusal::KeysUnavailable | Refusal::RevocationsUnavailable => Unavailable,
        Refusal::AmbiguousHost => JsonRpc(StatusCode::BAD_REQUEST, json_rpc::INVALID_REQUEST, None),
        Refusal::ForeignHost | Refusal::ForeignOrigin => {
            JsonRpc(StatusCode::FORBIDDEN, json_rpc::INVALID_REQUEST, None)
        }
        Refusal::BodyTooLarge { .. } => {
            JsonRpc(StatusCode::PAYLOAD_TOO_LARGE, json_rpc::INVALID_REQUEST, None)
        }
        Refusal::BodyUnreadable | Refusal::BodyEncoding => {
            JsonRpc(StatusCode::BAD_REQUEST, json_rpc::PARSE_ERROR, None)
        }
        Refusal::Body(error) => JsonRpc(StatusCode::BAD_REQUEST, error.code(), None),
        Refusal::Nameless { id, .. } => {
            JsonRpc(StatusCode::BAD_REQUEST, json_rpc::INVALID_PARAMS, id.as_ref())
        }
        Refusal::HeaderMismatch { id, .. } => {
            JsonRpc(StatusCode::BAD_REQUEST, json_rpc::HEADER_MISMATCH, id.as_ref())
        }
    }
}

pub(crate) fn respond(refusal: &Refusal, challenger: &Challenger<'_>) -> Response {
    tracing::debug!(%refusal, "refused");
    let mut response = match kind(refusal) {
        Kind::Unauthenticated => {
            let challenge = challenger.challenge(challenger.login_scopes);
            let body = json!({
                "error": "unauthorized",
                "error_description": refusal.to_string(),
                "resource_metadata": challenger.resource_metadata,
            });
            challenged(StatusCode::UNAUTHORIZED, &challenge, Json(body))
        }
        Kind::OAuth(code) => {
            let error = OAuthError::new(code, refusal.to_string());
            let said = Said { error, missing_scope: None };
            said.respond(challenger.challenge(challenger.login_scopes))
        }
        Kind::Insufficient { ask, missing } => {
            let error = OAuthError::new(ErrorCode::InsufficientScope, refusal.to_string());
            let said = Said { error, missing_scope: Some(missing) };
            said.respond(challenger.challenge(ask))
        }
        Kind::Stale { ask, max_age } => {
            let error = OAuthError::new(ErrorCode::InsufficientUserAuthentication, refusal.to_string());
            let max_age = max_age.as_secs().to_string();
            let said = Said { error, missing_scope: None };
            said.respond(challenger.challenge(ask).with("max_age", max_age))
        }
        Kind::JsonRpc(status, code, id) => json_rpc::error_response(status, code, refusal, id),
        Kind::Unavailable => {
            let error = OAuthError::new(ErrorCode::TemporarilyUnavailable, refusal.to_string());
            let retry = [(http::header::RETRY_AFTER, "1")];
            (StatusCode::SERVICE_UNAVAILABLE, retry, Json(error)).into_response()
        }
    };
    let no_store = HeaderValue::from_static("no-store");
    response.headers_mut().insert(CACHE_CONTROL, no_store);
    response
}

/// The body of an error, and what a program can read out of it.
#[derive(Serialize)]
struct Said<'a> {
    #[serde(flatten)]
    error: OAuthError,
    /// What the token lacks. The challenge's `scope` is what to ask for, which is more.
    #[serde(skip_serializing_if = "Option::is_none")]
    missing_scope: Option<&'a ScopeSet>,
}

impl Said<'_> {
    fn respond(self, challenge: Challenge) -> Response {
        let description = self.error.error_description.clone().unwrap_or_default();
        let challenge =
            challenge.with("error", self.error.error.as_str()).with("error_description", description);
        challenged(self.error.status(), &challenge, Json(self))
    }
}

impl Challenger<'_> {
    fn challenge(&self, scopes: &ScopeSet) -> Challenge {
        let challenge =
            Challenge::bearer().with("realm", self.realm).with("resource_metadata", self.resource_metadata);
        if scopes.is_empty() { challenge } else { challenge.with("scope", scopes.to_string()) }
    }
}

fn challenged(status: StatusCode, challenge: &Challenge, body: impl IntoResponse) -> Response {
    let mut response = (status, body).into_response();
    response.headers_mut().insert(WWW_AUTHENTICATE, challenge.to_header_value());
    response
}
