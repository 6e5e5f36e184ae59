//! Which access tokens are taken, through the layer. One table, and the life of a remembered token.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // Tests fail by panicking.

mod support;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use hallpass_protocol::jose::{SigningKey, VerifyingKeys};
use hallpass_resource_server::Revocations;
use hallpass_testkit::forgeries::{Forgery, Good, faults, forgeries};
use hallpass_testkit::issuer::TestIssuer;
use http::{Request, StatusCode};
use serde_json::{Value, json};
use support::{NOW, Protected, RESOURCE, challenge, protect, protect_with, text};

/// Good claims with one of them changed.
fn claims(server: &Protected, name: &str, value: Value) -> Value {
    let mut claims = server.issuer.claims(RESOURCE, "notes:read", NOW);
    claims[name] = value;
    claims
}

/// What a token is and why it is refused: rows 16 to 23, 26, 38.
fn bad_tokens(server: &Protected) -> Vec<Forgery> {
    let good = server.token("notes:read");
    let key = &server.issuer.key;
    let all = server.issuer.claims(RESOURCE, "notes:read", NOW);
    let mut table =
        forgeries(&Good { token: &good, public: key.public_jwk(), key: Some(key), huge: 1 << 20 });
    for fault in faults(&all, &["iss", "sub", "aud", "exp", "iat", "jti", "client_id"]) {
        table.push(Forgery { row: fault.row, what: fault.what, is: server.issuer.sign(&fault.is) });
    }
    for typ in ["JWT", "logout+jwt", "dpop+jwt"] {
        table.push(Forgery { row: 22, what: format!("typ {typ}"), is: key.sign(typ, &all).unwrap() });
    }
    let origin = server.issuer.token("https://mcp.example.com", "notes:read", NOW);
    table.push(Forgery { row: 26, what: "the origin as audience".to_owned(), is: origin });
    table
}

#[tokio::test]
async fn bad_tokens_are_refused() {
    let server = protect();
    for Forgery { row, what, is: token } in bad_tokens(&server) {
        let what = format!("row {row}: {what}");
        let response = server.post(&token, "{}").await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{what}");
        let challenge = challenge(&response);
        assert_eq!(challenge.param("error"), Some("invalid_token"), "{what}");
        assert!(challenge.param("error_description").is_some_and(|text| !text.is_empty()), "{what}");
        let body = text(response).await;
        assert!(!body.contains(&token), "{what}: {body}");
    }
    assert_eq!(server.post(&server.token("notes:read"), "{}").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn good_tokens_are_taken() {
    let server = protect();
    let now = NOW.unix();
    for (what, claims) in [
        ("as it is", claims(&server, "aud", json!(RESOURCE))),
        ("one audience of several", claims(&server, "aud", json!(["https://a.example", RESOURCE]))),
        ("within the leeway", claims(&server, "exp", json!(now - 29))),
        ("a clock ahead", claims(&server, "nbf", json!(now + 29))),
    ] {
        let response = server.post(&server.issuer.sign(&claims), "{}").await;
        assert_eq!(response.status(), StatusCode::OK, "{what}");
        assert_eq!(text(response).await, "alice:{}", "{what}");
    }
}

/// Whoever it is: with trusted keys or without, a stranger is not taken for a friend.
#[tokio::test]
async fn an_untrusted_issuer_is_named_as_such() {
    let server = protect();
    let elsewhere = claims(&server, "iss", json!("https://other.example.com"));
    let response = server.post(&server.issuer.sign(&elsewhere), "{}").await;
    assert!(text(response).await.contains("does not trust"));
}

/// Row 36.
#[tokio::test]
async fn two_authorization_fields_are_refused() {
    let server = protect();
    let token = server.token("notes:read");
    for second in [format!("Bearer {token}"), "Basic YTpi".to_owned()] {
        let request = Request::post("/mcp")
            .header("authorization", format!("Bearer {token}"))
            .header("authorization", second);
        let response = server.send(request.body(Body::from("{}")).unwrap()).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
        assert_eq!(challenge(&response).param("error"), Some("invalid_request"));
    }
}

#[tokio::test]
async fn a_token_in_the_query_is_refused() {
    let server = protect();
    let token = server.token("notes:read");
    let uri = format!("/mcp?access_token={token}");
    let response = server.send(Request::post(&uri).body(Body::empty()).unwrap()).await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    assert!(!text(response).await.contains(&token));
}

/// A token that was taken once is remembered, and dies in time all the same.
#[tokio::test]
async fn a_remembered_token_expires() {
    let server = protect();
    let token = server.token("notes:read");
    assert_eq!(server.post(&token, "{}").await.status(), StatusCode::OK);
    server.clock.advance(Duration::from_secs(629));
    assert_eq!(server.post(&token, "{}").await.status(), StatusCode::OK);
    server.clock.advance(Duration::from_secs(1));
    let response = server.post(&token, "{}").await;
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(challenge(&response).param("error"), Some("invalid_token"));
}

#[tokio::test]
async fn a_revoked_token_is_refused_remembered_or_not() {
    let server = protect();
    let token = server.token("notes:read");
    assert_eq!(server.post(&token, "{}").await.status(), StatusCode::OK);
    server.revoked.write().unwrap().insert("token-1".to_owned());
    assert_eq!(server.post(&token, "{}").await.status(), StatusCode::UNAUTHORIZED);
    let fresh = server.token("notes:read");
    let response = server.post(&fresh, "{}").await;
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert!(text(response).await.contains("revoked"));
}

/// A good token, while the memory of revocations is out of date.
#[tokio::test]
async fn where_revocations_are_not_known_it_is_a_503() {
    let server = protect_with(|settings| settings.revocations = Revocations::uncertain(|_| None));
    let response = server.post(&server.token("notes:read"), "{}").await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(response.headers().contains_key("retry-after"));
    assert!(text(response).await.contains("revoked"));
}

/// A key that is withdrawn takes the tokens along that were verified with it.
#[tokio::test]
async fn keys_are_asked_for_again() {
    let server = protect();
    let old = server.token("notes:read");
    assert_eq!(server.post(&old, "{}").await.status(), StatusCode::OK);
    let next =
        TestIssuer { issuer: server.issuer.issuer.clone(), key: SigningKey::generate_es256().unwrap() };
    *server.keys.write().unwrap() = Arc::new(next.keys());
    assert_eq!(server.post(&old, "{}").await.status(), StatusCode::UNAUTHORIZED);
    let new = next.token(RESOURCE, "notes:read", NOW);
    assert_eq!(server.post(&new, "{}").await.status(), StatusCode::OK);
}

/// Nobody who calls is to blame, and nothing is let in.
#[tokio::test]
async fn without_keys_it_is_a_503() {
    let server = protect();
    *server.keys.write().unwrap() = Arc::new(VerifyingKeys::default());
    let response = server.post(&server.token("notes:read"), "{}").await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(response.headers().contains_key("retry-after"));
    assert!(!response.headers().contains_key("www-authenticate"));
}

/// The memory of tokens has an end, and what falls out of it is verified again.
#[tokio::test]
async fn more_tokens_than_are_remembered() {
    let server = support::protect_with(|settings| settings.remembered_tokens = 4);
    for round in 0..3 {
        for n in 0..40 {
            let mut claims = claims(&server, "jti", json!(format!("{n}")));
            claims["sub"] = json!(format!("user-{n}"));
            let response = server.post(&server.issuer.sign(&claims), "{}").await;
            assert_eq!(text(response).await, format!("user-{n}:{{}}"), "{round}");
        }
    }
}

/// Without HTTP: the verifier alone.
#[tokio::test]
async fn a_token_that_came_by_another_way() {
    let server = protect();
    let verified = server.server.verify(&server.token("notes:read")).unwrap();
    assert_eq!(verified.caller().client_id(), "test-client");
    assert!(server.server.verify("x").is_err());
}
