//! The third party's token is renewed in time and once, and what it gave is not lost.

use std::sync::Arc;
use std::time::Duration;

use hallpass_authorization_server::NoToken;
use tokio::sync::Barrier;

use super::Delegating;
use crate::harness::NATIVE;
use crate::secrets::Log;

#[tokio::test]
async fn it_is_renewed_before_its_end_and_not_sooner() {
    let two = Delegating::furnished().await;
    two.tokens().await;
    two.house.advance(3_539);
    assert_eq!(two.token().await.unwrap(), "canary-access-1");
    two.house.advance(1);
    assert_eq!(two.token().await.unwrap(), "canary-access-2");
    assert_eq!(two.token().await.unwrap(), "canary-access-2");
    assert_eq!(two.refreshes(), 1);
    // With the token that came with it, each time.
    two.house.advance(3_540);
    assert_eq!(two.token().await.unwrap(), "canary-access-3");
    let asked = two.party.asked("/token");
    assert_eq!(asked[2].parameters["refresh_token"], "canary-refresh-2");
}

/// What a gateway gets without waiting; it says whose link it is of, and which of that link's tokens.
#[tokio::test]
async fn what_is_in_memory_is_given_at_once() {
    let two = Delegating::furnished().await;
    two.tokens().await;
    let (vault, ada) = (two.vault(), two.ada().await);
    let first = vault.token(&ada).await.unwrap();
    let known = vault.known(&ada).unwrap();
    let said = (first.expose(), first.link(), first.version());
    assert_eq!((known.expose(), known.link(), known.version()), said);
    assert!(vault.known("nobody").is_none());
    two.house.advance(3_540);
    // What was revoked is known anew, so that memory counts.
    while two.house.server.revocations().is_revoked("x").is_err() {
        tokio::task::yield_now().await;
    }
    assert!(vault.known(&ada).is_none(), "it is time for the next one");
    let second = vault.token(&ada).await.unwrap();
    assert_eq!((second.link(), second.version()), (first.link(), first.version() + 1));
    assert_eq!(vault.known(&ada).unwrap().expose(), "canary-access-2");
    let mut person = super::account::signed_in(&two).await;
    super::account::unlink(&two, &mut person).await;
    assert!(vault.known(&ada).is_none(), "what is unlinked is not known");
    two.tokens().await;
    assert_ne!(vault.token(&ada).await.unwrap().link(), first.link(), "another link");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_fifty_calls_at_two_replicas_one_asks_the_third_party() {
    for past in [3_545, 3_700] {
        let two = Arc::new(Delegating::furnished().await);
        two.tokens().await;
        let replica = two.replica().await;
        let ada = two.ada().await;
        // Both have it in memory.
        for vault in [two.vault(), replica.server.vault("hub").unwrap()] {
            assert_eq!(vault.token(&ada).await.unwrap().expose(), "canary-access-1");
        }
        two.house.advance(past);
        two.party.script().hesitates = Duration::from_millis(300);
        let barrier = Arc::new(Barrier::new(50));
        let calls: Vec<_> = (0..50)
            .map(|n| {
                let vault = if n % 2 == 0 { two.vault() } else { replica.server.vault("hub").unwrap() };
                let (ada, barrier) = (ada.clone(), Arc::clone(&barrier));
                tokio::spawn(async move {
                    barrier.wait().await;
                    vault.token(&ada).await.unwrap().expose().to_owned()
                })
            })
            .collect();
        let mut got = Vec::new();
        for call in calls {
            got.push(call.await.unwrap());
        }
        // While the former is good, nobody waits for the next one.
        let old = got.iter().filter(|token| *token == "canary-access-1").count();
        let new = got.iter().filter(|token| *token == "canary-access-2").count();
        assert_eq!(old + new, 50, "{got:?}");
        assert!(new >= 1 && (past < 3_600 || old == 0), "{past}: {old} with the former");
        assert_eq!(two.refreshes(), 1);
        two.house.advance(1);
        assert_eq!(
            replica.server.vault("hub").unwrap().token(&ada).await.unwrap().expose(),
            "canary-access-2"
        );
        assert_eq!(two.refreshes(), 1);
    }
}

#[tokio::test]
async fn a_third_party_in_trouble_costs_nothing() {
    let two = Delegating::furnished().await;
    let tokens = two.tokens().await;
    for (status, body) in [(500, ""), (429, ""), (400, "<p>a proxy's page</p>"), (200, "{}")] {
        two.party.script().instead_of_tokens = Some((status, body.to_owned()));
        // Its time has come, and it is good still.
        if two.refreshes() == 0 {
            two.house.advance(3_545);
        }
        let before = two.refreshes();
        assert_eq!(two.token().await.unwrap(), "canary-access-1", "{status}");
        assert_eq!(two.refreshes(), before + 1);
        assert_eq!(two.token().await.unwrap(), "canary-access-1");
        assert_eq!(two.refreshes(), before + 1, "it is left alone for a moment");
        two.house.advance(6);
    }
    // It has ended, and nothing is known of the session: no token, and nothing is lost.
    two.house.advance(60);
    assert!(matches!(two.token().await, Err(NoToken::Unavailable(_))));
    assert_eq!(two.house.refresh(NATIVE, tokens.text("refresh_token")).await.status, 200);
    two.party.script().instead_of_tokens = None;
    two.house.advance(6);
    assert_eq!(two.token().await.unwrap(), "canary-access-2");
    assert_eq!(two.linked().await, 1);
}

/// Whoever asked has died, with what the third party gave perhaps. Another one asks; where the token was spent, it is told.
#[tokio::test]
async fn whoever_dies_while_asking_holds_nobody_up_for_long() {
    let two = Delegating::furnished().await;
    two.tokens().await;
    two.house.advance(3_700);
    two.house.sql("UPDATE vault SET lease = 'of a dead process', lease_ends = 1800003760").await;
    two.house.advance(59);
    assert_eq!(two.refreshes(), 0);
    two.house.advance(1);
    assert_eq!(two.token().await.unwrap(), "canary-access-2");
    two.house.advance(3_700);
    two.house.sql("UPDATE vault SET lease = 'of a dead process', lease_ends = 0").await;
    two.party.end_sessions();
    assert!(matches!(two.token().await, Err(NoToken::NotLinked(_))), "the person hears of it");
}

/// The client hangs up while the third party is asked.
#[tokio::test]
async fn whoever_goes_away_takes_nothing_along() {
    let two = Delegating::furnished().await;
    two.tokens().await;
    two.house.advance(3_700);
    two.party.script().hesitates = Duration::from_millis(200);
    let (vault, ada) = (two.vault(), two.ada().await);
    let asking = tokio::spawn(async move { vault.token(&ada).await.map(drop) });
    while two.refreshes() == 0 {
        tokio::task::yield_now().await;
    }
    asking.abort();
    assert_eq!(two.token().await.unwrap(), "canary-access-2");
    assert_eq!(two.refreshes(), 1);
}

/// Persist before use: what cannot be written is given to nobody, and is written when it can be.
#[tokio::test]
async fn what_is_not_written_is_given_to_nobody() {
    let two = Delegating::furnished().await;
    two.tokens().await;
    two.house.advance(3_700);
    // A table in which leases can be taken, and nothing becomes version 1.
    two.house
        .sql(
            "INSERT INTO vault (id, user_id, party, issuer, scopes, sealed, linked_at, version, lease_ends)
             SELECT 'x', user_id, 'x', issuer, scopes, sealed, 0, 1, 0 FROM vault;
             CREATE UNIQUE INDEX no_other_version ON vault (version)",
        )
        .await;
    let (vault, ada) = (two.vault(), two.ada().await);
    let mut asking =
        tokio::spawn(async move { vault.token(&ada).await.map(|token| token.expose().to_owned()) });
    assert!(tokio::time::timeout(Duration::from_millis(500), &mut asking).await.is_err());
    assert_eq!(two.party.script().refresh_tokens, ["canary-refresh-2"], "it was given");
    two.house.sql("DROP INDEX no_other_version").await;
    assert_eq!(asking.await.unwrap().unwrap(), "canary-access-2");
    assert_eq!(two.token().await.unwrap(), "canary-access-2");
    assert_eq!(two.refreshes(), 1);
}

/// It is good for nothing after its end, so nobody gets it on; those who come within a second wait for the next one together.
#[tokio::test]
async fn a_token_that_ends_at_once_is_asked_for_once_a_second() {
    let two = Delegating::furnished().await;
    two.party.script().lifetime = 0;
    two.tokens().await;
    assert_eq!(two.refreshes(), 1, "the code");
    let ask = || {
        let (vault, ada) = (two.vault(), two.ada());
        async move { (vault, ada.await) }
    };
    let mut calls = Vec::new();
    for _ in 0..20 {
        let (vault, ada) = ask().await;
        calls.push(tokio::spawn(async move { vault.token(&ada).await.unwrap().expose().to_owned() }));
    }
    assert!(tokio::time::timeout(Duration::from_millis(500), &mut calls[0]).await.is_err(), "it waits");
    assert_eq!(two.refreshes(), 1);
    two.house.advance(1);
    for call in calls {
        assert_eq!(call.await.unwrap(), "canary-access-3");
    }
    assert_eq!(two.refreshes(), 2);
    // The session ends there, and nobody acts on.
    two.party.end_sessions();
    two.house.advance(1);
    assert!(matches!(two.token().await, Err(NoToken::NotLinked(_))));
}

/// While the third party is silent, those who wait for it ask the database as one.
#[tokio::test]
async fn however_many_wait_one_looks() {
    let two = Delegating::furnished().await;
    two.tokens().await;
    two.house.advance(3_700);
    two.party.script().hesitates = Duration::from_secs(2);
    let (vault, ada) = (two.vault(), two.ada().await);
    let first = tokio::spawn(async move { vault.token(&ada).await.map(drop) });
    while two.refreshes() == 0 {
        tokio::task::yield_now().await;
    }
    let log: Log = Log::default();
    let writer = log.clone();
    let written = tracing_subscriber::fmt().with_max_level(tracing_subscriber::filter::LevelFilter::DEBUG);
    let written = written.with_writer(move || writer.clone());
    let _guard = tracing::subscriber::set_default(written.finish());
    let waiting: Vec<_> = {
        let ada = two.ada().await;
        let calls = (0..100).map(|_| (two.vault(), ada.clone()));
        calls.map(|(vault, ada)| tokio::spawn(async move { vault.token(&ada).await.map(drop) })).collect()
    };
    for call in waiting {
        call.await.unwrap().unwrap();
    }
    first.await.unwrap().unwrap();
    assert_eq!(log.text().matches("many may wait for a renewal").count(), 1, "{}", log.text());
}

/// RFC 6749 §5.1: RECOMMENDED, and a number. What the third party says instead costs nobody the token that came with it.
#[tokio::test]
async fn a_lifetime_that_cannot_be_read_is_none() {
    let two = Delegating::furnished().await;
    two.tokens().await;
    two.party.script().answer = serde_json::json!({"expires_in": "7200"});
    two.house.advance(3_545);
    assert_eq!(two.token().await.unwrap(), "canary-access-2");
    two.party.script().answer = serde_json::json!({"expires_in": "soon"});
    two.house.advance(3_601);
    assert_eq!(two.token().await.unwrap(), "canary-access-2", "two hours, in quotes");
    two.house.advance(3_600);
    assert_eq!(two.token().await.unwrap(), "canary-access-3");
    two.house.advance(100 * 24 * 60 * 60);
    assert_eq!(two.token().await.unwrap(), "canary-access-3", "without an end");
    assert_eq!(two.refreshes(), 2);
}

#[tokio::test]
async fn tokens_without_an_end_are_used_without_one() {
    let two = Delegating::furnished().await;
    two.party.script().answer = serde_json::json!({"expires_in": null, "refresh_token": null});
    two.tokens().await;
    two.house.advance(100 * 24 * 60 * 60);
    assert_eq!(two.token().await.unwrap(), "canary-access-1");
    assert_eq!(two.refreshes(), 0);
}

/// What the third party gave for a session that the person has ended meanwhile lives on nowhere.
#[tokio::test]
async fn a_token_that_comes_after_the_end_is_given_back() {
    let two = Delegating::furnished().await;
    two.tokens().await;
    two.house.advance(3_700);
    two.party.script().hesitates = Duration::from_secs(1);
    let (vault, ada) = (two.vault(), two.ada().await);
    let asking = tokio::spawn(async move { vault.token(&ada).await.map(drop) });
    while two.refreshes() == 0 {
        tokio::task::yield_now().await;
    }
    two.house.sql("DELETE FROM vault").await;
    assert!(matches!(asking.await.unwrap(), Err(NoToken::NotLinked(_))));
    let told = two.party.asked("/revoke");
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].parameters["token"], "canary-refresh-2");
}
