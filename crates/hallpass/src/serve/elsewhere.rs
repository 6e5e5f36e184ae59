//! A server with a host of its own, whose users log in at the public URL. Clients of MCP 2025-03-26 know no protected resource
//! metadata and look for an authorization server at the server's own origin: they are sent to where it is.

use axum::Router;
use axum::extract::RawQuery;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use hallpass_protocol::Issuer;
use hallpass_resource_server::cors;
use http::header::LOCATION;
use http::{HeaderValue, StatusCode};
use url::form_urlencoded;

const METADATA: &str = "/.well-known/oauth-authorization-server";

/// The way to the authorization server, from the origin of that resource.
pub(super) fn router(issuer: &Issuer, resource: &str) -> Router {
    let at = |path: &str| format!("{}{path}", issuer.as_str().trim_end_matches('/'));
    // RFC 8414 §3.1: where the issuer has a path, that comes last.
    let metadata = issuer.metadata_urls().first().map_or_else(|| at(METADATA), ToString::to_string);
    let (token, register) = (at("/token"), at("/register"));
    let (authorize, resource) = (at("/authorize"), resource.to_owned());
    let authorize = async move |RawQuery(query): RawQuery| {
        to(StatusCode::FOUND, &with_resource(&authorize, query, &resource))
    };
    // MCP 2025-03-26, "Fallbacks for Servers without Metadata Discovery". 307 keeps method and body.
    const SAME: StatusCode = StatusCode::TEMPORARY_REDIRECT;
    Router::new()
        .route(METADATA, get(async move || to(SAME, &metadata)).layer(cors::document()))
        .route("/authorize", get(authorize))
        .route("/token", any(async move || to(SAME, &token)).layer(cors::endpoint()))
        .route("/register", any(async move || to(SAME, &register)).layer(cors::endpoint()))
}

/// Such clients know no resource indicators either (RFC 8707), and a token for another server would be of no use here. What
/// they say themselves goes on as it is: the other side judges it.
fn with_resource(authorize: &str, query: Option<String>, resource: &str) -> String {
    let query = query.unwrap_or_default();
    if form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name == "resource") {
        return format!("{authorize}?{query}");
    }
    let own = form_urlencoded::Serializer::new(String::new()).append_pair("resource", resource).finish();
    match query.is_empty() {
        true => format!("{authorize}?{own}"),
        false => format!("{authorize}?{query}&{own}"),
    }
}

fn to(status: StatusCode, location: &str) -> Response {
    match HeaderValue::try_from(location) {
        Ok(location) => (status, [(LOCATION, location)]).into_response(),
        Err(_) => StatusCode::BAD_REQUEST.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_names_no_resource_means_the_server_that_was_asked() {
        let with = |query: &str| {
            with_resource("https://a.example/authorize", Some(query.to_owned()), "https://b.example/mcp")
        };
        let own = "resource=https%3A%2F%2Fb.example%2Fmcp";
        assert_eq!(with(""), format!("https://a.example/authorize?{own}"));
        assert_eq!(with("state=a%20b"), format!("https://a.example/authorize?state=a%20b&{own}"));
        assert_eq!(with("resource=x&state=1"), "https://a.example/authorize?resource=x&state=1");
        assert_eq!(with("r%65source=x"), "https://a.example/authorize?r%65source=x");
    }
}
