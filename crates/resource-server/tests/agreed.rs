//! Tokens of a provider that are handed on: bounded by what was agreed to, for whoever they were given to.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // Tests fail by panicking.

mod support;

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hallpass_protocol::issuer::Issuer;
use hallpass_protocol::jose::JoseError;
use hallpass_protocol::scope::Scope;
use hallpass_protocol::secret::Secret;
use hallpass_resource_server::stored::Unavailable;
use hallpass_resource_server::{Agreed, AgreedTokens, Keys, Refusal, Settings, TrustedIssuer};
use hallpass_testkit::issuer::TestIssuer;
use http::StatusCode;
use serde_json::{Value, json};
use support::{NOW, Protected, RESOURCE, policy, protect_with, scopes};

const WRITE: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"write_note"}}"#;
/// Of hallpass at the provider.
const OWN: &str = "test-client";

/// What was agreed to, and how often somebody asked.
#[derive(Clone, Default)]
struct Agreements {
    by_token: Arc<Mutex<HashMap<String, Agreed>>>,
    asked: Arc<AtomicUsize>,
    is_away: Arc<Mutex<bool>>,
}

impl Agreements {
    fn tokens(&self, issuer: &Issuer) -> AgreedTokens {
        let agreements = self.clone();
        AgreedTokens::new(vec![issuer.clone()], OWN.to_owned(), move |token: Secret| {
            let agreements = agreements.clone();
            async move {
                agreements.asked.fetch_add(1, Ordering::SeqCst);
                if *agreements.is_away.lock().unwrap() {
                    return Err(Unavailable);
                }
                Ok(agreements.by_token.lock().unwrap().get(token.expose()).cloned())
            }
        })
    }

    fn protect(&self, change: impl FnOnce(&mut AgreedTokens)) -> Protected {
        self.protect_with(change, |_| {})
    }

    fn protect_with(
        &self,
        change: impl FnOnce(&mut AgreedTokens),
        settle: impl FnOnce(&mut Settings),
    ) -> Protected {
        protect_with(|settings| {
            settings.policy = policy();
            let mut tokens = self.tokens(&settings.issuers[0].issuer);
            change(&mut tokens);
            settings.agreed_tokens = Some(tokens);
            settle(settings);
        })
    }

    /// Hands it on for these scopes.
    fn hand_on(&self, token: &str, agreed: &str) {
        let agreed = Agreed {
            token_id: "grant.one".to_owned(),
            client_id: "client-b".to_owned(),
            resource: RESOURCE.to_owned(),
            scopes: scopes(agreed),
        };
        self.by_token.lock().unwrap().insert(token.to_owned(), agreed);
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

fn token(protected: &Protected, change: impl FnOnce(&mut Value)) -> String {
    let mut claims = protected.issuer.claims(RESOURCE, "notes:read notes:write", NOW);
    change(&mut claims);
    protected.issuer.sign(&claims)
}

// The provider gives its one client all that anybody ever agreed to.
#[tokio::test]
async fn a_token_may_what_was_agreed_to_and_no_more() {
    let agreements = Agreements::default();
    let protected = agreements.protect(|_| {});
    let token = token(&protected, |_| {});
    agreements.hand_on(&token, "notes:read admin");
    for _ in 0..3 {
        assert_eq!(protected.post(&token, "{}").await.status(), StatusCode::OK);
        assert_eq!(protected.post(&token, WRITE).await.status(), StatusCode::FORBIDDEN);
    }
    let caller = protected.server.authenticate(&token).await.unwrap().caller().clone();
    assert_eq!(caller.scopes(), &scopes("notes:read"), "nor what the token itself does not say");
    assert_eq!((caller.client_id(), caller.subject()), ("client-b", "alice"));
    assert_eq!(agreements.asked(), 1);
}

#[tokio::test]
async fn a_token_that_was_not_handed_on_is_nobodys_here() {
    let agreements = Agreements::default();
    let protected = agreements.protect(|_| {});
    let theirs = token(&protected, |claims| claims["client_id"] = json!("robot"));
    for token in [&theirs, &token(&protected, |_| {})] {
        assert!(matches!(protected.server.authenticate(token).await, Err(Refusal::NotHandedOn)));
        assert_eq!(protected.post(token, "{}").await.status(), StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn other_clients_tokens_are_taken_where_the_operator_says_so_and_never_our_own() {
    let agreements = Agreements::default();
    let protected = agreements.protect(|tokens| tokens.others = true);
    let theirs = token(&protected, |claims| claims["client_id"] = json!("robot"));
    assert_eq!(protected.post(&theirs, WRITE).await.status(), StatusCode::OK);
    let ours = token(&protected, |_| {});
    assert!(matches!(protected.server.authenticate(&ours).await, Err(Refusal::NotHandedOn)));
}

#[tokio::test]
async fn scopes_that_have_another_name_there_count_as_they_are_called_here() {
    let agreements = Agreements::default();
    let named = |here: &str, there: &str| (Scope::parse(here).unwrap(), Scope::parse(there).unwrap());
    let protected = agreements.protect(|tokens| {
        tokens.others = true;
        tokens.names = vec![named("notes:read", "api.read"), named("notes:write", "api.write")];
    });
    let ours = token(&protected, |claims| claims["scope"] = json!("api.read api.write"));
    agreements.hand_on(&ours, "notes:read");
    let read = scopes("notes:read");
    assert_eq!(protected.server.authenticate(&ours).await.unwrap().caller().scopes(), &read);
    let theirs = token(&protected, |claims| {
        claims["scope"] = json!("api.write notes:read");
        claims["client_id"] = json!("robot");
    });
    let caller = protected.server.authenticate(&theirs).await.unwrap().caller().clone();
    assert_eq!(caller.scopes(), &scopes("api.write notes:read notes:write"));
}

// Row 26 of never-again: one audience at the provider may stand for several servers.
#[tokio::test]
async fn a_token_that_was_handed_on_for_another_server_is_refused() {
    let agreements = Agreements::default();
    let protected = agreements.protect(|_| {});
    let token = token(&protected, |_| {});
    agreements.hand_on(&token, "notes:read");
    agreements.by_token.lock().unwrap().get_mut(&token).unwrap().resource =
        "https://mcp.example.com/other".to_owned();
    let refused = protected.server.authenticate(&token).await.unwrap_err();
    assert!(matches!(refused, Refusal::Token(JoseError::WrongAudience)));
}

#[tokio::test]
async fn what_is_taken_back_here_is_dead_at_once() {
    let agreements = Agreements::default();
    let protected = agreements.protect(|_| {});
    let token = token(&protected, |_| {});
    agreements.hand_on(&token, "notes:read");
    let verified = protected.server.authenticate(&token).await.unwrap();
    protected.revoked.write().unwrap().insert("grant.one".to_owned());
    assert!(matches!(protected.server.authenticate(&token).await, Err(Refusal::Revoked)));
    assert!(matches!(protected.server.recheck(&verified).await, Err(Refusal::Revoked)));
}

// A revocation is forgotten after a day, and a token of a provider's may live for longer.
#[tokio::test]
async fn what_was_agreed_to_is_asked_anew_each_minute() {
    let agreements = Agreements::default();
    let protected = agreements.protect(|_| {});
    let token = token(&protected, |_| {});
    agreements.hand_on(&token, "notes:read notes:write");
    assert_eq!(protected.post(&token, WRITE).await.status(), StatusCode::OK);
    agreements.by_token.lock().unwrap().clear();
    protected.clock.advance(Duration::from_secs(59));
    assert_eq!(protected.post(&token, WRITE).await.status(), StatusCode::OK);
    protected.clock.advance(Duration::from_secs(1));
    assert_eq!(protected.post(&token, WRITE).await.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn where_nobody_can_be_asked_nothing_is_taken_but_what_is_remembered() {
    let agreements = Agreements::default();
    let protected = agreements.protect(|_| {});
    let (seen, unseen) = (token(&protected, |_| {}), token(&protected, |claims| claims["jti"] = json!("2")));
    agreements.hand_on(&seen, "notes:read");
    agreements.hand_on(&unseen, "notes:read");
    assert!(
        matches!(protected.server.verify(&seen), Err(Refusal::IntrospectionUnavailable)),
        "not asked yet"
    );
    assert_eq!(protected.post(&seen, "{}").await.status(), StatusCode::OK);
    *agreements.is_away.lock().unwrap() = true;
    assert_eq!(protected.post(&seen, "{}").await.status(), StatusCode::OK);
    assert_eq!(protected.server.verify(&seen).unwrap().caller().scopes(), &scopes("notes:read"));
    assert_eq!(protected.post(&unseen, "{}").await.status(), StatusCode::SERVICE_UNAVAILABLE);
    *agreements.is_away.lock().unwrap() = false;
    assert_eq!(protected.post(&unseen, "{}").await.status(), StatusCode::OK, "no failure is remembered");
}

#[tokio::test]
async fn another_issuers_tokens_are_what_they_say() {
    let other = TestIssuer::new("https://other.example");
    let agreements = Agreements::default();
    let protected = agreements.protect_with(
        |_| {},
        |settings| {
            let trusted = TrustedIssuer::new(other.issuer.clone(), Keys::fixed(other.keys()));
            settings.issuers.push(trusted);
        },
    );
    let token = other.token(RESOURCE, "notes:read notes:write", NOW);
    assert_eq!(protected.post(&token, WRITE).await.status(), StatusCode::OK);
    assert_eq!(agreements.asked(), 0);
}
