//! `/token`: a code of this server's for the provider's access token.

use hallpass_protocol::scope::{Scope, ScopeSet};
use serde_json::json;

use super::Fronted;
use crate::harness::{NATIVE, OTHER, WEB, redemption, set};

#[tokio::test]
async fn the_client_gets_the_providers_token_and_a_refresh_token_of_ours() {
    let fronted = Fronted::furnished().await;
    fronted.party.script().lifetime = 1234;
    let tokens = fronted.tokens().await;
    assert_eq!(tokens.text("access_token"), "canary-access-1");
    assert_eq!(tokens.text("token_type"), "Bearer");
    assert_eq!(tokens.json["expires_in"], 1234);
    assert_eq!(tokens.text("scope"), "notes:read notes:write");
    assert!(!tokens.text("refresh_token").contains("canary"));
    assert!(tokens.json.get("id_token").is_none());
    assert_eq!(tokens.header("cache-control"), Some("no-store"));
}

#[tokio::test]
async fn a_lifetime_is_as_much_as_is_left_of_it() {
    let fronted = Fronted::furnished().await;
    fronted.party.script().lifetime = 100;
    let code = fronted.code().await;
    fronted.advance(30);
    let tokens = fronted.house.post("/token", &redemption(&code)).await;
    assert_eq!(tokens.json["expires_in"], 70);
    fronted.party.script().answer = json!({ "expires_in": null });
    assert!(fronted.tokens().await.json.get("expires_in").is_none(), "as the provider said: nothing");
}

#[tokio::test]
async fn a_provider_without_refresh_tokens_leaves_the_client_without() {
    let fronted = Fronted::furnished().await;
    fronted.party.script().answer = json!({ "refresh_token": null });
    assert!(fronted.tokens().await.json.get("refresh_token").is_none());
}

// Rows 1 and 6 of never-again, and 9 and 10.
#[tokio::test]
async fn a_code_is_good_once_and_any_single_fault_refuses() {
    let fronted = Fronted::furnished().await;
    let house = &fronted.house;
    let code = fronted.code().await;
    for (name, value, error) in [
        ("client_id", OTHER, (400, "invalid_grant")),
        ("code", "another", (400, "invalid_grant")),
        ("redirect_uri", "http://127.0.0.1:1/callback", (400, "invalid_grant")),
        ("code_verifier", "another-verifier-that-is-long-enough-to-be-allowed", (400, "invalid_grant")),
        ("code_verifier", "", (400, "invalid_request")),
        ("resource", "https://other.example/mcp", (400, "invalid_target")),
    ] {
        let mut form: Vec<(&'static str, String)> =
            redemption(&code).iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        set(&mut form, name, value);
        let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert_eq!(house.post("/token", &form).await.error(), error, "{name}={value}");
    }
    let tokens = house.post("/token", &redemption(&code)).await;
    assert_eq!(tokens.status, 200, "{:?}", tokens.json);
    // Whoever replays it ends what came of it.
    assert_eq!(house.post("/token", &redemption(&code)).await.error(), (400, "invalid_grant"));
    let refreshed = house.refresh(NATIVE, tokens.text("refresh_token")).await;
    assert_eq!(refreshed.error(), (400, "invalid_grant"));
    assert_eq!(fronted.refreshes(), 0);
}

#[tokio::test]
async fn a_code_lives_for_a_minute() {
    let fronted = Fronted::furnished().await;
    let code = fronted.code().await;
    fronted.advance(60);
    assert_eq!(fronted.house.post("/token", &redemption(&code)).await.error(), (400, "invalid_grant"));
}

#[tokio::test]
async fn whoever_steals_the_database_finds_no_token() {
    let fronted = Fronted::furnished().await;
    let code = fronted.code().await;
    let waiting = fronted.house.everything_stored().await;
    let tokens = fronted.house.post("/token", &redemption(&code)).await;
    let refreshed = fronted.house.refresh(NATIVE, tokens.text("refresh_token")).await;
    assert_eq!(refreshed.status, 200);
    let later = fronted.house.everything_stored().await;
    let secrets = ["canary-", code.as_str(), tokens.text("refresh_token"), refreshed.text("refresh_token")];
    for stored in [waiting, later] {
        for secret in secrets {
            let found = stored.windows(secret.len()).any(|bytes| bytes == secret.as_bytes());
            assert!(!found, "{secret} stands in the database");
        }
    }
}

#[tokio::test]
async fn scopes_have_the_names_that_they_have_here() {
    let fronted = Fronted::with(|proxied| {
        let there = "https://api.example/Notes.Read".to_owned();
        for resource in &mut proxied.resources {
            resource.scopes = vec![
                (Scope::parse("notes:read").unwrap(), there.clone()),
                (Scope::parse("notes:write").unwrap(), String::new()),
            ];
        }
    })
    .await;
    fronted.party.script().answer = json!({ "scope": "openid https://api.example/Notes.Read" });
    let tokens = fronted.tokens().await;
    assert_eq!(tokens.text("scope"), "notes:read");
    let asked = &fronted.party.asked("/authorize")[0];
    assert_eq!(asked.parameters["scope"], "https://api.example/Notes.Read openid");
    fronted.party.script().answer = json!({ "scope": "openid" });
    let back = fronted.answered(&fronted.house.request()).await;
    assert_eq!(back.location_param("error").as_deref(), Some("server_error"));
    assert!(!back.location_param("error_description").unwrap().contains(super::TABLE));
}

#[tokio::test]
async fn what_every_token_may_is_not_asked_for() {
    let fronted = Fronted::with(|proxied| {
        for resource in &mut proxied.resources {
            resource.grants = ScopeSet::parse("notes:read notes:write").unwrap();
        }
    })
    .await;
    fronted.party.script().answer = json!({ "scope": "openid" });
    assert_eq!(fronted.tokens().await.text("scope"), "notes:read notes:write");
    assert_eq!(fronted.party.asked("/authorize")[0].parameters["scope"], "openid");
}

// Row 24 of never-again.
#[tokio::test]
async fn a_disabled_person_or_client_gets_nothing() {
    let fronted = Fronted::furnished().await;
    let house = &fronted.house;
    let users = house.server.users();
    let tokens = fronted.tokens().await;
    let provided = users.list().await.unwrap().into_iter().find(|user| user.name.contains("sub-of-ada"));
    let code = fronted.code().await;
    users.disable(&provided.unwrap().name).await.unwrap();
    assert_eq!(house.post("/token", &redemption(&code)).await.error(), (400, "invalid_grant"));
    let refreshed = house.refresh(NATIVE, tokens.text("refresh_token")).await;
    assert_eq!(refreshed.error(), (400, "invalid_grant"));
    assert_eq!(fronted.refreshes(), 0, "the provider is not asked");
}

#[tokio::test]
async fn what_began_in_another_arrangement_does_not_go_on() {
    let fronted = Fronted::furnished().await;
    let house = &fronted.house;
    let (code, tokens) = (fronted.code().await, fronted.tokens().await);
    // The same house, when people log in here.
    let embedded = house.replica().await;
    let send = async |form: &[(&str, &str)]| {
        house.send(house.http.post(format!("{}/token", embedded.address)).form(form)).await
    };
    assert_eq!(send(&redemption(&code)).await.error(), (400, "invalid_grant"));
    let refresh = [
        ("grant_type", "refresh_token"),
        ("client_id", NATIVE),
        ("refresh_token", tokens.text("refresh_token")),
    ];
    assert_eq!(send(&refresh).await.error(), (400, "invalid_grant"));
    // And the other way round.
    let house = crate::harness::House::furnished().await;
    let (code, own) = (house.code().await, house.tokens().await);
    let party = &fronted.party;
    let proxied =
        house.replica_with(|settings| settings.proxied = Some(super::proxied(party, settings))).await;
    let send = async |form: &[(&str, &str)]| {
        house.send(house.http.post(format!("{}/token", proxied.address)).form(form)).await
    };
    assert_eq!(send(&redemption(&code)).await.error(), (400, "invalid_grant"));
    let refresh = [
        ("grant_type", "refresh_token"),
        ("client_id", NATIVE),
        ("refresh_token", own.text("refresh_token")),
    ];
    assert_eq!(send(&refresh).await.error(), (400, "invalid_grant"));
    assert_eq!(fronted.refreshes(), 0);
}

#[tokio::test]
async fn a_confidential_client_shows_who_it_is() {
    let fronted = Fronted::furnished().await;
    let house = &fronted.house;
    let code = fronted.answered(&house.web_request()).await.location_param("code").unwrap();
    let mut form = redemption(&code).to_vec();
    form.retain(|(name, _)| !matches!(*name, "client_id" | "redirect_uri"));
    form.extend([("client_id", WEB), ("redirect_uri", crate::harness::WEB_CALLBACK)]);
    assert_eq!(house.post("/token", &form).await.error(), (401, "invalid_client"));
    form.push(("client_secret", crate::harness::WEB_SECRET));
    assert_eq!(house.post("/token", &form).await.status, 200);
}
