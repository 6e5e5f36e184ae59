//! Refresh: ours stands for the provider's, which is asked once.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::sync::Barrier;
use tokio::time::timeout;

use super::Fronted;
use crate::harness::{NATIVE, OTHER};

#[tokio::test]
async fn each_refresh_is_one_at_the_provider_and_a_lost_answer_comes_again() {
    let fronted = Fronted::furnished().await;
    let house = &fronted.house;
    let first = fronted.tokens().await.text("refresh_token").to_owned();
    let answer = house.refresh(NATIVE, &first).await;
    assert_eq!((answer.status, answer.text("access_token")), (200, "canary-access-2"));
    assert_eq!(answer.json["expires_in"], 3600);
    let second = answer.text("refresh_token").to_owned();
    assert_ne!(second, first);
    assert_eq!(fronted.party.asked("/token")[1].parameters["refresh_token"], "canary-refresh-1");
    // The answer was lost: the same comes again, a moment older, and the provider hears nothing.
    fronted.advance(59);
    let again = house.refresh(NATIVE, &first).await;
    assert_eq!(
        (again.text("access_token"), again.text("refresh_token")),
        ("canary-access-2", second.as_str())
    );
    assert_eq!(again.json["expires_in"], 3541);
    assert_eq!(fronted.refreshes(), 1);
    // Two behind: the newest.
    let third = house.refresh(NATIVE, &second).await;
    assert_eq!(third.text("access_token"), "canary-access-3");
    let newest = third.text("refresh_token").to_owned();
    let behind = house.refresh(NATIVE, &second).await;
    assert_eq!(behind.text("refresh_token"), newest);
    assert_eq!((fronted.refreshes(), behind.text("access_token")), (2, "canary-access-3"));
}

#[tokio::test]
async fn a_token_that_comes_again_too_late_ends_all_and_at_the_provider_too() {
    let fronted = Fronted::furnished().await;
    let house = &fronted.house;
    let first = fronted.tokens().await.text("refresh_token").to_owned();
    let second = house.refresh(NATIVE, &first).await.text("refresh_token").to_owned();
    let third = house.refresh(NATIVE, &second).await.text("refresh_token").to_owned();
    fronted.advance(60);
    assert_eq!(house.refresh(NATIVE, &first).await.error(), (400, "invalid_grant"));
    assert_eq!(house.refresh(NATIVE, &third).await.error(), (400, "invalid_grant"));
    assert_eq!(fronted.given_back(), ["canary-refresh-3"]);
    assert!(fronted.party.script().refresh_tokens.is_empty());
}

#[tokio::test]
async fn another_clients_refresh_token_is_of_no_use() {
    let fronted = Fronted::furnished().await;
    let first = fronted.tokens().await.text("refresh_token").to_owned();
    assert_eq!(fronted.house.refresh(OTHER, &first).await.error(), (400, "invalid_grant"));
    assert_eq!(fronted.house.refresh(NATIVE, &first).await.status, 200);
}

// Row 2 of never-again: with a provider that takes each refresh token once.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixty_four_at_two_replicas_are_one_refresh_at_the_provider() {
    let fronted = Fronted::furnished().await;
    let token = fronted.tokens().await.text("refresh_token").to_owned();
    fronted.party.script().hesitates = Duration::from_millis(200);
    let house = Arc::new(fronted.house);
    let party = fronted.party.clone();
    let replica =
        house.replica_with(|settings| settings.proxied = Some(super::proxied(&party, settings))).await;
    let barrier = Arc::new(Barrier::new(64));
    let callers: Vec<_> = (0..64)
        .map(|n| {
            let (house, barrier, token) = (Arc::clone(&house), Arc::clone(&barrier), token.clone());
            let base = if n % 2 == 0 { house.issuer.clone() } else { replica.address.clone() };
            tokio::spawn(async move {
                barrier.wait().await;
                let form =
                    [("grant_type", "refresh_token"), ("client_id", NATIVE), ("refresh_token", &token)];
                house.send(house.http.post(format!("{base}/token")).form(&form)).await
            })
        })
        .collect();
    let mut answers = Vec::new();
    for caller in callers {
        answers.push(caller.await.unwrap());
    }
    for answer in &answers {
        assert_eq!(answer.status, 200, "{:?}", answer.json);
        assert_eq!(answer.text("access_token"), "canary-access-2");
        assert_eq!(answer.text("refresh_token"), answers[0].text("refresh_token"));
    }
    let refreshes = party.asked("/token").len() - 1;
    assert_eq!(refreshes, 1);
    let next = house.refresh(NATIVE, answers[0].text("refresh_token")).await;
    assert_eq!(next.text("access_token"), "canary-access-3");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_hangs_up_loses_nothing() {
    let fronted = Fronted::furnished().await;
    let token = fronted.tokens().await.text("refresh_token").to_owned();
    fronted.party.script().hesitates = Duration::from_millis(300);
    let form = [("grant_type", "refresh_token"), ("client_id", NATIVE), ("refresh_token", token.as_str())];
    let request = fronted.house.http.post(fronted.house.url("/token")).form(&form);
    let impatient = request.timeout(Duration::from_millis(100)).send().await;
    assert!(impatient.unwrap_err().is_timeout());
    fronted.party.script().hesitates = Duration::ZERO;
    // The provider takes its own token once: what was begun has to be kept.
    let answer = fronted.house.refresh(NATIVE, &token).await;
    assert_eq!((answer.status, fronted.refreshes()), (200, 1), "{:?}", answer.json);
    assert_eq!(answer.text("access_token"), "canary-access-2");
}

#[tokio::test]
async fn the_provider_alone_ends_a_session() {
    let fronted = Fronted::furnished().await;
    let house = &fronted.house;
    let token = fronted.tokens().await.text("refresh_token").to_owned();
    for (status, body) in [
        (503, String::new()),
        (500, json!({ "error": "invalid_grant" }).to_string()),
        (429, String::new()),
        (200, "a page of a proxy".to_owned()),
        (401, json!({ "error": "invalid_client" }).to_string()),
        (400, json!({ "error": "invalid_request" }).to_string()),
        (404, "nothing here".to_owned()),
    ] {
        fronted.party.script().instead_of_tokens = Some((status, body));
        let answer = house.refresh(NATIVE, &token).await;
        assert_eq!(answer.error(), (503, "temporarily_unavailable"), "{status}");
        assert!(answer.header("retry-after").is_some());
    }
    fronted.party.script().instead_of_tokens = None;
    let answer = house.refresh(NATIVE, &token).await;
    assert_eq!(answer.status, 200, "nothing was lost: {:?}", answer.json);
    fronted.party.end_sessions();
    let token = answer.text("refresh_token").to_owned();
    assert_eq!(house.refresh(NATIVE, &token).await.error(), (400, "invalid_grant"));
    let asked = fronted.refreshes();
    assert_eq!(house.refresh(NATIVE, &token).await.error(), (400, "invalid_grant"));
    assert_eq!(fronted.refreshes(), asked, "it is over, and nobody asks any more");
}

#[tokio::test]
async fn a_provider_that_does_not_rotate_goes_on_with_its_token() {
    let fronted = Fronted::furnished().await;
    fronted.party.script().rotates = false;
    let mut token = fronted.tokens().await.text("refresh_token").to_owned();
    fronted.party.script().answer = json!({ "refresh_token": null });
    for _ in 0..3 {
        let answer = fronted.house.refresh(NATIVE, &token).await;
        assert_eq!(answer.status, 200, "{:?}", answer.json);
        token = answer.text("refresh_token").to_owned();
    }
    let asked = fronted.party.asked("/token");
    assert!(asked[1..].iter().all(|asked| asked.parameters["refresh_token"] == "canary-refresh-1"));
}

#[tokio::test]
async fn a_process_that_died_while_it_asked_holds_nobody_up_for_long() {
    let fronted = Fronted::furnished().await;
    let token = fronted.tokens().await.text("refresh_token").to_owned();
    fronted.house.sql("UPDATE refresh_tokens SET asking_until = 1800000060").await;
    fronted.advance(60);
    assert_eq!(fronted.house.refresh(NATIVE, &token).await.status, 200);
}

// Whoever had the turn before may have left another token of the provider's than the one that was read before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_sent_to_the_provider_is_read_with_the_turn() {
    let fronted = Fronted::furnished().await;
    let token = fronted.tokens().await.text("refresh_token").to_owned();
    let house = &fronted.house;
    let mut replica = house.connect().await;
    let read = "SELECT behind FROM refresh_tokens WHERE used_at IS NULL";
    let spent: String = sqlx::query_scalar(read).fetch_one(&mut replica).await.unwrap();
    // A replica is given a token for somebody else: the provider has rotated, and what it gave is behind the token now.
    fronted.party.script().access_claims = Some(json!({ "aud": "https://graph.example" }));
    assert_eq!(house.refresh(NATIVE, &token).await.status, 500);
    fronted.party.script().access_claims = None;
    let fresh: String = sqlx::query_scalar(read).fetch_one(&mut replica).await.unwrap();
    assert_ne!(fresh, spent);
    let put = "UPDATE refresh_tokens SET behind = $1 WHERE used_at IS NULL";
    sqlx::query(put).bind(&spent).execute(&mut replica).await.unwrap();
    // As if the replica were about to say so, while somebody else waits for the turn.
    sqlx::raw_sql("BEGIN").execute(&mut replica).await.unwrap();
    sqlx::query(put).bind(&fresh).execute(&mut replica).await.unwrap();
    let asking = house.refresh(NATIVE, &token);
    tokio::pin!(asking);
    assert!(timeout(Duration::from_millis(500), &mut asking).await.is_err(), "it waits for its turn");
    sqlx::raw_sql("COMMIT").execute(&mut replica).await.unwrap();
    let answer = asking.await;
    assert_eq!(answer.status, 200, "{:?}", answer.json);
    let sent = fronted.party.asked("/token").last().unwrap().parameters["refresh_token"].clone();
    assert_eq!(sent, "canary-refresh-2");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_provider_keeps_no_client_waiting_and_nothing_is_lost() {
    let fronted = Fronted::with(|proxied| proxied.patience = Duration::from_millis(100)).await;
    let token = fronted.tokens().await.text("refresh_token").to_owned();
    fronted.party.script().hesitates = Duration::from_millis(800);
    let house = &fronted.house;
    let (one, other) = tokio::join!(house.refresh(NATIVE, &token), house.refresh(NATIVE, &token));
    for answer in [one, other] {
        assert_eq!(answer.error(), (503, "temporarily_unavailable"));
        assert!(answer.header("retry-after").is_some());
    }
    let answer = loop {
        let answer = house.refresh(NATIVE, &token).await;
        if answer.status != 503 {
            break answer;
        }
    };
    assert_eq!((answer.status, answer.text("access_token")), (200, "canary-access-2"));
    assert_eq!(fronted.refreshes(), 1, "what was begun went on");
}

#[tokio::test]
async fn less_may_be_asked_for_and_more_may_not() {
    let fronted = Fronted::furnished().await;
    let token = fronted.tokens().await.text("refresh_token").to_owned();
    let with = async |scope: &str| {
        let form = [
            ("grant_type", "refresh_token"),
            ("client_id", NATIVE),
            ("refresh_token", token.as_str()),
            ("scope", scope),
        ];
        fronted.house.post("/token", &form).await
    };
    assert_eq!(with("notes:read admin").await.error(), (400, "invalid_scope"));
    // The provider's token is what it is, and the answer says so.
    assert_eq!(with("notes:read").await.text("scope"), "notes:read notes:write");
}
