//! `/.well-known/oauth-protected-resource`, and what browsers may do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // Tests fail by panicking.

mod support;

use axum::body::Body;
use hallpass_protocol::jose::{Algorithm, JwkSet, SigningKey, UnverifiedJwt, VerifyingKeys};
use hallpass_protocol::resource::ResourceIdentifier;
use hallpass_protocol::resource_metadata::ProtectedResourceMetadata;
use hallpass_resource_server::{MetadataSigner, Refusal};
use http::{Request, StatusCode};
use support::{NOW, RESOURCE, challenge, protect, protect_with, text};
use tower::ServiceExt;

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

/// RFC 9728 §2.2: the members as claims, and who says so; a client that knows the key can tell.
#[tokio::test]
async fn signed_metadata_says_the_same() {
    let key = SigningKey::generate_es256().unwrap();
    let server = protect_with(|settings| {
        settings.metadata_signer = Some(MetadataSigner { issuer: RESOURCE.to_owned(), key: key.clone() });
    });
    let response = server.send(request("GET", PATHS[0]).body(Body::empty()).unwrap()).await;
    let mut metadata: serde_json::Value = serde_json::from_str(&text(response).await).unwrap();
    let signed = metadata.as_object_mut().unwrap().remove("signed_metadata").unwrap();
    let keys = VerifyingKeys::from_jwk_set(&JwkSet { keys: vec![key.public_jwk()] }, &[Algorithm::ES256]);
    let jwt = UnverifiedJwt::parse(signed.as_str().unwrap()).unwrap();
    assert!(keys.contains(jwt.kid(), Algorithm::ES256));
    assert_eq!(jwt.unverified_issuer(), Some(RESOURCE));
    let mut claims = serde_json::Value::from(jwt.unverified_claims().clone());
    for added in ["iss", "iat"] {
        claims.as_object_mut().unwrap().remove(added).unwrap();
    }
    assert_eq!(claims, metadata);
}

/// Many servers behind one host: each has metadata of its own at its path, and its challenge leads there. A token for one is
/// refused at the other (row 26).
#[tokio::test]
async fn several_servers_of_one_host() {
    let other = "https://mcp.example.com/mail/mcp";
    let servers = [RESOURCE, other].map(|resource| {
        protect_with(|settings| settings.resource = ResourceIdentifier::parse(resource).unwrap())
    });
    let router = hallpass_resource_server::metadata::router(servers.iter().map(|server| &server.server));
    for (path, resource) in [
        ("/.well-known/oauth-protected-resource/mcp", RESOURCE),
        ("/.well-known/oauth-protected-resource/mail/mcp", other),
        ("/.well-known/oauth-protected-resource", RESOURCE),
    ] {
        let request = request("GET", path).body(Body::empty()).unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        let metadata: ProtectedResourceMetadata = serde_json::from_str(&text(response).await).unwrap();
        assert_eq!(metadata.resource, resource, "{path}");
    }
    for (server, resource) in servers.iter().zip([RESOURCE, other]) {
        let refused = server.server.refuse(&Refusal::NoCredential);
        let named = challenge(&refused).param("resource_metadata").unwrap().to_owned();
        let path = resource.strip_prefix("https://mcp.example.com").unwrap();
        assert_eq!(named, format!("https://mcp.example.com/.well-known/oauth-protected-resource{path}"));
        for audience in [RESOURCE, other] {
            let token = server.issuer.token(audience, "notes:read", NOW);
            assert_eq!(
                server.server.verify(&token).is_ok(),
                audience == resource,
                "{audience} at {resource}"
            );
        }
    }
}

/// A slash more or less sends some clients into a loop: whichever an issuer writes is taken.
#[tokio::test]
async fn a_server_at_the_root() {
    let server = protect_with(|settings| {
        settings.resource = ResourceIdentifier::parse("https://mcp.example.com/").unwrap();
    });
    let path = "/.well-known/oauth-protected-resource";
    let response = server.send(request("GET", path).body(Body::empty()).unwrap()).await;
    let metadata: ProtectedResourceMetadata = serde_json::from_str(&text(response).await).unwrap();
    assert_eq!(metadata.resource, "https://mcp.example.com");
    for (audience, taken) in [
        ("https://mcp.example.com", true),
        ("https://mcp.example.com/", true),
        ("https://mcp.example.com//", false),
        ("https://mcp.example.com/mcp", false),
    ] {
        let token = server.issuer.token(audience, "notes:read", NOW);
        assert_eq!(server.server.verify(&token).is_ok(), taken, "{audience}");
    }
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
