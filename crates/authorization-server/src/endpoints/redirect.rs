//! Redirects: inside this server, and back to the client.

use axum::response::{IntoResponse, Response};
use hallpass_protocol::issuer::Issuer;
use hallpass_protocol::oauth_error::OAuthError;
use hallpass_protocol::redirect::RedirectUri;
use http::header::{CACHE_CONTROL, LOCATION, REFERRER_POLICY};
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::checks::Proven;

/// RFC 9700 §4.12: 303, which never sends a form on.
pub(crate) fn see_other(location: &str) -> Response {
    let mut headers = HeaderMap::new();
    match HeaderValue::from_str(location) {
        Ok(location) => headers.insert(LOCATION, location),
        Err(_) => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    };
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    (StatusCode::SEE_OTHER, headers).into_response()
}

/// The answer to a client: at a proven redirect URI, with `state` as it came, and with `iss` (RFC 9207 §2) always.
pub(crate) struct ToClient<'a> {
    redirect: &'a RedirectUri,
    state: Option<&'a str>,
    issuer: &'a Issuer,
}

impl<'a> ToClient<'a> {
    pub(crate) fn new(proven: &'a Proven, state: Option<&'a str>, issuer: &'a Issuer) -> Self {
        Self { redirect: proven.redirect(), state, issuer }
    }

    pub(crate) fn code(&self, code: &str) -> Response {
        see_other(&self.location([Some(("code", code)), None]))
    }

    pub(crate) fn error(&self, error: &OAuthError) -> Response {
        see_other(&self.error_location(error))
    }

    /// Where the browser brings the error to the client.
    pub(super) fn error_location(&self, error: &OAuthError) -> String {
        let (code, description) = (error.error.as_str(), error.error_description.as_deref());
        tracing::info!(error = code, description, "an authorization request was refused");
        let description = description.map(|text| ("error_description", text));
        self.location([Some(("error", code)), description])
    }

    fn location(&self, answer: [Option<(&str, &str)>; 2]) -> String {
        let state = self.state.map(|state| ("state", state));
        let issuer = Some(("iss", self.issuer.as_str()));
        let parameters = answer.into_iter().chain([state, issuer]).flatten();
        self.redirect.with_params(parameters)
    }
}
