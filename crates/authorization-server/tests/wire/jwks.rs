//! `/jwks`: the public keys.

use crate::harness;
use std::time::Duration;

use hallpass_authorization_server::AuthorizationServer;
use hallpass_guarded_fetch::{Fetcher, Policy};
use hallpass_protocol::jose::Algorithm;
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
    let refused = harness::open_with(&house.database, &house.clock, stranger).await;
    let error = refused.unwrap_err().to_string();
    assert!(error.contains("another master key"), "{error}");
}

/// The ids in the published set.
async fn kids(house: &House) -> Vec<String> {
    let answer = house.send(house.http.get(house.url("/jwks"))).await;
    let keys = answer.json["keys"].as_array().unwrap();
    keys.iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

fn kid(token: &str) -> String {
    hallpass_protocol::jose::UnverifiedJwt::parse(token).unwrap().kid().unwrap().to_owned()
}

#[tokio::test]
async fn a_key_is_published_before_it_signs_and_after_it_has_signed() {
    const DAY: u64 = 24 * 60 * 60;
    let house = House::furnished().await;
    let old = kids(&house).await;
    house.advance(89 * DAY - 1);
    house.server.keep_house().await.unwrap();
    assert_eq!(kids(&house).await, old, "not yet");
    house.advance(1);
    house.server.keep_house().await.unwrap();
    let both = kids(&house).await;
    assert_eq!((both.len(), &both[1]), (2, &old[0]));
    house.server.keep_house().await.unwrap();
    assert_eq!(kids(&house).await, both, "one key a rotation");
    assert_eq!(kid(house.tokens().await.text("access_token")), old[0], "published, and does not sign yet");
    house.advance(DAY);
    let tokens = house.tokens().await;
    assert_eq!(kid(tokens.text("access_token")), both[0]);
    house.verify(tokens.text("access_token"));
    house.advance(DAY + 299);
    house.server.keep_house().await.unwrap();
    assert_eq!(kids(&house).await, both, "a token of the old key may be alive");
    house.advance(1);
    house.server.keep_house().await.unwrap();
    assert_eq!(kids(&house).await, both[..1]);
}

#[tokio::test]
async fn the_operator_rotates_at_once_and_tokens_of_the_old_key_stay_good() {
    let house = House::furnished().await;
    let before = house.tokens().await;
    // As the command line does it: on a store of its own.
    let keys = house.store().await.signing_keys_in_line();
    let new = keys.rotate(Algorithm::ES256, Duration::ZERO).await.unwrap();
    house.server.keep_house().await.unwrap();
    let after = house.tokens().await;
    assert_eq!(kid(after.text("access_token")), new);
    assert_ne!(kid(before.text("access_token")), new);
    house.verify(before.text("access_token"));
    house.verify(after.text("access_token"));
    // One that waits is brought forward instead of being followed by another.
    let next = keys.rotate(Algorithm::ES256, Duration::from_secs(3600)).await.unwrap();
    assert_eq!(keys.rotate(Algorithm::ES256, Duration::ZERO).await.unwrap(), next);
    house.server.keep_house().await.unwrap();
    assert_eq!(kid(house.tokens().await.text("access_token")), next);
    assert_eq!(kids(&house).await.len(), 3);
}

#[tokio::test]
async fn many_that_rotate_at_once_make_one_key() {
    let house = House::furnished().await;
    let rotations: Vec<_> = (0..8)
        .map(|_| {
            let keys = house.server.signing_keys();
            tokio::spawn(async move { keys.rotate(Algorithm::ES256, Duration::from_secs(60)).await.unwrap() })
        })
        .collect();
    let mut made = std::collections::HashSet::new();
    for rotation in rotations {
        made.insert(rotation.await.unwrap());
    }
    assert_eq!(made.len(), 1);
    assert_eq!(house.server.signing_keys().list().await.unwrap().len(), 2);
}

#[tokio::test]
async fn tokens_are_signed_with_the_algorithm_that_is_configured() {
    for algorithm in Algorithm::ALL {
        let house = House::furnished_with(|settings| settings.rotation.algorithm = algorithm).await;
        let tokens = house.tokens().await;
        let token = tokens.text("access_token");
        assert_eq!(hallpass_protocol::jose::UnverifiedJwt::parse(token).unwrap().algorithm(), algorithm);
        house.verify(token);
        let openid = house.send(house.http.get(house.url("/.well-known/openid-configuration"))).await;
        let said = &openid.json["id_token_signing_alg_values_supported"];
        assert_eq!(said, &serde_json::json!([algorithm.name()]));
    }
}

#[tokio::test]
async fn another_algorithm_comes_with_the_next_key() {
    let house = House::furnished().await;
    let settings = |settings: &mut hallpass_authorization_server::Settings| {
        settings.rotation.algorithm = Algorithm::EdDSA;
    };
    let mut changed = harness::settings(&house.issuer);
    settings(&mut changed);
    let fetcher = Fetcher::new(Policy::default()).unwrap();
    let again = AuthorizationServer::start(changed, house.store().await, fetcher).await.unwrap();
    again.keep_house().await.unwrap();
    let keys = again.signing_keys().list().await.unwrap();
    let said: Vec<_> = keys.iter().map(|key| (key.algorithm.as_str(), key.state.name())).collect();
    assert_eq!(said, [("ES256", "current"), ("EdDSA", "next")]);
}
