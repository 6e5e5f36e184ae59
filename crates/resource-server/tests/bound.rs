//! Tokens that are bound to a key: DPoP (RFC 9449) and certificates (RFC 8705), through the layer.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // Tests fail by panicking.

mod support;

use std::pin::Pin;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use hallpass_protocol::challenge::parse_challenges;
use hallpass_protocol::dpop::Proof;
use hallpass_protocol::jose::SigningKey;
use hallpass_protocol::secret::Secret;
use hallpass_protocol::time::Timestamp;
use hallpass_resource_server::dpop::Dpop;
use hallpass_resource_server::replays::{Memory, Once, Replays, Seen};
use hallpass_resource_server::{NonceKey, PeerCertificate, Refusal};
use http::{Method, Request, StatusCode};
use serde_json::{Value, json};
use support::{NOW, Protected, RESOURCE, protect_with, text};

fn protect(dpop: Option<Dpop>) -> Protected {
    protect_with(|settings| {
        settings.policy = support::policy();
        settings.dpop = dpop;
    })
}

fn bound(server: &Protected, cnf: &Value) -> String {
    let mut claims = server.issuer.claims(RESOURCE, "notes:read", NOW);
    claims["cnf"] = cnf.clone();
    server.issuer.sign(&claims)
}

/// A proof with one thing changed.
struct Made<'a> {
    key: &'a SigningKey,
    method: Method,
    url: &'a str,
    token: Option<&'a str>,
    nonce: Option<&'a str>,
    id: &'a str,
    now: Timestamp,
}

impl<'a> Made<'a> {
    fn new(key: &'a SigningKey, token: &'a str, id: &'a str) -> Self {
        Self { key, method: Method::POST, url: RESOURCE, token: Some(token), nonce: None, id, now: NOW }
    }

    fn sign(&self) -> String {
        let token = self.token.map(Secret::new);
        let url = self.url.parse().unwrap();
        let Self { method, nonce, id, now, .. } = self;
        let proof =
            Proof { method, url: &url, access_token: token.as_ref(), nonce: *nonce, jti: id, now: *now };
        proof.sign(self.key).unwrap()
    }
}

async fn send(server: &Protected, scheme: &str, token: &str, proofs: &[&str]) -> Response {
    let mut request = Request::post("/mcp").header("authorization", format!("{scheme} {token}"));
    for proof in proofs {
        request = request.header("dpop", *proof);
    }
    server.send(request.body(Body::from("{}")).unwrap()).await
}

/// The code of the DPoP challenge, or of the Bearer challenge.
fn code(response: &Response, scheme: &str) -> Option<String> {
    let challenges = parse_challenges(response.headers());
    challenges.iter().find(|one| one.is(scheme)).and_then(|one| one.error()).map(str::to_owned)
}

#[tokio::test]
async fn a_bound_token_is_good_with_a_proof_and_only_once_for_each() {
    let server = protect(Some(Dpop::default()));
    let key = SigningKey::generate_es256().unwrap();
    let token = bound(&server, &json!({"jkt": key.thumbprint()}));
    let proof = Made::new(&key, &token, "1").sign();
    let response = send(&server, "DPoP", &token, &[&proof]).await;
    assert_eq!(text(response).await, "alice:{}");
    let response = send(&server, "DPoP", &token, &[&proof]).await;
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(code(&response, "DPoP").as_deref(), Some("invalid_dpop_proof"));
    assert_eq!(code(&response, "Bearer"), None);
    let second = Made::new(&key, &token, "2").sign();
    assert_eq!(send(&server, "dpop", &token, &[&second]).await.status(), StatusCode::OK);
    // The id of one key is nothing to another.
    let other = SigningKey::generate_es256().unwrap();
    let others = bound(&server, &json!({"jkt": other.thumbprint()}));
    let proof = Made::new(&other, &others, "1").sign();
    assert_eq!(send(&server, "DPoP", &others, &[&proof]).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn each_way_of_not_holding_the_key_is_refused() {
    let server = protect(Some(Dpop::default()));
    let key = SigningKey::generate_es256().unwrap();
    let token = bound(&server, &json!({"jkt": key.thumbprint()}));
    let unbound = server.token("notes:read");
    let thief = SigningKey::generate_es256().unwrap();
    let made = || Made::new(&key, &token, "x");
    let proof = made().sign();
    for (what, scheme, token, proofs, status, error) in [
        ("as Bearer", "Bearer", &token, vec![], 401, "invalid_token"),
        ("as Bearer, with a proof", "Bearer", &token, vec![proof.clone()], 401, "invalid_token"),
        ("no proof", "DPoP", &token, vec![], 401, "invalid_dpop_proof"),
        ("two proofs", "DPoP", &token, vec![proof.clone(), proof.clone()], 400, "invalid_request"),
        ("another key", "DPoP", &token, vec![Made::new(&thief, &token, "x").sign()], 401, "invalid_token"),
        (
            "another method",
            "DPoP",
            &token,
            vec![Made { method: Method::GET, ..made() }.sign()],
            401,
            "invalid_dpop_proof",
        ),
        (
            "another URL",
            "DPoP",
            &token,
            vec![Made { url: "https://evil.example/mcp", ..made() }.sign()],
            401,
            "invalid_dpop_proof",
        ),
        (
            "another path",
            "DPoP",
            &token,
            vec![Made { url: "https://mcp.example.com/mcp2", ..made() }.sign()],
            401,
            "invalid_dpop_proof",
        ),
        (
            "no token in it",
            "DPoP",
            &token,
            vec![Made { token: None, ..made() }.sign()],
            401,
            "invalid_dpop_proof",
        ),
        (
            "another token in it",
            "DPoP",
            &token,
            vec![Made { token: Some("t"), ..made() }.sign()],
            401,
            "invalid_dpop_proof",
        ),
        (
            "too old",
            "DPoP",
            &token,
            vec![Made { now: NOW.before(Duration::from_secs(300)), ..made() }.sign()],
            401,
            "invalid_dpop_proof",
        ),
        (
            "of the future",
            "DPoP",
            &token,
            vec![Made { now: NOW.after(Duration::from_secs(301)), ..made() }.sign()],
            401,
            "invalid_dpop_proof",
        ),
        ("no proof at all", "DPoP", &token, vec!["garbage".to_owned()], 401, "invalid_dpop_proof"),
        (
            "a token that is not bound",
            "DPoP",
            &unbound,
            vec![Made::new(&key, &unbound, "x").sign()],
            401,
            "invalid_token",
        ),
    ] {
        let proofs: Vec<&str> = proofs.iter().map(String::as_str).collect();
        let response = send(&server, scheme, token, &proofs).await;
        assert_eq!(response.status().as_u16(), status, "{what}");
        let of = if error == "invalid_request" { "Bearer" } else { scheme };
        assert_eq!(code(&response, of).as_deref(), Some(error), "{what}");
        assert_eq!(parse_challenges(response.headers())[0].scheme, "Bearer", "{what}");
    }
    // None of these used the proof up.
    assert_eq!(send(&server, "DPoP", &token, &[&proof]).await.status(), StatusCode::OK);
}

/// RFC 9449 §9.
#[tokio::test]
async fn a_nonce_is_asked_for_and_given() {
    let server = protect(Some(Dpop { nonces: true, ..Dpop::default() }));
    let key = SigningKey::generate_es256().unwrap();
    let token = bound(&server, &json!({"jkt": key.thumbprint()}));
    let mut nonce: Option<String> = None;
    for (id, expected) in [("1", 401), ("2", 200), ("3", 200)] {
        let proof = Made { nonce: nonce.as_deref(), ..Made::new(&key, &token, id) }.sign();
        let response = send(&server, "DPoP", &token, &[&proof]).await;
        assert_eq!(response.status().as_u16(), expected);
        if expected == 401 {
            assert_eq!(code(&response, "DPoP").as_deref(), Some("use_dpop_nonce"));
            nonce = Some(response.headers()["dpop-nonce"].to_str().unwrap().to_owned());
        }
    }
    let forged = Made { nonce: Some("AAAA"), ..Made::new(&key, &token, "4") }.sign();
    let response = send(&server, "DPoP", &token, &[&forged]).await;
    assert_eq!(code(&response, "DPoP").as_deref(), Some("use_dpop_nonce"));
}

#[tokio::test]
async fn a_server_may_take_bound_tokens_only_or_none() {
    let key = SigningKey::generate_es256().unwrap();
    let only = protect(Some(Dpop { required: true, ..Dpop::default() }));
    let response = only.post(&only.token("notes:read"), "{}").await;
    assert_eq!(code(&response, "Bearer").as_deref(), Some("invalid_token"));
    let token = bound(&only, &json!({"jkt": key.thumbprint()}));
    let proof = Made::new(&key, &token, "1").sign();
    assert_eq!(send(&only, "DPoP", &token, &[&proof]).await.status(), StatusCode::OK);
    assert_eq!(only.server.metadata().dpop_bound_access_tokens_required, Some(true));

    let none = protect(None);
    let token = bound(&none, &json!({"jkt": key.thumbprint()}));
    for scheme in ["DPoP", "Bearer"] {
        let response = send(&none, scheme, &token, &[&Made::new(&key, &token, "1").sign()]).await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{scheme}");
    }
    assert_eq!(none.server.metadata().dpop_signing_alg_values_supported, None);
}

/// What is not understood binds all the same, whatever the scheme.
#[tokio::test]
async fn an_unknown_binding_is_no_binding_to_ignore() {
    let server = protect(Some(Dpop::default()));
    for cnf in [json!({"jwk": {}}), json!({"kid": "x"}), json!({}), json!("x")] {
        let response = server.post(&bound(&server, &cnf), "{}").await;
        assert_eq!(code(&response, "Bearer").as_deref(), Some("invalid_token"), "{cnf}");
    }
}

/// A memory that cannot be asked.
struct Forgetful;

impl Memory for Forgetful {
    fn see<'a>(&'a self, _: Once<'a>, _: Timestamp) -> Pin<Box<dyn Future<Output = Seen> + Send + 'a>> {
        Box::pin(std::future::ready(Seen::Unknown))
    }
}

/// A memory that cannot tell refuses.
#[tokio::test]
async fn where_replays_cannot_be_told_it_is_a_503() {
    let server = protect_with(|settings| {
        settings.policy = support::policy();
        settings.dpop = Some(Dpop::default());
        settings.replays = Replays::new(Forgetful);
    });
    let key = SigningKey::generate_es256().unwrap();
    let token = bound(&server, &json!({"jkt": key.thumbprint()}));
    let proof = Made::new(&key, &token, "1").sign();
    assert_eq!(send(&server, "DPoP", &token, &[&proof]).await.status(), StatusCode::SERVICE_UNAVAILABLE);
}

/// RFC 8705 §3.
#[tokio::test]
async fn a_token_bound_to_a_certificate() {
    let server = protect(None);
    let certificate = |name: &str| {
        let path = format!("{}/tests/certificates/{name}.der", env!("CARGO_MANIFEST_DIR"));
        rustls_pki_types::CertificateDer::from(std::fs::read(path).unwrap())
    };
    let thumbprint = {
        use base64::Engine;
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &certificate("foreign"));
        base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(digest)
    };
    let token = bound(&server, &json!({"x5t#S256": thumbprint}));
    for (shown, expected) in [(None, 401), (Some("agent"), 401), (Some("foreign"), 200)] {
        let mut request = Request::post("/mcp")
            .header("authorization", format!("Bearer {token}"))
            .body(Body::from("{}"))
            .unwrap();
        if let Some(name) = shown {
            request.extensions_mut().insert(PeerCertificate(certificate(name)));
        }
        assert_eq!(server.send(request).await.status().as_u16(), expected, "{shown:?}");
    }
    // Without HTTP nothing shows who holds the key.
    assert!(matches!(server.server.authenticate(&token).await, Err(Refusal::OtherCertificate)));
}

/// Two replicas that share a memory and the key of their nonces are one: a nonce of either is good at both, and a proof at
/// the first of them alone.
#[tokio::test]
async fn replicas_take_each_others_nonces_and_no_proof_twice() {
    let (nonces, replays) = (NonceKey::shared(&[7; 32]), Replays::default());
    let replica = || {
        protect_with(|settings| {
            settings.policy = support::policy();
            settings.dpop = Some(Dpop { nonces: true, ..Dpop::default() });
            (settings.nonces, settings.replays) = (nonces.clone(), replays.clone());
        })
    };
    let (one, mut other) = (replica(), replica());
    other.issuer = hallpass_testkit::issuer::TestIssuer {
        issuer: one.issuer.issuer.clone(),
        key: one.issuer.key.clone(),
    };
    *other.keys.write().unwrap() = std::sync::Arc::new(one.issuer.keys());
    let key = SigningKey::generate_es256().unwrap();
    let token = bound(&one, &json!({"jkt": key.thumbprint()}));
    let asked = send(&one, "DPoP", &token, &[&Made::new(&key, &token, "1").sign()]).await;
    assert_eq!(code(&asked, "DPoP").as_deref(), Some("use_dpop_nonce"));
    let nonce = asked.headers()["dpop-nonce"].to_str().unwrap();
    let proof = Made { nonce: Some(nonce), ..Made::new(&key, &token, "2") }.sign();
    assert_eq!(send(&other, "DPoP", &token, &[&proof]).await.status(), StatusCode::OK);
    let again = send(&one, "DPoP", &token, &[&proof]).await;
    assert_eq!(code(&again, "DPoP").as_deref(), Some("invalid_dpop_proof"));
}

/// A server that has a second name, such as the one for clients that show certificates (RFC 8705 §5).
#[tokio::test]
async fn a_proof_is_for_one_of_the_names_that_the_server_was_given() {
    let server = protect_with(|settings| {
        settings.policy = support::policy();
        settings.dpop = Some(Dpop::default());
        settings.aliases = vec!["https://mtls.example.com:8443".parse().unwrap()];
    });
    let key = SigningKey::generate_es256().unwrap();
    let token = bound(&server, &json!({"jkt": key.thumbprint()}));
    for (id, url, status) in [
        ("1", RESOURCE, StatusCode::OK),
        ("2", "https://mtls.example.com:8443/mcp", StatusCode::OK),
        ("3", "https://mtls.example.com/mcp", StatusCode::UNAUTHORIZED),
        ("4", "https://mtls.example.com:8443/other", StatusCode::UNAUTHORIZED),
        ("5", "https://evil.example/mcp", StatusCode::UNAUTHORIZED),
    ] {
        let proof = Made { url, ..Made::new(&key, &token, id) }.sign();
        assert_eq!(send(&server, "DPoP", &token, &[&proof]).await.status(), status, "{url}");
    }
    // One memory for all names.
    let proof = Made { url: "https://mtls.example.com:8443/mcp", ..Made::new(&key, &token, "1") }.sign();
    assert_eq!(send(&server, "DPoP", &token, &[&proof]).await.status(), StatusCode::UNAUTHORIZED);
}
