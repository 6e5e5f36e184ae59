//! `/security_events`: another's word of what has happened to somebody (RFC 8935, OpenID Shared Signals Framework 1.0).

use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hallpass_protocol::jose::JoseError;
use hallpass_protocol::oauth_error::{ErrorCode, OAuthError};
use http::header::{CONTENT_LANGUAGE, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};
use serde_json::json;

use super::Server;
use super::oauth_answer::{self, RefusedRequest};
use crate::audit::{AuditKind, By, NewEvent};
use crate::grants::storage;
use crate::signals::{NotTold, SignalRefused, signalled};

pub(super) const PATH: &str = "/security_events";

/// RFC 8935 §2.2: 202 where it is done, or there was nobody whom it is about; §2.3: 400 where a rule is broken.
pub(super) async fn post(State(server): State<Server>, headers: HeaderMap, body: Bytes) -> Response {
    if !is_secevent(&headers) {
        return refused("invalid_request", "the body has to be application/secevent+jwt".to_owned());
    }
    let Ok(token) = std::str::from_utf8(&body) else {
        return refused("invalid_request", "the body is no security event token".to_owned());
    };
    match signalled(&server, token.trim_ascii()).await {
        Ok(signalled) => {
            for user_id in &signalled.people {
                let event = NewEvent::new(AuditKind::LoggedOut).user(user_id).detail("session revoked");
                server.store.record(event.by(&By::Issuer(signalled.issuer.clone())));
            }
            StatusCode::ACCEPTED.into_response()
        }
        Err(SignalRefused::Store(failed) | SignalRefused::Told(NotTold::Store(failed))) => {
            tracing::error!(error = %failed, "the store failed");
            oauth_answer::error(&storage())
        }
        // Not a word about the event: the transmitter sends it again.
        Err(SignalRefused::Told(NotTold::Unreachable)) => {
            let says = NotTold::Unreachable.to_string();
            oauth_answer::error(&OAuthError::new(ErrorCode::TemporarilyUnavailable, says))
        }
        Err(error) => refused(code(&error), error.to_string()),
    }
}

/// RFC 8935 §2.1.
fn is_secevent(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/secevent+jwt")
}

/// RFC 8935 §2.4.
fn code(error: &SignalRefused) -> &'static str {
    match error {
        SignalRefused::Told(NotTold::Issuer) => "invalid_issuer",
        SignalRefused::Told(NotTold::Token(error)) => match error {
            JoseError::WrongAudience | JoseError::MissingAudience => "invalid_audience",
            JoseError::WrongIssuer | JoseError::MissingIssuer => "invalid_issuer",
            JoseError::BadSignature | JoseError::UnknownKey(_) | JoseError::AmbiguousKey(_) => "invalid_key",
            _ => "invalid_request",
        },
        SignalRefused::Anothers => "access_denied",
        _ => "invalid_request",
    }
}

fn refused(code: &'static str, description: String) -> Response {
    tracing::info!(error = code, description, "a security event was refused");
    let body = json!({ "err": code, "description": description });
    // RFC 8935 §2.3: the language of the description is said.
    let mut answer = oauth_answer::json(StatusCode::BAD_REQUEST, &body);
    answer.headers_mut().insert(CONTENT_LANGUAGE, http::HeaderValue::from_static("en"));
    let error = OAuthError::new(ErrorCode::Other(code.to_owned()), description);
    answer.extensions_mut().insert(RefusedRequest { error, client: None });
    answer
}
