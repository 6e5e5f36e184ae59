//! Rows 22 and 26 of never-again: the token that a client gets is for this server.

use serde_json::json;

use super::{CALLED, Fronted, TABLE};
use crate::harness::NATIVE;

#[tokio::test]
async fn a_token_for_another_is_not_handed_on() {
    let fronted = Fronted::furnished().await;
    for aud in [json!("https://graph.example"), json!(["a", "b"]), json!(null)] {
        fronted.party.script().access_claims = Some(json!({ "aud": aud }));
        let back = fronted.answered(&fronted.house.request()).await;
        assert_eq!(back.location_param("code"), None);
        assert_eq!(back.location_param("error").as_deref(), Some("server_error"));
        assert!(!back.location_param("error_description").unwrap().contains(TABLE), "that is for the log");
    }
    for aud in [json!(CALLED), json!([fronted.house.resource()]), json!(["x", CALLED])] {
        fronted.party.script().access_claims = Some(json!({ "aud": aud }));
        assert_eq!(fronted.tokens().await.text("access_token").split('.').count(), 3);
    }
}

#[tokio::test]
async fn nor_at_a_refresh_and_nothing_is_lost_by_that() {
    let fronted = Fronted::furnished().await;
    fronted.party.script().access_claims = Some(json!({ "aud": CALLED }));
    let token = fronted.tokens().await.text("refresh_token").to_owned();
    fronted.party.script().access_claims = Some(json!({ "aud": "https://graph.example" }));
    let refused = fronted.house.refresh(NATIVE, &token).await;
    assert_eq!(refused.error(), (500, "server_error"));
    assert!(!refused.text("error_description").contains(TABLE), "that is for the log");
    // The provider has rotated, and what it gave is kept.
    fronted.party.script().access_claims = Some(json!({ "aud": CALLED }));
    assert_eq!(fronted.house.refresh(NATIVE, &token).await.status, 200);
}

#[tokio::test]
async fn who_is_nobody_gets_nothing() {
    let fronted = Fronted::with(|proxied| {
        let mut settings = proxied.provider.settings().clone();
        settings.scopes = hallpass_protocol::scope::ScopeSet::default();
        proxied.provider = hallpass_authorization_server::provider::Provider::new(settings);
    })
    .await;
    // An opaque token, and no ID token: whose it is cannot be known.
    let back = fronted.answered(&fronted.house.request()).await;
    assert_eq!(back.location_param("error").as_deref(), Some("server_error"));
    // A JWT says it.
    fronted.party.script().access_claims = Some(json!({ "aud": CALLED }));
    fronted.tokens().await;
    let users = fronted.house.server.users().list().await.unwrap();
    assert_eq!(users.iter().filter(|user| user.name.contains("sub-of-ada")).count(), 1);
}
