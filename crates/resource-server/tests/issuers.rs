//! Several issuers, keys that are fetched, and opaque tokens that are asked about.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // Tests fail by panicking.

mod support;

use std::time::Duration;

use axum::response::Response;
use futures_util::future::join_all;
use hallpass_guarded_fetch::{Fetcher, Policy as FetchPolicy};
use hallpass_protocol::issuer::Issuer;
use hallpass_protocol::jose::{Algorithm, JoseError, JwkSet, SigningKey};
use hallpass_protocol::secret::Secret;
use hallpass_resource_server::{
    Introspection, IntrospectionClient, Keys, Refusal, RemoteKeys, Settings, TrustedIssuer,
};
use hallpass_testkit::clock::FakeClock;
use hallpass_testkit::issuer::TestIssuer;
use hallpass_testkit::upstream::{Upstream, plain};
use http::{HeaderValue, StatusCode};
use serde_json::{Value, json};
use support::{NOW, Protected, RESOURCE, protect_with, text};

fn fetcher() -> Fetcher {
    let policy =
        FetchPolicy { allow_loopback: true, timeout: Duration::from_secs(5), ..FetchPolicy::default() };
    Fetcher::new(policy).unwrap()
}

/// An issuer on this machine.
async fn issuer() -> (Upstream, TestIssuer) {
    let server = Upstream::start().await;
    let url = server.url("/");
    let issuer = TestIssuer::new(url.as_str().trim_end_matches('/'));
    (server, issuer)
}

fn metadata(issuer: &Issuer) -> Response {
    let text = json!({
        "issuer": issuer, "jwks_uri": format!("{issuer}/jwks"),
        "introspection_endpoint": format!("{issuer}/introspect"),
    });
    plain(StatusCode::OK, text.to_string())
}

fn jwks(keys: &[&SigningKey], cache: &'static str) -> Response {
    let set = JwkSet { keys: keys.iter().map(|key| key.public_jwk()).collect() };
    let mut response = plain(StatusCode::OK, serde_json::to_string(&set).unwrap());
    response.headers_mut().insert("cache-control", HeaderValue::from_static(cache));
    response
}

fn trusting(issuer: &Issuer) -> impl FnOnce(&mut Settings) {
    let issuer = issuer.clone();
    move |settings| {
        let clock = settings.clock.clone();
        let keys = RemoteKeys::discovered(issuer.clone(), &[Algorithm::ES256], fetcher(), clock);
        settings.issuers.push(TrustedIssuer::new(issuer, Keys::fetched(keys)));
    }
}

fn asked(server: &Upstream) -> Vec<String> {
    server.received().iter().map(|request| request.target.path().to_owned()).collect()
}

#[tokio::test]
async fn keys_are_found_kept_and_fetched_again_for_a_key_that_is_new() {
    let (server, issuer) = issuer().await;
    let protected = protect_with(trusting(&issuer.issuer));
    server.answer(metadata(&issuer.issuer));
    server.answer(jwks(&[&issuer.key], "max-age=3600"));
    let token = issuer.token(RESOURCE, "", NOW);
    for _ in 0..3 {
        assert_eq!(text(protected.post(&token, "{}").await).await, "alice:{}");
    }
    assert_eq!(asked(&server), ["/.well-known/oauth-authorization-server", "/jwks"]);
    // Both issuers are in force, and each for itself.
    assert_eq!(protected.post(&protected.token(""), "{}").await.status(), StatusCode::OK);
    assert_eq!(protected.server.metadata().authorization_servers.len(), 2);

    // A key that is new is fetched at once, once for all who bring it.
    let next = TestIssuer { issuer: issuer.issuer.clone(), key: SigningKey::generate_es256().unwrap() };
    server.answer(metadata(&issuer.issuer));
    server.answer(jwks(&[&issuer.key, &next.key], "max-age=3600"));
    let tokens: Vec<_> = (0..8).map(|_| next.token(RESOURCE, "", NOW)).collect();
    for response in join_all(tokens.iter().map(|new| protected.post(new, "{}"))).await {
        assert_eq!(response.status(), StatusCode::OK);
    }
    assert_eq!(server.received().len(), 4);
    // However many strangers name keys: the rest of four in a row, then one in ten seconds.
    let before = server.received().len();
    for _ in 0..20 {
        let stranger =
            TestIssuer { issuer: issuer.issuer.clone(), key: SigningKey::generate_es256().unwrap() };
        let forged = stranger.token(RESOURCE, "", NOW);
        assert_eq!(protected.post(&forged, "{}").await.status(), StatusCode::UNAUTHORIZED);
    }
    let metadata_urls = issuer.issuer.metadata_urls().len();
    assert_eq!(server.received().len(), before + 2 * metadata_urls);
    assert_eq!(protected.post(&token, "{}").await.status(), StatusCode::OK);
}

/// No valid token is refused while the issuer is down, and no invalid one let in.
#[tokio::test]
async fn keys_are_kept_through_an_outage() {
    let (server, issuer) = issuer().await;
    let protected = protect_with(trusting(&issuer.issuer));
    server.answer(metadata(&issuer.issuer));
    server.answer(jwks(&[&issuer.key], "max-age=60"));
    let mut claims = issuer.claims(RESOURCE, "", NOW);
    claims["exp"] = json!(NOW.after(Duration::from_secs(100_000)));
    let token = issuer.sign(&claims);
    assert_eq!(protected.post(&token, "{}").await.status(), StatusCode::OK);
    let stranger = TestIssuer { issuer: issuer.issuer.clone(), key: SigningKey::generate_es256().unwrap() };
    for _ in 0..10 {
        protected.clock.advance(Duration::from_secs(3600));
        server.answer(plain(StatusCode::BAD_GATEWAY, "down"));
        assert_eq!(protected.post(&token, "{}").await.status(), StatusCode::OK);
        let forged = stranger.sign(&claims);
        assert_eq!(protected.post(&forged, "{}").await.status(), StatusCode::UNAUTHORIZED);
    }
}

/// At the start, not at the first token.
#[tokio::test]
async fn a_program_can_ask_for_the_keys_before_anybody_comes() {
    let (server, issuer) = issuer().await;
    let clock = FakeClock::at(NOW);
    let keys = RemoteKeys::discovered(issuer.issuer.clone(), &Algorithm::ALL, fetcher(), clock.clock());
    for _ in issuer.issuer.metadata_urls() {
        server.answer(plain(StatusCode::NOT_FOUND, "no"));
    }
    let error = keys.fetch_now().await.unwrap_err().to_string();
    assert!(error.contains(issuer.issuer.as_str()) && error.contains("404"), "{error}");
    assert!(keys.current().is_empty());
    server.answer(metadata(&issuer.issuer));
    server.answer(jwks(&[&issuer.key], ""));
    keys.fetch_now().await.unwrap();
    assert!(!keys.current().is_empty());
}

#[tokio::test]
async fn without_keys_from_the_start_it_is_a_503() {
    let (server, issuer) = issuer().await;
    for answer in [
        plain(StatusCode::NOT_FOUND, ""),
        metadata(&Issuer::parse("https://evil.example").unwrap()),
        plain(StatusCode::OK, "no json"),
    ] {
        let protected = protect_with(trusting(&issuer.issuer));
        server.answer(answer);
        // The second place where OpenID providers say it.
        server.answer(plain(StatusCode::NOT_FOUND, ""));
        let response = protected.post(&issuer.token(RESOURCE, "", NOW), "{}").await;
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    }
}

fn asking(issuer: &Issuer, change: impl FnOnce(&mut Introspection)) -> Protected {
    let client = IntrospectionClient::Secret { id: "r s".into(), secret: Secret::new("s:1") };
    let mut introspection = Introspection::new(issuer.clone(), client, fetcher());
    introspection.endpoint = Some(format!("{issuer}/introspect").parse().unwrap());
    change(&mut introspection);
    protect_with(|settings| settings.introspection = Some(introspection))
}

fn active(change: Value) -> Response {
    let mut answer = json!({
        "active": true, "sub": "bob", "client_id": "c", "aud": RESOURCE, "scope": "notes:read",
        "exp": NOW.unix() + 600,
    });
    for (name, value) in change.as_object().unwrap() {
        match value {
            Value::Null => drop(answer.as_object_mut().unwrap().remove(name)),
            value => answer[name] = value.clone(),
        }
    }
    plain(StatusCode::OK, answer.to_string())
}

#[tokio::test]
async fn an_opaque_token_is_asked_about_and_remembered_for_a_while() {
    let (server, issuer) = issuer().await;
    let protected = asking(&issuer.issuer, |_| {});
    server.answer(active(json!({})));
    for _ in 0..3 {
        assert_eq!(text(protected.post("opaque", "{}").await).await, "bob:{}");
    }
    let request = server.received().remove(0);
    assert_eq!(request.headers["authorization"], "Basic citzOnMlM0Ex");
    assert!(String::from_utf8_lossy(&request.body).contains("token=opaque"), "{:?}", request.body);
    assert_eq!(server.received().len(), 1);
    // After its time it is asked about again; what is not active any more is refused.
    protected.clock.advance(Duration::from_secs(60));
    server.answer(plain(StatusCode::OK, r#"{"active":false}"#));
    for _ in 0..3 {
        assert_eq!(protected.post("opaque", "{}").await.status(), StatusCode::UNAUTHORIZED);
    }
    assert_eq!(server.received().len(), 2);
    protected.clock.advance(Duration::from_secs(10));
    server.answer(active(json!({})));
    assert_eq!(protected.post("opaque", "{}").await.status(), StatusCode::OK);
    // JWTs are verified as before, and nobody is asked.
    assert_eq!(protected.post(&protected.token(""), "{}").await.status(), StatusCode::OK);
    assert_eq!(server.received().len(), 3);
}

/// Row 32: what is active at its issuer must also be for here and now; and never longer than `exp`.
#[tokio::test]
async fn an_active_token_is_judged_all_the_same() {
    let (server, issuer) = issuer().await;
    let now = NOW.unix();
    for (change, expected) in [
        (json!({}), 200),
        (json!({"aud": ["https://a.example", RESOURCE]}), 200),
        (json!({"sub": null}), 200),
        (json!({"exp": null}), 200),
        (json!({"iss": issuer.issuer}), 200),
        (json!({"aud": "https://other.example"}), 401),
        (json!({"aud": null}), 401),
        (json!({"aud": 7}), 401),
        (json!({"exp": now}), 401),
        (json!({"exp": "soon"}), 401),
        (json!({"nbf": now + 31}), 401),
        (json!({"iss": "https://other.example"}), 401),
        (json!({"client_id": null}), 401),
        // Refresh and ID tokens are no access tokens, whatever the issuer calls them.
        (json!({"token_use": "refresh_token"}), 401),
        (json!({"token_type": "refresh_token"}), 401),
        (json!({"typ": "Refresh"}), 401),
        (json!({"typ": "Offline"}), 401),
        (json!({"typ": "ID"}), 401),
        (json!({"token_type": "Bearer", "token_use": "access_token", "typ": "Bearer"}), 200),
        (json!({"active": false}), 401),
        (json!({"active": "true"}), 503),
        (json!({"active": null}), 503),
        (json!({"cnf": {"jkt": "x"}}), 401),
    ] {
        let protected = asking(&issuer.issuer, |_| {});
        server.answer(active(change.clone()));
        assert_eq!(protected.post("opaque", "{}").await.status().as_u16(), expected, "{change}");
    }
    let protected = asking(&issuer.issuer, |_| {});
    server.answer(active(json!({"exp": now + 5})));
    assert_eq!(protected.post("opaque", "{}").await.status(), StatusCode::OK);
    protected.clock.advance(Duration::from_secs(5));
    server.answer(active(json!({"exp": now + 5})));
    assert_eq!(protected.post("opaque", "{}").await.status(), StatusCode::UNAUTHORIZED);
    let lenient = asking(&issuer.issuer, |settings| settings.audience_required = false);
    server.answer(active(json!({"aud": null})));
    assert_eq!(lenient.post("opaque", "{}").await.status(), StatusCode::OK);
}

/// What holds for an issuer's JWTs holds for its opaque tokens.
#[tokio::test]
async fn an_opaque_token_of_another_tenant_is_not_taken() {
    let (server, issuer) = issuer().await;
    for (tenant, expected) in [("acme", 200), ("umbrella", 401)] {
        let protected = asking(&issuer.issuer, |settings| {
            settings.claims.tenant = Some("tid".to_owned());
            settings.claims.tenants = vec!["acme".to_owned()];
        });
        server.answer(active(json!({"tid": tenant})));
        assert_eq!(protected.post("opaque", "{}").await.status().as_u16(), expected, "{tenant}");
    }
}

/// What another party revokes is heard of as soon as the last answer is not believed any more. Where a token said when it
/// ends, its end is told from its revocation.
#[tokio::test]
async fn an_opaque_token_is_asked_about_again_for_as_long_as_a_stream_lasts() {
    let (server, issuer) = issuer().await;
    let inactive = || plain(StatusCode::OK, r#"{"active":false}"#);
    for (exp, wait, expected) in [
        (json!(NOW.unix() + 600), 60, "revoked"),
        (json!(NOW.unix() + 60), 60, "expired"),
        (json!(null), 60, "revoked"),
    ] {
        let protected = asking(&issuer.issuer, |_| {});
        server.answer(active(json!({"exp": exp})));
        let verified = protected.server.authenticate("opaque").await.unwrap();
        let before = server.received().len();
        protected.clock.advance(Duration::from_secs(wait - 1));
        protected.server.recheck(&verified).await.unwrap();
        assert_eq!(server.received().len(), before, "the answer is believed");
        protected.clock.advance(Duration::from_secs(1));
        server.answer(inactive());
        let refusal = protected.server.recheck(&verified).await.unwrap_err();
        let said = match refusal {
            Refusal::Inactive => "revoked",
            Refusal::Token(JoseError::Expired) => "expired",
            other => panic!("{other}"),
        };
        assert_eq!((said, server.received().len()), (expected, before + 1), "{exp}");
    }
}

/// An issuer that fails is left alone for a while, and nobody is let in meanwhile.
#[tokio::test]
async fn an_issuer_that_fails_is_left_alone() {
    let (server, issuer) = issuer().await;
    let protected = asking(&issuer.issuer, |_| {});
    (0..5).for_each(|_| server.answer(plain(StatusCode::INTERNAL_SERVER_ERROR, "")));
    for n in 0..20 {
        let response = protected.post(&format!("opaque{n}"), "{}").await;
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(response.headers().contains_key("retry-after"));
    }
    assert_eq!(server.received().len(), 5);
    protected.clock.advance(Duration::from_secs(10));
    server.answer(active(json!({})));
    assert_eq!(protected.post("opaque", "{}").await.status(), StatusCode::OK);
}

/// One caller's odd tokens keep nobody else out.
#[tokio::test]
async fn an_issuer_that_answers_is_not_left_alone() {
    let (server, issuer) = issuer().await;
    let protected = asking(&issuer.issuer, |_| {});
    (0..20).for_each(|_| server.answer(plain(StatusCode::BAD_REQUEST, "")));
    for n in 0..20 {
        let response = protected.post(&format!("odd{n}"), "{}").await;
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    }
    server.answer(active(json!({})));
    assert_eq!(protected.post("opaque", "{}").await.status(), StatusCode::OK);
}

/// RFC 7523 §2.2, and where the endpoint comes from the issuer's metadata. Row 48: the audience is the issuer.
#[tokio::test]
async fn who_asks_may_show_itself_by_a_key() {
    let (server, issuer) = issuer().await;
    let key = SigningKey::generate_es256().unwrap();
    let protected = asking(&issuer.issuer, |settings| {
        settings.endpoint = None;
        settings.client = IntrospectionClient::PrivateKey { id: "rs".into(), key };
    });
    server.answer(metadata(&issuer.issuer));
    server.answer(active(json!({})));
    assert_eq!(protected.post("opaque", "{}").await.status(), StatusCode::OK);
    let request = server.received().remove(1);
    assert_eq!(request.target.path(), "/introspect");
    let form: Vec<(String, String)> = url::form_urlencoded::parse(&request.body).into_owned().collect();
    let assertion = &form.iter().find(|(name, _)| name == "client_assertion").unwrap().1;
    let jwt = hallpass_protocol::UnverifiedJwt::parse(assertion).unwrap();
    assert_eq!(jwt.unverified_claims()["aud"], issuer.issuer.as_str());
    assert_eq!(jwt.unverified_issuer(), Some("rs"));
}

/// Row 19: what is too long for a token is not even asked about.
#[tokio::test]
async fn a_huge_opaque_token_is_not_asked_about() {
    let (server, issuer) = issuer().await;
    let protected = asking(&issuer.issuer, |_| {});
    assert_eq!(protected.post(&"a".repeat(1 << 20), "{}").await.status(), StatusCode::UNAUTHORIZED);
    assert!(server.received().is_empty());
}
