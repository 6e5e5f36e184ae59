//! What upstream is told: about the caller, and of itself.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

mod support;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::{Json, Router};
use hallpass_gateway::Upstream;
use hallpass_gateway::upstream::told::{
    ASSERTION_TYPE, AssertionClaims, Assertions, Exchanged, Exchanges, Told,
};
use hallpass_protocol::Issuer;
use hallpass_protocol::jose::{Algorithm, Expected, JwkSet, SigningKey, UnverifiedJwt, VerifyingKeys};
use hallpass_protocol::secret::Secret;
use hallpass_testkit::clock::FakeClock;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde_json::{Map, Value, json};
use support::{NOW, Protected, protect};

const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
const ISSUER: &str = "https://mcp.example.com";
const UPSTREAM: &str = "https://notes.internal";
const LIFETIME: Duration = Duration::from_secs(60);

/// Answers with the fields that arrived.
fn mirror() -> Upstream {
    let said = async |headers: HeaderMap| {
        let said = |name: &HeaderName| -> Vec<_> {
            headers.get_all(name).iter().map(|value| value.to_str().unwrap().to_owned()).collect()
        };
        Json(headers.keys().map(|name| (name.to_string(), said(name).into())).collect::<Map<_, _>>())
    };
    Upstream::service(Router::new().fallback(said))
}

async fn arrives(gateway: &Protected, request: http::request::Builder) -> Value {
    let response = gateway.send(request.body(CALL.into()).unwrap()).await;
    assert_eq!(response.status(), StatusCode::OK);
    serde_json::from_str(&support::text(response).await).unwrap()
}

/// Every field that says something about the caller.
fn about_the_caller(arrived: &Value) -> Vec<&String> {
    arrived
        .as_object()
        .unwrap()
        .keys()
        .filter(|name| name.contains("hallpass") || *name == "authorization")
        .collect()
}

#[tokio::test]
async fn by_choice_nothing() {
    let gateway = protect(mirror().telling(Told::nothing()), false);
    let arrived = arrives(&gateway, gateway.request("POST").header("x-hallpass-subject", "admin")).await;
    assert!(about_the_caller(&arrived).is_empty(), "{arrived}");
}

/// OpenID Connect Core §5.1: an address is told only where its issuer has verified it.
#[tokio::test]
async fn an_address_that_nobody_verified_is_not_told() {
    let gateway = protect(mirror(), false);
    for (verified, told) in [
        (json!(true), json!(["a@example.com"])),
        (json!(false), Value::Null),
        (json!("true"), Value::Null),
        (Value::Null, Value::Null),
    ] {
        let mut claims = gateway.issuer.claims(support::RESOURCE, "notes:read", NOW);
        claims["email"] = "a@example.com".into();
        if !verified.is_null() {
            claims["email_verified"] = verified.clone();
        }
        claims["jti"] = format!("{verified}").into();
        let arrived = arrives(&gateway, gateway.request_as(&gateway.issuer.sign(&claims), "POST")).await;
        assert_eq!(arrived["x-hallpass-email"], told, "{verified}");
    }
}

/// A credential of hallpass's own is the only thing that arrives in its field, whatever a client says there and how it
/// spells it (row 34).
#[tokio::test]
async fn a_credential_of_its_own_stands_alone() {
    let own = Told::nothing()
        .with_own("authorization".parse().unwrap(), HeaderValue::from_static("Bearer of-hallpass"))
        .with_own("x-api-key".parse().unwrap(), HeaderValue::from_static("k"));
    let gateway = protect(mirror().telling(own), false);
    let request = gateway
        .request("POST")
        .header("X_Api_Key", "mine")
        .header("x.api.key", "mine")
        .header("x-api-key-2", "other");
    let arrived = arrives(&gateway, request).await;
    assert_eq!(arrived["authorization"], json!(["Bearer of-hallpass"]));
    assert_eq!(arrived["x-api-key"], json!(["k"]));
    assert_eq!(arrived["x-api-key-2"], json!(["other"]), "another field passes");
    assert!(!arrived.to_string().contains("mine"), "{arrived}");
}

/// What the operator says in a field is said there alone, in whatever spelling: upstream never finds two words in one place.
#[tokio::test]
async fn the_operators_own_word_stands_in_place_of_hallpass_s() {
    for name in ["x-hallpass-subject", "x_hallpass_subject"] {
        let own = Told::default().with_own(name.parse().unwrap(), HeaderValue::from_static("everybody"));
        let gateway = protect(mirror().telling(own), false);
        let arrived = arrives(&gateway, gateway.request("POST").header("x-hallpass-subject", "admin")).await;
        let subjects: Vec<_> =
            about_the_caller(&arrived).into_iter().filter(|name| name.ends_with("subject")).collect();
        assert_eq!(subjects, [name]);
        assert_eq!(arrived[name], json!(["everybody"]));
        assert_eq!(arrived["x-hallpass-client"].as_array().unwrap().len(), 1);
    }
}

struct Signing {
    keys: VerifyingKeys,
    signed: Arc<AtomicUsize>,
    told: Told,
}

fn signing(field: &'static str, clock: &FakeClock) -> Signing {
    let key = SigningKey::generate_es256().unwrap();
    let keys = VerifyingKeys::from_jwk_set(&JwkSet { keys: vec![key.public_jwk()] }, &Algorithm::ALL);
    let signed = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&signed);
    let sign = move |claims: &AssertionClaims<'_>| {
        counted.fetch_add(1, Ordering::SeqCst);
        key.sign(ASSERTION_TYPE, claims).ok()
    };
    let between = (ISSUER.to_owned(), UPSTREAM.to_owned());
    let told = Told::assertion(Assertions::new(
        HeaderName::from_static(field),
        between,
        LIFETIME,
        clock.clock(),
        sign,
    ));
    Signing { keys, signed, told }
}

/// The claims of the assertion, checked as upstream would.
fn checked(signing: &Signing, token: &str, clock: &FakeClock) -> Map<String, Value> {
    let issuer = Issuer::parse(ISSUER).unwrap();
    let expected = Expected {
        issuer: &issuer,
        audience: &[UPSTREAM],
        typ: &[ASSERTION_TYPE],
        now: clock.now(),
        leeway: Duration::ZERO,
    };
    UnverifiedJwt::parse(token).unwrap().verify(&signing.keys, &expected).unwrap().into_all()
}

#[tokio::test]
async fn an_assertion_says_who_calls_and_is_used_again_for_half_its_life() {
    let clock = FakeClock::at(NOW);
    let signing = signing("x-hallpass-assertion", &clock);
    let gateway = protect(mirror().telling(signing.told.clone()), false);
    let token = |arrived: &Value| arrived["x-hallpass-assertion"][0].as_str().unwrap().to_owned();
    let arrived = arrives(&gateway, gateway.request("POST").header("x-hallpass-assertion", "forged")).await;
    assert_eq!(arrived["x-hallpass-assertion"].as_array().unwrap().len(), 1);
    assert_eq!(about_the_caller(&arrived), ["x-hallpass-assertion"]);
    let first = token(&arrived);
    let claims = checked(&signing, &first, &clock);
    let said = |name: &str| claims[name].as_str().unwrap();
    assert_eq!(
        (said("sub"), said("idp"), said("client_id"), said("scope")),
        ("alice", support::OWN, "test-client", "notes:read")
    );
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 60);

    assert_eq!(token(&arrives(&gateway, gateway.request("POST")).await), first);
    clock.advance(LIFETIME / 2 - Duration::from_secs(1));
    assert_eq!(token(&arrives(&gateway, gateway.request("POST")).await), first);
    clock.advance(Duration::from_secs(1));
    assert_ne!(token(&arrives(&gateway, gateway.request("POST")).await), first, "half its life is over");
    assert_eq!(signing.signed.load(Ordering::SeqCst), 2);
}

/// Two people, two scopes, two issuers: none is told of as another.
#[tokio::test]
async fn an_assertion_is_about_one_caller() {
    let clock = FakeClock::at(NOW);
    let signing = signing("authorization", &clock);
    let gateway = protect(mirror().telling(signing.told.clone()), false);
    let mut seen = Vec::new();
    for token in [
        gateway.token_for("alice", "notes:read"),
        gateway.token_for("bob", "notes:read"),
        gateway.token_for("alice", "notes:read notes:write"),
        gateway.token_of_the_other("alice"),
    ] {
        let arrived = arrives(&gateway, gateway.request_as(&token, "POST")).await;
        let value = arrived["authorization"][0].as_str().unwrap().to_owned();
        let claims = checked(&signing, value.strip_prefix("Bearer ").unwrap(), &clock);
        seen.push((claims["sub"].clone(), claims["idp"].clone(), claims["scope"].clone()));
        assert!(!value.contains(&token), "never the caller's own");
    }
    let expected = [
        ("alice", support::OWN, "notes:read"),
        ("bob", support::OWN, "notes:read"),
        ("alice", support::OWN, "notes:read notes:write"),
        ("https://login.example.com#alice", support::OTHER, "notes:read"),
    ];
    assert_eq!(seen, expected.map(|(sub, idp, scope)| (sub.into(), idp.into(), scope.into())));
}

/// What rests on a token ends with it.
#[tokio::test]
async fn an_assertion_outlives_no_token() {
    let clock = FakeClock::at(NOW);
    let signing = signing("x-hallpass-assertion", &clock);
    let gateway = protect(mirror().telling(signing.told.clone()), false);
    let lasting = |seconds: i64| {
        let mut claims = gateway.issuer.claims(support::RESOURCE, "notes:read", NOW);
        claims["sub"] = "alice".into();
        claims["exp"] = (NOW.unix() + seconds).into();
        claims["jti"] = seconds.to_string().into();
        gateway.issuer.sign(&claims)
    };
    for (seconds, lasts) in [(600, 60), (20, 20), (600, 60)] {
        let arrived = arrives(&gateway, gateway.request_as(&lasting(seconds), "POST")).await;
        let claims = checked(&signing, arrived["x-hallpass-assertion"][0].as_str().unwrap(), &clock);
        assert!(claims["exp"].as_i64().unwrap() - NOW.unix() <= lasts, "{seconds}");
    }
}

#[tokio::test]
async fn without_a_signature_nothing_is_carried_on() {
    let between = (ISSUER.to_owned(), UPSTREAM.to_owned());
    let field = HeaderName::from_static("x-hallpass-assertion");
    let clock = FakeClock::at(NOW).clock();
    let told = Told::assertion(Assertions::new(field, between, LIFETIME, clock, |_| None));
    let gateway = protect(mirror().telling(told), false);
    assert_eq!(gateway.post(CALL).await.status(), StatusCode::BAD_GATEWAY);
}

/// An authorization server, as the gateway asks it: what it was asked for, and what it answers.
struct Exchanging {
    asked: Arc<Mutex<Vec<String>>>,
    answers: Arc<Mutex<VecDeque<Result<Exchanged, String>>>>,
    gate: Arc<tokio::sync::Semaphore>,
    told: Told,
}

fn exchanging(clock: &FakeClock) -> Exchanging {
    let (asked, answers): (Arc<Mutex<Vec<String>>>, Arc<Mutex<VecDeque<_>>>) = Default::default();
    let gate = Arc::new(tokio::sync::Semaphore::new(1_000));
    let (heard, answer, waits) = (Arc::clone(&asked), Arc::clone(&answers), Arc::clone(&gate));
    let ask = move |token: Secret| {
        heard.lock().unwrap().push(token.expose().to_owned());
        let count = heard.lock().unwrap().len();
        let answer = answer.lock().unwrap().pop_front();
        let waits = Arc::clone(&waits);
        async move {
            waits.acquire().await.unwrap().forget();
            let made = Exchanged {
                token: Secret::new(format!("made-{count}")),
                lives: Some(Duration::from_secs(60)),
            };
            answer.unwrap_or(Ok(made))
        }
    };
    let told = Told::token(Exchanges::new("authorization".parse().unwrap(), clock.clock(), ask));
    Exchanging { asked, answers, gate, told }
}

impl Exchanging {
    fn count(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    fn answer(&self, next: Result<Exchanged, String>) {
        self.answers.lock().unwrap().push_back(next);
    }
}

fn at_now() -> FakeClock {
    FakeClock::at(NOW)
}

#[tokio::test]
async fn a_token_made_for_upstream_is_all_that_arrives_and_is_used_until_its_end() {
    let clock = at_now();
    let made = exchanging(&clock);
    let gateway = protect(mirror().telling(made.told.clone()), false);
    let own = gateway.token("notes:read");
    let ask = async |own: &str| arrives(&gateway, gateway.request_as(own, "POST")).await;
    let arrived = ask(&own).await;
    assert_eq!(arrived["authorization"], json!(["Bearer made-1"]));
    assert!(!arrived.to_string().contains(&own), "never the caller's own");
    assert_eq!(made.asked.lock().unwrap().as_slice(), std::slice::from_ref(&own));
    clock.advance(Duration::from_secs(49));
    assert_eq!(ask(&own).await["authorization"], json!(["Bearer made-1"]));
    clock.advance(Duration::from_secs(1));
    assert_eq!(ask(&own).await["authorization"], json!(["Bearer made-2"]), "ten seconds ahead of its end");
    // Another caller, and another token of the same.
    let mut claims = gateway.issuer.claims(support::RESOURCE, "notes:read", NOW);
    claims["jti"] = "another".into();
    assert_eq!(ask(&gateway.issuer.sign(&claims)).await["authorization"], json!(["Bearer made-3"]));
    (claims["jti"], claims["sub"]) = ("third".into(), "mallory".into());
    assert_eq!(ask(&gateway.issuer.sign(&claims)).await["authorization"], json!(["Bearer made-4"]));
    // Each ends by itself, though both say the same.
    let twin = gateway.issuer.sign(&claims);
    assert_eq!(ask(&twin).await["authorization"], json!(["Bearer made-5"]));
    assert_eq!(ask(&own).await["authorization"], json!(["Bearer made-2"]));
}

#[tokio::test]
async fn one_exchange_however_many_wait() {
    let clock = at_now();
    let made = exchanging(&clock);
    let gateway = Arc::new(protect(mirror().telling(made.told.clone()), false));
    let own = gateway.token("notes:read");
    made.gate.forget_permits(1_000);
    let waiting: Vec<_> = (0..64)
        .map(|_| {
            let (gateway, own) = (Arc::clone(&gateway), own.clone());
            tokio::spawn(async move { arrives(&gateway, gateway.request_as(&own, "POST")).await })
        })
        .collect();
    while made.count() == 0 {
        tokio::task::yield_now().await;
    }
    made.gate.add_permits(1_000);
    for one in waiting {
        assert_eq!(one.await.unwrap()["authorization"], json!(["Bearer made-1"]));
    }
    assert_eq!(made.count(), 1);
}

#[tokio::test]
async fn without_a_token_for_upstream_nothing_goes_on() {
    let clock = at_now();
    let made = exchanging(&clock);
    let gateway = protect(mirror().telling(made.told.clone()), false);
    let own = gateway.token("notes:read");
    let status =
        async || gateway.send(gateway.request_as(&own, "POST").body(CALL.into()).unwrap()).await.status();
    made.answer(Err("invalid_grant".to_owned()));
    for _ in 0..3 {
        assert_eq!(status().await, StatusCode::BAD_GATEWAY);
    }
    assert_eq!(made.count(), 1, "a server that refuses is left alone for a while");
    clock.advance(Duration::from_secs(5));
    assert_eq!(status().await, StatusCode::OK);
    clock.advance(Duration::from_secs(60));
    made.answer(Ok(Exchanged { token: Secret::new("two\nlines"), lives: None }));
    assert_eq!(status().await, StatusCode::BAD_GATEWAY);
    clock.advance(Duration::from_secs(5));
    made.answer(Ok(Exchanged { token: Secret::new("short"), lives: Some(Duration::ZERO) }));
    let count = made.count();
    assert_eq!((status().await, status().await), (StatusCode::OK, StatusCode::OK));
    assert_eq!(made.count(), count + 2, "one that has ended is used once, by whoever has waited for it");
}
