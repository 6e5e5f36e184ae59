//! `/.well-known/oauth-protected-resource`, and what browsers may do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // Tests fail by panicking.

mod support;

use axum::body::Body;
use hallpass_protocol::resource::ResourceIdentifier;
use hallpass_protocol::resource_metadata::ProtectedResourceMetadata;
use http::{Request, StatusCode};
use support::{RESOURCE, protect, protect_with, text};

const PATHS: [&str; 2] =
    ["/.well-known/oauth-protected-resource/mcp", "/.well-known/oauth-protected-resource"];

fn request(method: &str, path: &str) -> http::request::Builder {
    Request::builder().method(method).uri(path).header("origin", "https://inspector.example")
}

/// Some clients ask only the one, some only the other.
#[tokio::test]
async fn at_the_path_and_at_the_root() {
    let server = protect();
    for path in PATHS {
        let response = server.send(request("GET", path).body(Body::empty()).unwrap()).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "application/json");
        assert_eq!(response.headers()["cache-control"], "public, max-age=300");
        assert_eq!(response.headers()["access-control-allow-origin"], "*");
        let metadata: ProtectedResourceMetadata = serde_json::from_str(&text(response).await).unwrap();
        assert_eq!(metadata.resource, RESOURCE);
        assert_eq!(metadata.authorization_servers, ["https://login.example.com"]);
        assert_eq!(metadata.scopes_supported.as_deref(), Some(&["notes:read".to_owned()][..]));
        assert_eq!(metadata.bearer_methods_supported.as_deref(), Some(&["header".to_owned()][..]));
        assert_eq!(metadata.resource_name.as_deref(), Some("Notes"));
    }
}

#[tokio::test]
async fn head_and_preflight() {
    let server = protect();
    for path in PATHS {
        let response = server.send(request("HEAD", path).body(Body::empty()).unwrap()).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(text(response).await, "");
        let preflight = request("OPTIONS", path)
            .header("access-control-request-method", "GET")
            .header("access-control-request-headers", "mcp-protocol-version");
        let response = server.send(preflight.body(Body::empty()).unwrap()).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["access-control-allow-headers"], "mcp-protocol-version");
    }
}

/// An extension: `docs/public-client-id.md`.
#[tokio::test]
async fn a_shared_client_is_published_for_its_issuer_and_nothing_is_said_without_one() {
    let path = PATHS[0];
    for (client_id, expected) in [
        (Some("native"), serde_json::json!({"https://login.example.com": "native"})),
        (None, serde_json::Value::Null),
    ] {
        let server = protect_with(|settings| {
            settings.issuers[0].public_client_id = client_id.map(str::to_owned);
        });
        let response = server.send(request("GET", path).body(Body::empty()).unwrap()).await;
        let metadata: serde_json::Value = serde_json::from_str(&text(response).await).unwrap();
        assert_eq!(metadata["public_client_id"], expected);
    }
}

/// A slash more or less sends some clients into a loop.
#[tokio::test]
async fn a_server_at_the_root() {
    let server = protect_with(|settings| {
        settings.resource = ResourceIdentifier::parse("https://mcp.example.com/").unwrap();
    });
    let path = "/.well-known/oauth-protected-resource";
    let response = server.send(request("GET", path).body(Body::empty()).unwrap()).await;
    let metadata: ProtectedResourceMetadata = serde_json::from_str(&text(response).await).unwrap();
    assert_eq!(metadata.resource, "https://mcp.example.com");
}

/// The endpoint answers a preflight without asking for a token, and lets pages read what they need.
#[tokio::test]
async fn the_endpoint_in_a_browser() {
    let server = protect();
    let preflight = request("OPTIONS", "/mcp")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization,mcp-session-id,mcp-param-region");
    let response = server.send(preflight.body(Body::empty()).unwrap()).await;
    assert_eq!(response.status(), StatusCode::OK);
    let allowed = response.headers()["access-control-allow-headers"].to_str().unwrap().to_owned();
    assert!(allowed.contains("authorization") && allowed.contains("mcp-param-region"), "{allowed}");
    let response = server.send(request("POST", "/mcp").body(Body::empty()).unwrap()).await;
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    let exposed = response.headers()["access-control-expose-headers"].to_str().unwrap();
    for name in ["www-authenticate", "mcp-session-id", "mcp-protocol-version"] {
        assert!(exposed.contains(name), "{exposed}");
    }
}
