//! The one place where a refusal becomes an HTTP answer.

use axum::Json;
use axum::response::{IntoResponse, Response};
use hallpass_protocol::challenge::Challenge;
use hallpass_protocol::oauth_error::{ErrorCode, OAuthError};
use hallpass_protocol::scope::ScopeSet;
use http::header::{CACHE_CONTROL, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
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
    OAuth(ErrorCode, Option<&'a ScopeSet>),
    /// Refused before any credential was looked at, or for the body's sake: JSON-RPC 2.0 §5.1.
    JsonRpc(StatusCode, i64, Option<&'a Id>),
    /// This server's own trouble.
    Unavailable,
}

fn kind(refusal: &Refusal) -> Kind<'_> {
    use Kind::{JsonRpc, OAuth, Unauthenticated, Unavailable};
    match refusal {
        Refusal::NoCredential | Refusal::OtherScheme => Unauthenticated,
        Refusal::SeveralCredentials | Refusal::MalformedCredential | Refusal::TokenInQuery => {
            OAuth(ErrorCode::InvalidRequest, None)
        }
        Refusal::Token(_) | Refusal::UntrustedIssuer | Refusal::Revoked => {
            OAuth(ErrorCode::InvalidToken, None)
        }
        Refusal::InsufficientScope { needed, .. } => OAuth(ErrorCode::InsufficientScope, Some(needed)),
        Refusal::KeysUnavailable => Unavailable,
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
        Refusal::NamelessTool { id } => {
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
        Kind::OAuth(code, scopes) => {
            let status = code.status();
            let error = OAuthError::new(code, refusal.to_string());
            let description = error.error_description.clone().unwrap_or_default();
            let challenge = challenger
                .challenge(scopes.unwrap_or(challenger.login_scopes))
                .with("error", error.error.as_str())
                .with("error_description", description);
            challenged(status, &challenge, Json(error))
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
