//! An address that is there, with a method that it does not take (RFC 9110 §15.5.6). What it takes stands in `Allow`.

use axum::response::{IntoResponse, Response};
use hallpass_protocol::oauth_error::{ErrorCode, OAuthError};
use http::header::ACCEPT;
use http::{HeaderMap, Method, StatusCode, Uri};

use super::oauth_answer::json;
use crate::pages::{Problem, shown};

/// A page for people, JSON for programs.
pub(super) async fn answer(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let path = shown(uri.path());
    let accepts = headers.get(ACCEPT).and_then(|kinds| kinds.to_str().ok()).unwrap_or_default();
    if accepts.contains("text/html") {
        return Problem::wrong_method(&path).into_response();
    }
    let what = format!("{path} does not take {method}; the header Allow says what it takes");
    json(StatusCode::METHOD_NOT_ALLOWED, &OAuthError::new(ErrorCode::InvalidRequest, what))
}
