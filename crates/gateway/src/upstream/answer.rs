//! What upstream's answer may say to the client.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::header::{ALT_SVC, LOCATION, SET_COOKIE, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, StatusCode};
use serde_json::json;
use url::Url;

use super::headers::{is_hop_by_hop, keep_fields, named_by_connection};

/// Passes an answer on. Who may call, and from which pages, is said by hallpass alone:
///
/// - A 401 of upstream is about credentials that the client doesn't have and can't get. Passed on, it
///   would send the client to log in again, for ever. It is the operator's to mend.
/// - A redirect would lead the client around the gateway, to an address it may not even reach.
/// - Cookies would live beside hallpass's own, under the same name of host.
pub(super) fn clean(mut response: Response) -> Response {
    let status = response.status();
    if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::PROXY_AUTHENTICATION_REQUIRED) {
        tracing::error!(%status, "the upstream server asks for credentials; let it trust the gateway");
        return bad_gateway(
            "the MCP server behind this gateway asks for credentials of its own; its operator has to mend that",
        );
    }
    if let Some(location) = response.headers().get(LOCATION).filter(|_| status.is_redirection()) {
        let to = origin_of(location);
        tracing::error!(%status, to, "the upstream server redirects; set its URL to where it leads");
        return bad_gateway(
            "the MCP server behind this gateway redirects to another address; its operator has to mend that",
        );
    }
    let named = named_by_connection(response.headers());
    keep_fields(response.headers_mut(), |name| !is_hop_by_hop(name, &named) && !is_hallpasss_to_say(name));
    response
}

/// For the log: what comes after may hold a key.
fn origin_of(location: &HeaderValue) -> String {
    let url = location.to_str().ok().and_then(|text| Url::parse(text).ok());
    url.map_or_else(|| "another path".to_owned(), |url| url.origin().ascii_serialization())
}

/// Who may call, and from which pages: `Access-Control-…` is said by the gateway, which knows.
fn is_hallpasss_to_say(name: &HeaderName) -> bool {
    matches!(*name, WWW_AUTHENTICATE | SET_COOKIE | ALT_SVC) || name.as_str().starts_with("access-control-")
}

/// Upstream cannot be reached, or says what cannot be passed on.
pub(crate) fn bad_gateway(description: &str) -> Response {
    let body = json!({ "error": "bad_gateway", "error_description": description });
    (StatusCode::BAD_GATEWAY, Json(body)).into_response()
}
