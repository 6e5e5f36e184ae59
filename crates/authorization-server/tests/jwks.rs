//! `/jwks`: the public keys.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod harness;

use hallpass_authorization_server::AuthorizationServer;
use hallpass_guarded_fetch::{Fetcher, Policy};
use harness::House;

#[tokio::test]
async fn holds_public_members_only() {
    let house = House::furnished().await;
    let answer = house.send(house.http.get(house.url("/jwks"))).await;
    assert_eq!(answer.header("cache-control"), Some("public, max-age=300"));
    let keys = answer.json["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 1);
    let mut members: Vec<&str> = keys[0].as_object().unwrap().keys().map(String::as_str).collect();
    members.sort_unstable();
    assert_eq!(members, ["alg", "crv", "kid", "kty", "use", "x", "y"]);
    assert_eq!(keys[0]["alg"], "ES256");
}

#[tokio::test]
async fn the_key_survives_a_restart_and_is_another_in_every_house() {
    let (one, two) = (House::furnished().await, House::furnished().await);
    let kid = async |house: &House| {
        let answer = house.send(house.http.get(house.url("/jwks"))).await;
        answer.json["keys"][0]["kid"].as_str().unwrap().to_owned()
    };
    assert_ne!(kid(&one).await, kid(&two).await);
    let token = one.tokens().await.text("access_token").to_owned();
    let again = AuthorizationServer::start(
        harness::settings(&one.issuer),
        one.store().await,
        Fetcher::new(Policy::default()).unwrap(),
    )
    .await
    .unwrap();
    let jwt = hallpass_protocol::jose::UnverifiedJwt::parse(&token).unwrap();
    let kept = again.verifying_keys().current();
    assert!(kept.contains(jwt.kid(), jwt.algorithm()));
}

#[tokio::test]
async fn another_master_key_does_not_open_the_store() {
    let house = House::furnished().await;
    let stranger = hallpass_authorization_server::MasterKey::from_bytes([7; 32]);
    let store = harness::open_with(&house.database, &house.clock, stranger).await;
    let refused = AuthorizationServer::start(
        harness::settings(&house.issuer),
        store,
        Fetcher::new(Policy::default()).unwrap(),
    )
    .await;
    let error = refused.unwrap_err().to_string();
    assert!(error.contains("another master key"), "{error}");
}
