//! Which access tokens are taken, through the layer. One table, and the life of a remembered token.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // Tests fail by panicking.

mod support;

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::hmac;
use axum::body::Body;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hallpass_protocol::jose::{SigningKey, VerifyingKeys};
use hallpass_resource_server::Revocations;
use hallpass_testkit::issuer::TestIssuer;
use http::{Request, StatusCode};
use serde_json::{Value, json};
use support::{NOW, Protected, RESOURCE, challenge, protect, protect_with, text};

fn segment(json: &Value) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(json.to_string())
}

fn unsigned(header: &Value, claims: &Value) -> String {
    format!("{}.{}.", segment(header), segment(claims))
}

/// HS256, keyed with something public.
fn hs256(claims: &Value, kid: &str, key: &[u8]) -> String {
    let signed = format!("{}.{}", segment(&json!({"alg":"HS256","typ":"at+jwt","kid":kid})), segment(claims));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), signed.as_bytes());
    format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(tag))
}

/// Good claims with one of them changed.
fn claims(server: &Protected, name: &str, value: Value) -> Value {
    let mut claims = server.issuer.claims(RESOURCE, "notes:read", NOW);
    claims[name] = value;
    claims
}

fn without(server: &Protected, name: &str) -> Value {
    let mut claims = server.issuer.claims(RESOURCE, "notes:read", NOW);
    claims.as_object_mut().unwrap().remove(name).unwrap();
    claims
}

/// What a token is and why it is refused: rows 16, 17, 18, 20, 21, 22, 26, 38.
fn bad_tokens(server: &Protected) -> Vec<(String, String)> {
    let now = NOW.unix();
    let good = server.token("notes:read");
    let (head, signature) = good.rsplit_once('.').unwrap();
    let stranger = TestIssuer::new("https://login.example.com");
    let elsewhere = TestIssuer::new("https://other.example.com");
    let all = server.issuer.claims(RESOURCE, "notes:read", NOW);
    let public = server.issuer.key.public_jwk();
    let public_json = serde_json::to_value(&public).unwrap();
    let kid = server.issuer.key.kid();
    let point = [&public_json["x"], &public_json["y"]]
        .map(|part| BASE64_URL_SAFE_NO_PAD.decode(part.as_str().unwrap()).unwrap())
        .concat();
    let header = |extra: Value| {
        let mut header = json!({"alg":"ES256","typ":"at+jwt"});
        header.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        let other = serde_json::to_value(stranger.key.public_jwk()).unwrap();
        if header.get("jwk").is_some() {
            header["jwk"] = other;
        }
        // Signed by the stranger's key, which the header offers.
        let (_, tail) =
            stranger.sign(&all).split_once('.').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
        format!("{}.{tail}", segment(&header))
    };
    let mut table = vec![
        ("garbage", "garbage".to_owned()),
        ("three segments of garbage", "a.b.c".to_owned()),
        ("no signature", format!("{head}.")),
        ("half a signature", format!("{head}.{}", &signature[..40])),
        (
            "another's signature",
            format!("{head}.{}", stranger.token(RESOURCE, "notes:read", NOW).rsplit_once('.').unwrap().1),
        ),
        ("another key", stranger.token(RESOURCE, "notes:read", NOW)),
        ("expired", server.issuer.sign(&claims(server, "exp", json!(now - 31)))),
        ("expired long ago", server.issuer.sign(&claims(server, "exp", json!(1)))),
        ("not yet valid", server.issuer.sign(&claims(server, "nbf", json!(now + 31)))),
        ("issued in the future", server.issuer.sign(&claims(server, "iat", json!(now + 31)))),
        ("another audience", server.issuer.token("https://mcp.example.com/other", "notes:read", NOW)),
        ("the origin as audience", server.issuer.token("https://mcp.example.com", "notes:read", NOW)),
        (
            "an audience that begins alike",
            server.issuer.token("https://mcp.example.com/mcp/", "notes:read", NOW),
        ),
        ("another issuer", elsewhere.token(RESOURCE, "notes:read", NOW)),
        (
            "the issuer with a slash",
            server.issuer.sign(&claims(server, "iss", json!("https://login.example.com/"))),
        ),
        ("alg none", unsigned(&json!({"alg":"none","typ":"at+jwt"}), &all)),
        ("alg NONE", unsigned(&json!({"alg":"NONE","typ":"at+jwt","kid":kid}), &all)),
        ("no alg", unsigned(&json!({"typ":"at+jwt"}), &all)),
        ("HS256 with the public point", hs256(&all, kid, &point)),
        ("HS256 with the public JWK", hs256(&all, kid, public_json.to_string().as_bytes())),
        ("HS256 with nothing", hs256(&all, kid, b"")),
        ("an ID token", server.issuer.key.sign("JWT", &all).unwrap()),
        ("a logout token", server.issuer.key.sign("logout+jwt", &all).unwrap()),
        ("a key in the header", header(json!({"jwk":{}}))),
        (
            "a key's address in the header",
            header(json!({"jku":"https://evil.example/jwks","kid":stranger.key.kid()})),
        ),
        ("an unknown extension", header(json!({"crit":["exp"],"exp":1}))),
        (
            "ES512 for ES256",
            format!(
                "{}.{}",
                segment(&json!({"alg":"ES512","typ":"at+jwt","kid":kid})),
                good.split_once('.').unwrap().1
            ),
        ),
        ("very long", "a".repeat(1 << 20)),
    ]
    .into_iter()
    .map(|(what, token)| (what.to_owned(), token))
    .collect::<Vec<_>>();
    for name in ["iss", "sub", "aud", "exp", "iat", "jti", "client_id"] {
        table.push((format!("no {name}"), server.issuer.sign(&without(server, name))));
    }
    for name in ["exp", "iat", "nbf"] {
        for value in
            [json!("1"), json!(null), json!(1.5), json!(-1), json!(u64::MAX), json!([]), json!(1e300)]
        {
            table.push((format!("{name} {value}"), server.issuer.sign(&claims(server, name, value))));
        }
    }
    for value in [json!([]), json!({}), json!(1), json!(null), json!([RESOURCE, 1]), json!("")] {
        table.push((format!("aud {value}"), server.issuer.sign(&claims(server, "aud", value))));
    }
    table
}

#[tokio::test]
async fn bad_tokens_are_refused() {
    let server = protect();
    for (what, token) in bad_tokens(&server) {
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
