//! The one place where a refusal becomes an HTTP answer.

use std::time::Duration;

use axum::Json;
use axum::response::{IntoResponse, Response};
use hallpass_protocol::challenge::Challenge;
use hallpass_protocol::dpop::{self, ProofError};
use hallpass_protocol::oauth_error::{ErrorCode, OAuthError};
use hallpass_protocol::scope::ScopeSet;
use http::header::{CACHE_CONTROL, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use serde_json::json;

use crate::json_rpc::{self, Id};
use crate::refusal::Refusal;
use crate::rule::BrokenRule;

/// What a challenge says beside the error.
pub(crate) struct Challenger<'a> {
    pub(crate) realm: &'a str,
    pub(crate) resource_metadata: &'a str,
    /// What a first login asks for.
    pub(crate) login_scopes: &'a ScopeSet,
    /// DPoP, where it is offered.
    pub(crate) dpop: Option<Challenge>,
    /// A nonce for it (RFC 9449 §8).
    pub(crate) nonce: Option<String>,
    /// Further schemes.
    pub(crate) others: Vec<Challenge>,
}

enum Kind<'a> {
    /// RFC 6750 §3.1: no error code where no credential was understood.
    Unauthenticated,
    /// RFC 6750 §3.1.
    OAuth(ErrorCode),
    /// RFC 9449 §7.1: the code stands in the DPoP challenge alone.
    Dpop(&'static str),
    /// RFC 9470 §3, `insufficient_user_authentication`.
    Stale { ask: &'a ScopeSet, max_age: Duration },
    /// RFC 6750 §3.1, `insufficient_scope`.
    Insufficient { ask: &'a ScopeSet, missing: &'a ScopeSet },
    /// Refused before any credential was looked at, or for the body's sake: JSON-RPC 2.0 §5.1.
    JsonRpc(StatusCode, i64, Option<&'a Id>),
    /// RFC 6585 §4. No challenge: a password that is asked for anew would not be looked at either.
    Later(Duration),
    /// This server's own trouble.
    Unavailable,
}

fn kind(refusal: &Refusal) -> Kind<'_> {
    use Kind::{Dpop, Insufficient, JsonRpc, Later, OAuth, Stale, Unauthenticated, Unavailable};
    match refusal {
        Refusal::NoCredential
        | Refusal::OtherScheme
        | Refusal::UnknownCertificate
        | Refusal::WrongPassword
        | Refusal::StaleNonce
        | Refusal::PlainPassword => Unauthenticated,
        Refusal::SeveralCredentials
        | Refusal::MalformedCredential
        | Refusal::TokenInQuery
        | Refusal::MalformedCertificate
        | Refusal::Digest(_)
        | Refusal::OtherTarget
        | Refusal::Proof(ProofError::Several) => OAuth(ErrorCode::InvalidRequest),
        Refusal::Token(_)
        | Refusal::UntrustedIssuer
        | Refusal::UntrustedTenant
        | Refusal::Revoked
        | Refusal::Inactive
        | Refusal::NotHandedOn
        | Refusal::NotAgreed { .. }
        | Refusal::UnknownBinding
        | Refusal::SentAsBearer
        | Refusal::BoundOnly
        | Refusal::OtherCertificate
        | Refusal::UnknownKey => OAuth(ErrorCode::InvalidToken),
        Refusal::NotBound | Refusal::OtherKey => Dpop("invalid_token"),
        Refusal::NoProof | Refusal::Proof(_) | Refusal::ReplayedProof => Dpop("invalid_dpop_proof"),
        Refusal::NonceNeeded => Dpop(dpop::USE_NONCE),
        Refusal::InsufficientScope { ask, missing, .. } => Insufficient { ask, missing },
        // Whoever logs in again, links anew.
        Refusal::NotLinked { missing, .. } if missing.is_empty() => OAuth(ErrorCode::InvalidToken),
        Refusal::NotLinked { ask, missing, .. } => Insufficient { ask, missing },
        Refusal::LoginTooOld { ask, max_age } => Stale { ask, max_age: *max_age },
        // No challenge: whoever follows one would log in for nothing.
        Refusal::Denied { id, .. } | Refusal::OutOfReach { id, .. } | Refusal::Unpermitted { id, .. } => {
            JsonRpc(StatusCode::FORBIDDEN, json_rpc::FORBIDDEN, id.as_ref())
        }
        Refusal::NothingBehind => JsonRpc(StatusCode::FORBIDDEN, json_rpc::FORBIDDEN, None),
        Refusal::TooManyGuesses { wait } => Later(*wait),
        Refusal::KeysUnavailable
        | Refusal::RevocationsUnavailable
        | Refusal::IntrospectionUnavailable
        | Refusal::AccountsUnavailable
        | Refusal::ReplaysUnavailable
        | Refusal::ThirdPartyUnavailable { .. }
        | Refusal::Busy => Unavailable,
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

pub(crate) fn respond(refusal: &Refusal, challenger: Challenger<'_>) -> Response {
    // Names in it come from strangers: quoted, so that none makes a line of its own.
    tracing::debug!(refusal = ?refusal.to_string(), "refused");
    let login = challenger.login_scopes;
    let mut response = match kind(refusal) {
        Kind::Unauthenticated => {
            let body = json!({
                "error": "unauthorized",
                "error_description": refusal.to_string(),
                "resource_metadata": challenger.resource_metadata,
            });
            let bearer = challenger.bearer(login);
            challenger.challenged(StatusCode::UNAUTHORIZED, bearer, Json(body))
        }
        Kind::OAuth(code) => {
            let error = OAuthError::new(code, refusal.to_string());
            Said { error, missing_scope: None }.respond(challenger.bearer(login), challenger)
        }
        Kind::Dpop(code) => {
            let error = OAuthError::new(ErrorCode::from(code), refusal.to_string());
            let description = error.error_description.clone().unwrap_or_default();
            let said = Json(Said { error, missing_scope: None });
            let bearer = challenger.bearer(login);
            let with = |dpop: Challenge| dpop.with("error", code).with("error_description", description);
            let dpop = challenger.dpop.clone().map(with);
            Challenger { dpop, ..challenger }.challenged(StatusCode::UNAUTHORIZED, bearer, said)
        }
        Kind::Insufficient { ask, missing } => {
            let error = OAuthError::new(ErrorCode::InsufficientScope, refusal.to_string());
            Said { error, missing_scope: Some(missing) }.respond(challenger.bearer(ask), challenger)
        }
        Kind::Stale { ask, max_age } => {
            let error = OAuthError::new(ErrorCode::InsufficientUserAuthentication, refusal.to_string());
            let bearer = challenger.bearer(ask).with("max_age", max_age.as_secs().to_string());
            Said { error, missing_scope: None }.respond(bearer, challenger)
        }
        Kind::JsonRpc(status, code, id) => json_rpc::error_response(status, code, refusal, id),
        Kind::Later(wait) => {
            let error = OAuthError::new(ErrorCode::TemporarilyUnavailable, refusal.to_string());
            let retry = [(http::header::RETRY_AFTER, wait.as_secs().to_string())];
            (StatusCode::TOO_MANY_REQUESTS, retry, Json(error)).into_response()
        }
        Kind::Unavailable => {
            let error = OAuthError::new(ErrorCode::TemporarilyUnavailable, refusal.to_string());
            let retry = [(http::header::RETRY_AFTER, "1")];
            (StatusCode::SERVICE_UNAVAILABLE, retry, Json(error)).into_response()
        }
    };
    let no_store = HeaderValue::from_static("no-store");
    response.headers_mut().insert(CACHE_CONTROL, no_store);
    response.extensions_mut().insert(BrokenRule(refusal.rule()));
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
    fn respond(self, bearer: Challenge, challenger: Challenger<'_>) -> Response {
        let description = self.error.error_description.clone().unwrap_or_default();
        let bearer = bearer.with("error", self.error.error.as_str()).with("error_description", description);
        challenger.challenged(self.error.status(), bearer, Json(self))
    }
}

impl Challenger<'_> {
    fn bearer(&self, scopes: &ScopeSet) -> Challenge {
        let challenge =
            Challenge::bearer().with("realm", self.realm).with("resource_metadata", self.resource_metadata);
        if scopes.is_empty() { challenge } else { challenge.with("scope", scopes.to_string()) }
    }

    /// One field for each scheme, Bearer first: some clients read the first one alone. Only a 401 offers other
    /// schemes: who is known and may not needs none.
    fn challenged(self, status: StatusCode, bearer: Challenge, body: impl IntoResponse) -> Response {
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(WWW_AUTHENTICATE, bearer.to_header_value());
        if status == StatusCode::UNAUTHORIZED {
            for challenge in self.dpop.iter().chain(&self.others) {
                headers.append(WWW_AUTHENTICATE, challenge.to_header_value());
            }
            if let Some(nonce) = self.nonce.and_then(|nonce| HeaderValue::try_from(nonce).ok()) {
                headers.insert(dpop::NONCE, nonce);
            }
        }
        response
    }
}
