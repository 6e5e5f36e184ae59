//! `/revoke`: a client gives a token back.

use crate::harness;
use harness::{House, NATIVE, OTHER, WEB};

#[tokio::test]
async fn a_refresh_token_takes_its_grant_along() {
    let house = House::furnished().await;
    let tokens = house.tokens().await;
    let next = house.refresh(NATIVE, tokens.text("refresh_token")).await;
    // Any token of the family will do, the used one too.
    let form = [("client_id", NATIVE), ("token", tokens.text("refresh_token"))];
    assert_eq!(house.post("/revoke", &form).await.status, 200);
    for answer in [&tokens, &next] {
        assert!(house.is_revoked(answer.text("access_token")));
        let refreshed = house.refresh(NATIVE, answer.text("refresh_token")).await;
        assert_eq!(refreshed.error(), (400, "invalid_grant"));
    }
}

#[tokio::test]
async fn an_access_token_goes_alone() {
    let house = House::furnished().await;
    let tokens = house.tokens().await;
    let next = house.refresh(NATIVE, tokens.text("refresh_token")).await;
    let form =
        [("client_id", NATIVE), ("token", tokens.text("access_token")), ("token_type_hint", "refresh_token")];
    assert_eq!(house.post("/revoke", &form).await.status, 200);
    assert!(house.is_revoked(tokens.text("access_token")));
    assert!(!house.is_revoked(next.text("access_token")));
    assert_eq!(house.refresh(NATIVE, next.text("refresh_token")).await.status, 200);
}

// Row 47 of never-again.
#[tokio::test]
async fn another_client_changes_nothing() {
    let house = House::furnished().await;
    let tokens = house.tokens().await;
    for token in ["access_token", "refresh_token"] {
        let form = [("client_id", OTHER), ("token", tokens.text(token))];
        let answer = house.post("/revoke", &form).await;
        assert_eq!(answer.status, 200, "and it is not told whether the token exists");
    }
    assert!(!house.is_revoked(tokens.text("access_token")));
    assert_eq!(house.refresh(NATIVE, tokens.text("refresh_token")).await.status, 200);
}

#[tokio::test]
async fn who_asks_has_to_be_a_client() {
    let house = House::furnished().await;
    let tokens = house.tokens().await;
    let token = ("token", tokens.text("refresh_token"));
    assert_eq!(house.post("/revoke", &[token]).await.error(), (401, "invalid_client"));
    let wrong = [("client_id", WEB), ("client_secret", "wrong"), token];
    assert_eq!(house.post("/revoke", &wrong).await.error(), (401, "invalid_client"));
    assert_eq!(house.post("/revoke", &[("client_id", NATIVE)]).await.error(), (400, "invalid_request"));
}

#[tokio::test]
async fn a_token_that_nobody_knows_is_revoked_already() {
    let house = House::furnished().await;
    for token in ["x", "a.b.c", &"x".repeat(40_000)] {
        let answer = house.post("/revoke", &[("client_id", NATIVE), ("token", token)]).await;
        assert_eq!(answer.status, 200);
    }
}
