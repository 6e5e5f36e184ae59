//! What a client is told when it may not pass.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // Tests fail by panicking.

mod support;

use axum::body::Body;
use http::{Request, StatusCode};
use serde_json::{Value, json};
use support::{NOW, RESOURCE, challenge, protect, protect_with, scopes, text};

const METADATA: &str = "https://mcp.example.com/.well-known/oauth-protected-resource/mcp";

/// RFC 6750 §3.1: no error code where nothing was sent; RFC 9728 §5.1; MCP "Scope Selection".
#[tokio::test]
async fn without_a_credential() {
    let server = protect();
    for credential in [None, Some("Basic YTpi")] {
        let mut request = Request::post("/mcp");
        if let Some(credential) = credential {
            request = request.header("authorization", credential);
        }
        let response = server.send(request.body(Body::from("{}")).unwrap()).await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(response.headers()["cache-control"], "no-store");
        let challenge = challenge(&response);
        assert!(challenge.is("Bearer"));
        assert_eq!(challenge.realm(), Some(RESOURCE));
        assert_eq!(challenge.resource_metadata(), Some(METADATA));
        // MCP 2026-07-28, "Refresh Tokens": offline_access is no requirement of a resource.
        assert_eq!(challenge.scope(), Some(scopes("notes:read")));
        assert_eq!(challenge.error(), None);
        let body: Value = serde_json::from_str(&text(response).await).unwrap();
        assert_eq!(body["resource_metadata"], METADATA);
        assert!(body["error_description"].as_str().unwrap().contains("token"));
    }
}

/// RFC 6750 §3.1: everything that the operation needs, at once.
#[tokio::test]
async fn with_too_few_scopes() {
    let server = protect();
    let write = r#"{"id":1,"method":"tools/call","params":{"name":"write_note"}}"#;
    for (scope, body, needed) in [
        ("", "{}", "notes:read"),
        ("notes:read", write, "notes:read notes:write"),
        ("notes:write", write, "notes:write notes:read"),
        // What the token has is asked for again; what is between client and authorization server is not.
        ("notes:read notes:admin offline_access", write, "notes:read notes:admin notes:write"),
    ] {
        let response = server.post(&server.token(scope), body).await;
        assert_eq!(response.status(), StatusCode::FORBIDDEN);
        let challenge = challenge(&response);
        assert_eq!(challenge.error(), Some("insufficient_scope"));
        assert_eq!(challenge.resource_metadata(), Some(METADATA));
        assert_eq!(challenge.scope(), Some(scopes(needed)), "{scope}");
        let missing = scopes(needed).difference(&scopes(scope)).to_string();
        let body: Value = serde_json::from_str(&text(response).await).unwrap();
        assert_eq!(body["missing_scope"], missing, "{scope}");
    }
    let response = server.post(&server.token("notes:read notes:write"), write).await;
    assert_eq!(text(response).await, format!("alice:{write}"));
}

/// Rows 45 and 46, at the door.
#[tokio::test]
async fn bodies_that_cannot_be_judged() {
    let server = protect();
    let token = server.token("notes:read");
    for (body, code) in [
        (r#"{"method":"tools/list","method":"tools/call","params":{"name":"write_x"}}"#.to_owned(), -32600),
        (r#"{"method":"tools/call","params":{"name":"list","name":"write_x"}}"#.to_owned(), -32600),
        ("not json".to_owned(), -32700),
        (format!("{{\"x\":{}", "[".repeat(100_000)), -32700),
        (r#"{"id":3,"method":"tools/call","params":{}}"#.to_owned(), -32602),
    ] {
        let response = server.post(&token, body.clone()).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{body:.80}");
        let error: Value = serde_json::from_str(&text(response).await).unwrap();
        assert_eq!(error["error"]["code"], code, "{body:.80}");
    }
    let batch =
        r#"[{"id":1,"method":"tools/list"},{"id":2,"method":"tools/call","params":{"name":"write_x"}}]"#;
    assert_eq!(server.post(&token, batch).await.status(), StatusCode::FORBIDDEN);
}

/// Bytes that another decoder would read as another text.
#[tokio::test]
async fn other_encodings_cannot_be_judged() {
    let server = protect();
    for (name, value) in [
        ("content-encoding", "gzip"),
        ("content-type", "application/json; charset=utf-7"),
        ("content-type", "application/json; charset=\"UTF-16\""),
        ("content-type", "application/json;charset = utf-16le"),
    ] {
        let request = Request::post("/mcp")
            .header("authorization", format!("Bearer {}", server.token("notes:read")))
            .header(name, value);
        let response = server.send(request.body(Body::from("{}")).unwrap()).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{name}: {value}");
    }
    let request = Request::post("/mcp")
        .header("authorization", format!("Bearer {}", server.token("notes:read")))
        .header("content-type", "application/json; charset=\"utf-8\"");
    assert_eq!(server.send(request.body(Body::from("{}")).unwrap()).await.status(), StatusCode::OK);
}

/// Whatever the method is called: some servers take it for a POST.
#[tokio::test]
async fn a_body_is_judged_whatever_the_method() {
    let server = protect();
    for method in ["GET", "PUT", "DELETE", "QUERY"] {
        let request = Request::builder()
            .method(method)
            .uri("/mcp")
            .header("authorization", format!("Bearer {}", server.token("notes:read")))
            .header("x-http-method-override", "POST");
        let body = Body::from(r#"{"method":"tools/call","params":{"name":"write_x"}}"#);
        assert_eq!(
            server.send(request.body(body).unwrap()).await.status(),
            StatusCode::FORBIDDEN,
            "{method}"
        );
    }
}

/// MCP 2026-07-28, streamable HTTP, "Server Validation".
#[tokio::test]
async fn mirrored_headers_must_agree() {
    let server = protect();
    for (name, value) in [("mcp-method", "tools/list"), ("mcp-name", "list_notes")] {
        let request = Request::post("/mcp")
            .header("authorization", format!("Bearer {}", server.token("notes:read notes:write")))
            .header(name, value);
        let body = Body::from(r#"{"id":9,"method":"tools/call","params":{"name":"write_x"}}"#);
        let response = server.send(request.body(body).unwrap()).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
        let error: Value = serde_json::from_str(&text(response).await).unwrap();
        assert_eq!((&error["error"]["code"], &error["id"]), (&json!(-32020), &json!(9)));
    }
}

#[tokio::test]
async fn a_body_that_is_too_long() {
    let server = protect_with(|settings| {
        settings.policy = support::policy();
        settings.body_limit = 64;
    });
    let token = server.token("notes:read");
    let body = format!(r#"{{"x":"{}"}}"#, "y".repeat(100));
    assert_eq!(server.post(&token, body.clone()).await.status(), StatusCode::PAYLOAD_TOO_LARGE);
    // The same without a length in front.
    let chunks = body.into_bytes().into_iter().map(|byte| Ok::<_, std::io::Error>(vec![byte]));
    let stream = Body::from_stream(futures_util::stream::iter(chunks));
    assert_eq!(server.post(&token, stream).await.status(), StatusCode::PAYLOAD_TOO_LARGE);
}

/// Without rules for tools nothing is read, so nothing is refused for what it says.
#[tokio::test]
async fn without_rules_for_tools_the_body_is_nobodys_business() {
    let server = protect_with(|settings| settings.body_limit = 1);
    let token = server.issuer.token(RESOURCE, "", NOW);
    assert_eq!(text(server.post(&token, "not json").await).await, "alice:not json");
}

/// offline_access is asked for by no challenge, whatever is wrong with the token.
#[tokio::test]
async fn a_bad_token_is_no_reason_to_ask_for_offline_access() {
    let server = protect();
    let response = server.post("no-token-at-all", "{}").await;
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    let challenge = challenge(&response);
    assert_eq!(challenge.error(), Some("invalid_token"));
    assert_eq!(challenge.scope(), Some(scopes("notes:read")));
}
