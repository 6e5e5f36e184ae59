//! Opaque tokens that are looked up in the same process.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // Tests fail by panicking.

mod support;

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hallpass_guarded_fetch::{Fetcher, Policy as FetchPolicy};
use hallpass_protocol::dpop::Proof;
use hallpass_protocol::issuer::Issuer;
use hallpass_protocol::jose::{AccessTokenClaims, JoseError, SigningKey};
use hallpass_protocol::secret::Secret;
use hallpass_resource_server::stored::Unavailable;
use hallpass_resource_server::{Dpop, Introspection, IntrospectionClient, Refusal, Settings, StoredTokens};
use hallpass_testkit::issuer::TestIssuer;
use hallpass_testkit::upstream::{Upstream, plain};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use support::{NOW, Protected, RESOURCE, policy, protect_with, text};
use tokio::sync::Semaphore;

const PREFIX: &str = "hpa_";

/// A store of tokens, and how often it was asked.
#[derive(Clone, Default)]
struct Shelf {
    tokens: Arc<Mutex<HashMap<String, Value>>>,
    asked: Arc<AtomicUsize>,
    is_away: Arc<Mutex<bool>>,
}

impl Shelf {
    fn settings(&self) -> impl FnOnce(&mut Settings) {
        let shelf = self.clone();
        move |settings| {
            settings.policy = policy();
            let issuer = settings.issuers[0].issuer.clone();
            settings.stored_tokens = Some(StoredTokens::new(issuer, PREFIX, move |token: Secret| {
                let shelf = shelf.clone();
                async move {
                    shelf.asked.fetch_add(1, Ordering::SeqCst);
                    if *shelf.is_away.lock().unwrap() {
                        return Err(Unavailable);
                    }
                    let found = shelf.tokens.lock().unwrap().get(token.expose()).cloned();
                    Ok(found.map(|claims| serde_json::from_value::<AccessTokenClaims>(claims).unwrap()))
                }
            }));
        }
    }

    fn protect(&self) -> Protected {
        protect_with(self.settings())
    }

    /// Keeps a token of these claims, changed.
    fn keep(&self, token: &str, issuer: &TestIssuer, change: impl FnOnce(&mut Value)) {
        let mut claims = issuer.claims(RESOURCE, "notes:read", NOW);
        change(&mut claims);
        self.tokens.lock().unwrap().insert(token.to_owned(), claims);
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

#[tokio::test]
async fn one_that_is_there_is_looked_up_once() {
    let shelf = Shelf::default();
    let protected = shelf.protect();
    shelf.keep("hpa_good", &protected.issuer, |_| {});
    for _ in 0..3 {
        assert_eq!(text(protected.post("hpa_good", "{}").await).await, "alice:{}");
    }
    assert_eq!(shelf.asked(), 1);
    // Judged like any other, JWTs beside it.
    let write = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"write_note"}}"#;
    assert_eq!(protected.post("hpa_good", write).await.status(), StatusCode::FORBIDDEN);
    let jwt = protected.token("notes:read");
    assert_eq!(protected.post(&jwt, "{}").await.status(), StatusCode::OK);
    for other in ["hpa_goo", "hpa_good1", "hpa_", "Hpa_good", "hpa", "x"] {
        assert_eq!(protected.post(other, "{}").await.status(), StatusCode::UNAUTHORIZED, "{other}");
    }
    assert_eq!(shelf.asked(), 4, "only what begins like one");
}

#[tokio::test]
async fn one_for_somewhere_else_or_of_somebody_else_is_refused() {
    let shelf = Shelf::default();
    let protected = shelf.protect();
    shelf.keep("hpa_there", &protected.issuer, |claims| {
        claims["aud"] = json!("https://mcp.example.com/other")
    });
    shelf.keep("hpa_theirs", &protected.issuer, |claims| claims["iss"] = json!("https://evil.example"));
    shelf.keep("hpa_both", &protected.issuer, |claims| {
        claims["aud"] = json!(["https://x.example/", RESOURCE])
    });
    let refused = async |token| protected.server.authenticate(token).await.unwrap_err();
    assert!(matches!(refused("hpa_there").await, Refusal::Token(JoseError::WrongAudience)));
    assert!(matches!(refused("hpa_theirs").await, Refusal::Token(JoseError::WrongIssuer)));
    assert!(matches!(refused("hpa_none").await, Refusal::Inactive));
    assert!(protected.server.authenticate("hpa_both").await.is_ok());
}

#[tokio::test]
async fn its_end_is_its_end_remembered_or_not() {
    let shelf = Shelf::default();
    let protected = shelf.protect();
    for token in ["hpa_seen", "hpa_unseen"] {
        shelf.keep(token, &protected.issuer, |claims| {
            claims["exp"] = json!(NOW.after(Duration::from_secs(60)))
        });
    }
    let verified = protected.server.authenticate("hpa_seen").await.unwrap();
    protected.clock.advance(Duration::from_secs(59));
    assert!(protected.server.authenticate("hpa_seen").await.is_ok());
    assert!(protected.server.recheck(&verified).await.is_ok());
    protected.clock.advance(Duration::from_secs(1));
    for token in ["hpa_seen", "hpa_unseen"] {
        let refused = protected.server.authenticate(token).await.unwrap_err();
        assert!(matches!(refused, Refusal::Token(JoseError::Expired)), "{token}");
    }
    let over = protected.server.recheck(&verified).await.unwrap_err();
    assert!(matches!(over, Refusal::Token(JoseError::Expired)));
}

#[tokio::test]
async fn a_revoked_one_is_refused_remembered_or_not() {
    let shelf = Shelf::default();
    let protected = shelf.protect();
    for token in ["hpa_seen", "hpa_unseen"] {
        shelf.keep(token, &protected.issuer, |claims| claims["jti"] = json!("grant.one"));
    }
    let verified = protected.server.authenticate("hpa_seen").await.unwrap();
    protected.revoked.write().unwrap().insert("grant.one".to_owned());
    for token in ["hpa_seen", "hpa_unseen"] {
        assert!(matches!(protected.server.authenticate(token).await, Err(Refusal::Revoked)), "{token}");
    }
    assert!(matches!(protected.server.recheck(&verified).await, Err(Refusal::Revoked)));
}

#[tokio::test]
async fn what_cannot_be_looked_up_is_nobodys_fault() {
    let shelf = Shelf::default();
    let protected = shelf.protect();
    shelf.keep("hpa_good", &protected.issuer, |_| {});
    shelf.keep("hpa_known", &protected.issuer, |_| {});
    assert_eq!(protected.post("hpa_known", "{}").await.status(), StatusCode::OK);
    *shelf.is_away.lock().unwrap() = true;
    assert_eq!(protected.post("hpa_good", "{}").await.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(protected.post("hpa_known", "{}").await.status(), StatusCode::OK, "of which all is known");
    *shelf.is_away.lock().unwrap() = false;
    assert_eq!(protected.post("hpa_good", "{}").await.status(), StatusCode::OK, "no failure is remembered");
}

/// The store is everybody's: a stranger's made-up tokens wait for each other.
#[tokio::test(start_paused = true)]
async fn a_few_are_looked_up_at_once() {
    let (asked, answers) = (Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(0)));
    let seen = asked.clone();
    let gate = answers.clone();
    let protected = protect_with(move |settings| {
        let issuer = settings.issuers[0].issuer.clone();
        settings.stored_tokens = Some(StoredTokens::new(issuer, PREFIX, move |_| {
            seen.fetch_add(1, Ordering::SeqCst);
            let gate = gate.clone();
            async move {
                gate.acquire().await.unwrap().forget();
                Ok(None)
            }
        }));
    });
    let ask = |at: usize| {
        let server = protected.server.clone();
        tokio::spawn(async move { server.authenticate(&format!("hpa_{at}")).await.unwrap_err() })
    };
    let first: Vec<_> = (0..20).map(ask).collect();
    let mut refused = Vec::new();
    for (at, one) in first.into_iter().enumerate() {
        if at < 3 {
            refused.push(one);
            continue;
        }
        let refused =
            tokio::time::timeout(Duration::from_secs(10), one).await.expect("nobody waits for ever");
        assert!(matches!(refused.unwrap(), Refusal::IntrospectionUnavailable));
    }
    assert_eq!(asked.load(Ordering::SeqCst), 3);
    // A JWT waits for none of them.
    assert!(protected.server.authenticate(&protected.token("notes:read")).await.is_ok());
    answers.add_permits(4);
    for one in refused {
        assert!(matches!(one.await.unwrap(), Refusal::Inactive));
    }
    assert!(matches!(ask(20).await.unwrap(), Refusal::Inactive), "a turn that is over is another's");
}

#[tokio::test]
async fn a_bound_one_is_of_use_to_its_holder_alone() {
    let (holder, thief) = (SigningKey::generate_es256().unwrap(), SigningKey::generate_es256().unwrap());
    let shelf = Shelf::default();
    let with = shelf.settings();
    let protected = protect_with(|settings| {
        with(settings);
        settings.dpop = Some(Dpop::default());
    });
    shelf.keep("hpa_bound", &protected.issuer, |claims| claims["cnf"] = json!({"jkt": holder.thumbprint()}));
    shelf.keep("hpa_certified", &protected.issuer, |claims| claims["cnf"] = json!({"x5t#S256": "x"}));
    shelf.keep("hpa_odd", &protected.issuer, |claims| claims["cnf"] = json!({"kid": "x"}));
    for token in ["hpa_bound", "hpa_certified", "hpa_odd"] {
        assert_eq!(protected.post(token, "{}").await.status(), StatusCode::UNAUTHORIZED, "{token}");
    }
    let url = RESOURCE.parse().unwrap();
    let send = async |key: &SigningKey, token: &'static str, jti: &str| {
        let access_token = Secret::new(token);
        let proof = Proof {
            method: &Method::POST,
            url: &url,
            access_token: Some(&access_token),
            nonce: None,
            jti,
            now: NOW,
        };
        let request = http::Request::post("/mcp").header("authorization", format!("DPoP {token}"));
        let request = request.header("dpop", proof.sign(key).unwrap()).body("{}".into()).unwrap();
        protected.send(request).await.status()
    };
    assert_eq!(send(&holder, "hpa_bound", "1").await, StatusCode::OK);
    assert_eq!(send(&holder, "hpa_bound", "1").await, StatusCode::UNAUTHORIZED, "once");
    assert_eq!(send(&thief, "hpa_bound", "2").await, StatusCode::UNAUTHORIZED);
}

/// Two houses may call their tokens alike: what this one does not know may be another's.
#[tokio::test]
async fn one_that_is_not_there_may_be_of_the_issuer_that_is_asked() {
    let outside = Upstream::start().await;
    let issuer = Issuer::parse(outside.url("/").as_str().trim_end_matches('/')).unwrap();
    let policy = FetchPolicy { allow_loopback: true, ..FetchPolicy::default() };
    let client = IntrospectionClient::Secret { id: "rs".to_owned(), secret: Secret::new("s") };
    let mut introspection = Introspection::new(issuer, client, Fetcher::new(policy).unwrap());
    introspection.endpoint = Some(outside.url("/introspect"));
    let shelf = Shelf::default();
    let with = shelf.settings();
    let protected = protect_with(|settings| {
        with(settings);
        settings.introspection = Some(introspection);
    });
    shelf.keep("hpa_ours", &protected.issuer, |_| {});
    let answer = json!({
        "active": true, "sub": "bob", "client_id": "c", "aud": RESOURCE, "scope": "notes:read",
        "exp": NOW.after(Duration::from_secs(60)),
    });
    outside.answer(plain(StatusCode::OK, answer.to_string()));
    assert_eq!(text(protected.post("hpa_theirs", "{}").await).await, "bob:{}");
    assert_eq!(text(protected.post("hpa_ours", "{}").await).await, "alice:{}");
    assert_eq!(outside.received().len(), 1, "nobody else is told of our own");
}
