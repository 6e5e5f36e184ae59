//! `/revoke`: what is given back here ends at the provider, too.

use serde_json::json;

use super::Fronted;
use crate::harness::{Answer, NATIVE, OTHER};

async fn revoke(fronted: &Fronted, client: &str, token: &str) -> Answer {
    fronted.house.post("/revoke", &[("client_id", client), ("token", token)]).await
}

#[tokio::test]
async fn a_refresh_token_ends_here_and_there() {
    let fronted = Fronted::furnished().await;
    let token = fronted.tokens().await.text("refresh_token").to_owned();
    // Row 47 of never-again: another client's word changes nothing.
    assert_eq!(revoke(&fronted, OTHER, &token).await.status, 200);
    assert!(fronted.given_back().is_empty());
    let next = fronted.house.refresh(NATIVE, &token).await.text("refresh_token").to_owned();
    assert_eq!(revoke(&fronted, NATIVE, &next).await.status, 200);
    assert_eq!(fronted.given_back(), ["canary-refresh-2"]);
    assert_eq!(fronted.house.refresh(NATIVE, &next).await.error(), (400, "invalid_grant"));
}

#[tokio::test]
async fn one_that_was_used_ends_what_came_of_it() {
    let fronted = Fronted::furnished().await;
    let token = fronted.tokens().await.text("refresh_token").to_owned();
    let next = fronted.house.refresh(NATIVE, &token).await.text("refresh_token").to_owned();
    assert_eq!(revoke(&fronted, NATIVE, &token).await.status, 200);
    assert_eq!(fronted.given_back(), ["canary-refresh-2"]);
    assert_eq!(fronted.house.refresh(NATIVE, &next).await.error(), (400, "invalid_grant"));
}

#[tokio::test]
async fn an_access_token_goes_back_by_whoever_was_given_it() {
    let fronted = Fronted::furnished().await;
    let tokens = fronted.tokens().await;
    for (client, token) in [(OTHER, "canary-access-1"), (NATIVE, "canary-access-9")] {
        assert_eq!(revoke(&fronted, client, token).await.status, 200, "nothing is told");
    }
    assert!(fronted.given_back().is_empty());
    assert_eq!(revoke(&fronted, NATIVE, tokens.text("access_token")).await.status, 200);
    assert_eq!(fronted.given_back(), ["canary-access-1"]);
    assert_eq!(fronted.house.refresh(NATIVE, tokens.text("refresh_token")).await.status, 200);
}

#[tokio::test]
async fn a_provider_that_takes_nothing_back_is_no_failure_and_one_that_is_away_is_asked_again() {
    let fronted = Fronted::furnished().await;
    fronted.party.script().metadata = json!({ "revocation_endpoint": null });
    let token = fronted.tokens().await.text("refresh_token").to_owned();
    assert_eq!(revoke(&fronted, NATIVE, &token).await.status, 200);
    assert_eq!(fronted.house.refresh(NATIVE, &token).await.error(), (400, "invalid_grant"));

    let fronted = Fronted::furnished().await;
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    fronted.party.script().metadata = json!({ "revocation_endpoint": format!("http://{nobody}/") });
    let token = fronted.tokens().await.text("refresh_token").to_owned();
    assert_eq!(revoke(&fronted, NATIVE, &token).await.error(), (503, "temporarily_unavailable"));
    assert_eq!(fronted.house.refresh(NATIVE, &token).await.error(), (400, "invalid_grant"), "it ended here");
    fronted.party.script().metadata = json!({});
    fronted.advance(3601);
    assert_eq!(revoke(&fronted, NATIVE, &token).await.status, 200);
    assert_eq!(fronted.given_back(), ["canary-refresh-1"]);
}
