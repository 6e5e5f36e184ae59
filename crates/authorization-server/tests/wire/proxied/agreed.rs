//! What was agreed to for one client is nothing to another: the provider knows one client, and gives it all that anybody ever
//! agreed to.

use hallpass_authorization_server::provider::{Provider, ProviderSettings};
use hallpass_authorization_server::{Agreement, Introspect, NotTaken};
use hallpass_protocol::profile::Profile;
use hallpass_protocol::scope::{Scope, ScopeSet};
use hallpass_protocol::secret::Secret;
use hallpass_testkit::person::Person;
use serde_json::json;

use super::{Fronted, TABLE};
use crate::harness::{NATIVE, OTHER, redemption, set};

/// All that people ever agreed to for the one client there.
const ALL: &str = "openid notes:read notes:write admin";

impl Fronted {
    async fn agreement(&self, token: &str) -> Option<Agreement> {
        self.agreement_at(token, &self.house.resource()).await
    }

    async fn agreement_at(&self, token: &str, resource: &str) -> Option<Agreement> {
        self.house.server.handed_on().find(&Secret::new(token), resource).await.unwrap()
    }

    /// Another login of the same client.
    async fn login(&self, resource: &str, scope: &str) -> crate::harness::Answer {
        let mut request = self.house.request();
        set(&mut request, "resource", resource);
        set(&mut request, "scope", scope);
        let code = self.answered(&request).await.location_param("code").unwrap();
        let mut form = redemption(&code).to_vec();
        form.retain(|(name, _)| *name != "resource");
        self.house.post("/token", &form).await
    }

    /// The request of another client, for less.
    fn modest(&self) -> Vec<(&'static str, String)> {
        let mut request = self.house.request();
        set(&mut request, "client_id", OTHER);
        set(&mut request, "scope", "notes:read");
        request
    }

    async fn modest_tokens(&self) -> crate::harness::Answer {
        let code = self.answered(&self.modest()).await.location_param("code").unwrap();
        let mut form = redemption(&code);
        form[1].1 = OTHER;
        self.house.post("/token", &form).await
    }
}

fn with_provider(change: impl FnOnce(&mut ProviderSettings)) -> impl FnOnce(&mut super::Proxied) {
    |proxied| {
        let mut settings = proxied.provider.settings().clone();
        change(&mut settings);
        proxied.provider = Provider::new(settings);
    }
}

#[tokio::test]
async fn each_client_has_what_was_agreed_to_for_it_and_hears_that() {
    let fronted = Fronted::furnished().await;
    fronted.party.script().answer = json!({ "scope": ALL });
    let (much, less) = (fronted.tokens().await, fronted.modest_tokens().await);
    assert_eq!((much.text("scope"), less.text("scope")), ("notes:read notes:write", "notes:read"));
    for (tokens, client) in [(&much, NATIVE), (&less, OTHER)] {
        let agreement = fronted.agreement(tokens.text("access_token")).await.unwrap();
        assert_eq!(agreement.client_id, client);
        assert_eq!(agreement.scopes.to_string(), tokens.text("scope"));
        assert_eq!(agreement.resource, fronted.house.resource());
    }
    // Nor does a refresh bring more.
    let refreshed = fronted.house.refresh(OTHER, less.text("refresh_token")).await;
    assert_eq!(refreshed.text("scope"), "notes:read");
    let agreement = fronted.agreement(refreshed.text("access_token")).await.unwrap();
    assert_eq!(agreement.scopes.to_string(), "notes:read");
    for unknown in ["canary-access-9", "canary-refresh-1", ""] {
        assert_eq!(fronted.agreement(unknown).await, None, "{unknown}");
    }
}

#[tokio::test]
async fn what_ends_a_grant_ends_what_was_handed_on_under_it() {
    let fronted = Fronted::furnished().await;
    let house = &fronted.house;
    let revoked = |agreement: &Agreement| house.server.revocations().is_revoked(&agreement.token_id);
    house.server.keep_house().await.unwrap();
    // The client gives the token back, or its refresh token.
    for given_back in ["access_token", "refresh_token"] {
        let tokens = fronted.tokens().await;
        let agreement = fronted.agreement(tokens.text("access_token")).await.unwrap();
        assert_eq!(revoked(&agreement), Ok(false));
        for (client, there) in [(OTHER, true), (NATIVE, false)] {
            let form = [("client_id", client), ("token", tokens.text(given_back))];
            assert_eq!(house.post("/revoke", &form).await.status, 200);
            assert_eq!(revoked(&agreement), Ok(!there), "{given_back} by {client}");
            assert_eq!(fronted.agreement(tokens.text("access_token")).await.is_some(), there);
        }
    }
    // A stolen code.
    let code = fronted.code().await;
    let tokens = house.post("/token", &redemption(&code)).await;
    house.post("/token", &redemption(&code)).await;
    assert_eq!(fronted.agreement(tokens.text("access_token")).await, None);
    // The person is disabled.
    let tokens = fronted.tokens().await;
    let agreement = fronted.agreement(tokens.text("access_token")).await.unwrap();
    let users = house.server.users();
    let provided = users.list().await.unwrap().into_iter().find(|user| user.name.contains("sub-of-ada"));
    users.disable(&provided.unwrap().name).await.unwrap();
    assert_eq!(revoked(&agreement), Ok(true));
    assert_eq!(fronted.agreement(tokens.text("access_token")).await, None);
}

#[tokio::test]
async fn a_token_that_the_provider_does_not_take_back_is_dead_here() {
    let fronted = Fronted::furnished().await;
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    fronted.party.script().metadata = json!({ "revocation_endpoint": format!("http://{nobody}/") });
    let tokens = fronted.tokens().await;
    let form = [("client_id", NATIVE), ("token", tokens.text("access_token"))];
    assert_eq!(fronted.house.post("/revoke", &form).await.error(), (503, "temporarily_unavailable"));
    assert_eq!(fronted.agreement(tokens.text("access_token")).await, None);
    fronted.party.script().metadata = json!({});
    fronted.advance(3601);
    assert_eq!(fronted.house.post("/revoke", &form).await.status, 200);
    assert_eq!(fronted.given_back(), ["canary-access-1"], "and is given back when it may be");
}

#[tokio::test]
async fn a_token_that_was_given_back_stays_dead_though_its_answer_comes_again() {
    let fronted = Fronted::furnished().await;
    let first = fronted.tokens().await.text("refresh_token").to_owned();
    let token = fronted.house.refresh(NATIVE, &first).await.text("access_token").to_owned();
    assert!(fronted.agreement(&token).await.is_some());
    fronted.house.post("/revoke", &[("client_id", NATIVE), ("token", &token)]).await;
    let again = fronted.house.refresh(NATIVE, &first).await;
    assert_eq!(again.text("access_token"), token, "as lost answers do");
    assert_eq!(fronted.agreement(&token).await, None);
}

#[tokio::test]
async fn the_very_token_of_another_client_is_not_handed_on() {
    let fronted = Fronted::furnished().await;
    fronted.party.script().answer = json!({ "access_token": "the-same" });
    fronted.tokens().await;
    let other = fronted.modest_tokens().await;
    assert_eq!(other.error(), (500, "server_error"));
    assert_eq!(fronted.agreement("the-same").await.unwrap().client_id, NATIVE);
    assert_eq!(fronted.tokens().await.status, 200, "its own client may have it again");
}

/// One token, and two logins of one client: whoever holds it may do what was agreed to at both, whichever came first.
#[tokio::test]
async fn the_very_token_of_another_login_is_bounded_by_both() {
    for logins in [["notes:read notes:write", "notes:read"], ["notes:read", "notes:read notes:write"]] {
        let fronted = Fronted::furnished().await;
        let resource = fronted.house.resource();
        fronted.party.script().answer = json!({ "access_token": "the-same", "scope": ALL });
        let first = fronted.login(&resource, logins[0]).await;
        assert_eq!(first.text("scope"), logins[0]);
        let second = fronted.login(&resource, logins[1]).await;
        assert_eq!(second.text("scope"), "notes:read", "and its client hears that");
        let agreement = fronted.agreement("the-same").await.unwrap();
        assert_eq!(agreement.scopes.to_string(), "notes:read", "{logins:?}");
        // Nor does a refresh, which brings the same again.
        let again = fronted.house.refresh(NATIVE, second.text("refresh_token")).await;
        assert_eq!(again.text("scope"), "notes:read");
        // It is dead with either of them.
        fronted.house.server.keep_house().await.unwrap();
        fronted.house.post("/revoke", &[("client_id", NATIVE), ("token", first.text("refresh_token"))]).await;
        let revocations = fronted.house.server.revocations();
        assert_eq!(revocations.is_revoked(&agreement.token_id), Ok(true));
        assert_eq!(fronted.agreement("the-same").await, None);
        // A new login brings it anew, under what lives.
        let third = fronted.login(&resource, "notes:read notes:write").await;
        assert_eq!(third.text("scope"), logins[1], "{logins:?}");
        assert_eq!(fronted.agreement("the-same").await.unwrap().scopes.to_string(), logins[1]);
    }
}

/// A token that outlives its logins: the first that ends is its end, and does not leave it to the wider one.
#[tokio::test]
async fn the_very_token_ends_with_the_first_of_its_logins() {
    const DAY: u64 = 24 * 60 * 60;
    let fronted = Fronted::furnished().await;
    let resource = fronted.house.resource();
    fronted.party.script().answer =
        json!({ "access_token": "the-same", "scope": ALL, "expires_in": 1000 * DAY });
    assert_eq!(fronted.login(&resource, "notes:read").await.status, 200);
    fronted.advance(100 * DAY);
    assert_eq!(fronted.login(&resource, "notes:read notes:write").await.text("scope"), "notes:read");
    assert_eq!(fronted.agreement("the-same").await.unwrap().scopes.to_string(), "notes:read");
    fronted.advance(81 * DAY);
    assert_eq!(fronted.agreement("the-same").await, None);
    fronted.house.store().await.sweep().await.unwrap();
    assert_eq!(fronted.agreement("the-same").await, None, "nor without the row of what bounded it");
    let third = fronted.login(&resource, "notes:read notes:write").await;
    assert_eq!(third.text("scope"), "notes:read notes:write", "what has ended bounds nothing");
    assert!(fronted.agreement("the-same").await.is_some());
}

/// Whoever remembers it from its first login, by the name that it had then, hears that it was given back.
#[tokio::test]
async fn the_very_token_is_dead_under_each_name_that_it_had() {
    let fronted = Fronted::furnished().await;
    let resource = fronted.house.resource();
    fronted.party.script().answer = json!({ "access_token": "the-same", "scope": ALL });
    assert_eq!(fronted.login(&resource, "notes:read").await.status, 200);
    let first = fronted.agreement("the-same").await.unwrap().token_id;
    assert_eq!(fronted.login(&resource, "notes:read").await.status, 200);
    fronted.house.server.keep_house().await.unwrap();
    assert_eq!(fronted.house.server.revocations().is_revoked(&first), Ok(false));
    fronted.house.post("/revoke", &[("client_id", NATIVE), ("token", "the-same")]).await;
    assert_eq!(fronted.house.server.revocations().is_revoked(&first), Ok(true));
}

#[tokio::test]
async fn the_very_token_for_two_servers_is_bounded_at_each() {
    let fronted = Fronted::furnished().await;
    let (first, second) = (fronted.house.resource(), fronted.house.url("/second"));
    fronted.party.script().answer = json!({ "access_token": "the-same", "scope": ALL });
    assert_eq!(fronted.login(&first, "notes:read notes:write").await.status, 200);
    assert_eq!(fronted.login(&second, "notes:read").await.status, 200);
    for (resource, scopes) in [(&first, "notes:read notes:write"), (&second, "notes:read")] {
        let agreement = fronted.agreement_at("the-same", resource).await.unwrap();
        assert_eq!((&agreement.resource, agreement.scopes.to_string().as_str()), (resource, scopes));
    }
    let elsewhere = fronted.agreement_at("the-same", "https://other.example/mcp").await.unwrap();
    assert_ne!(elsewhere.resource, "https://other.example/mcp");
    // Given back, it is dead at both.
    fronted.house.server.keep_house().await.unwrap();
    fronted.house.post("/revoke", &[("client_id", NATIVE), ("token", "the-same")]).await;
    assert_eq!(fronted.house.server.revocations().is_revoked(&elsewhere.token_id), Ok(true));
    for resource in [&first, &second] {
        assert_eq!(fronted.agreement_at("the-same", resource).await, None);
    }
}

/// Nothing in common: there is nothing that both agreed to.
#[tokio::test]
async fn the_very_token_for_something_else_is_not_handed_on() {
    let fronted = Fronted::furnished().await;
    let resource = fronted.house.resource();
    fronted.party.script().answer = json!({ "access_token": "the-same", "scope": ALL });
    assert_eq!(fronted.login(&resource, "notes:write").await.status, 200);
    assert_eq!(fronted.login(&resource, "notes:read").await.error(), (500, "server_error"));
    assert_eq!(fronted.agreement("the-same").await.unwrap().scopes.to_string(), "notes:write");
}

#[tokio::test]
async fn what_is_asked_for_besides_stands_on_the_page() {
    let fronted = Fronted::with(with_provider(|settings| {
        settings.scopes = ScopeSet::parse("openid email https://api.example/offline").unwrap();
    }))
    .await;
    let page = fronted.consent(&Person::new(), &fronted.house.request()).await.text().to_owned();
    for scope in ["notes:read", "notes:write", "openid", "email", "https://api.example/offline"] {
        assert!(page.contains(&format!("<code>{scope}</code>")), "{scope}\n{page}");
    }
    assert!(page.contains("can do no more than what is listed above"), "{page}");
    let asked = fronted.agreed(&Person::new(), &fronted.house.request()).await;
    let asked = super::parameter(&asked, "scope").unwrap();
    assert_eq!(asked, "notes:read notes:write openid email https://api.example/offline");

    let entra = Profile { resource_in_scopes: true, ..Profile::default() };
    let fronted = Fronted::with(|proxied| {
        with_provider(|settings| settings.profile = entra)(proxied);
        for resource in &mut proxied.resources {
            resource.scopes = vec![(Scope::parse("notes:read").unwrap(), String::new())];
        }
    })
    .await;
    let page = fronted.consent(&Person::new(), &fronted.modest()).await.text().to_owned();
    assert!(page.contains("<code>api://notes/.default</code>"), "all that was ever agreed to: {page}");
}

// Rows 22 and 26 of never-again: whom an opaque token is for shows to whoever asks.
#[tokio::test]
async fn an_opaque_token_is_asked_about_before_a_client_has_it() {
    let answer = std::sync::Arc::new(std::sync::Mutex::new(Ok(())));
    let said = std::sync::Arc::clone(&answer);
    let fronted = Fronted::with(move |proxied| {
        for resource in &mut proxied.resources {
            let said = std::sync::Arc::clone(&said);
            resource.introspect =
                Some(Introspect::new(move |_| std::future::ready(said.lock().unwrap().clone())));
        }
    })
    .await;
    let token = fronted.tokens().await.text("refresh_token").to_owned();
    *answer.lock().unwrap() = Err(NotTaken::Refused("it is for another".to_owned()));
    let back = fronted.answered(&fronted.house.request()).await;
    assert_eq!(back.location_param("error").as_deref(), Some("server_error"));
    let why = back.location_param("error_description").unwrap();
    assert!(why.contains("would be refused here"), "{why}");
    assert!(!why.contains("it is for another") && !why.contains(TABLE), "that is for the log: {why}");
    assert_eq!(fronted.house.refresh(NATIVE, &token).await.error(), (500, "server_error"));
    *answer.lock().unwrap() = Err(NotTaken::Unknown);
    let back = fronted.answered(&fronted.house.request()).await;
    assert_eq!(back.location_param("error").as_deref(), Some("temporarily_unavailable"));
    assert_eq!(fronted.house.refresh(NATIVE, &token).await.error(), (503, "temporarily_unavailable"));
    // Nothing was lost by any of that.
    *answer.lock().unwrap() = Ok(());
    assert_eq!(fronted.house.refresh(NATIVE, &token).await.status, 200);

    let fronted = Fronted::with(|proxied| {
        proxied.resources.iter_mut().for_each(|resource| resource.introspect = None);
    })
    .await;
    let back = fronted.answered(&fronted.house.request()).await;
    assert_eq!(back.location_param("code"), None);
    let why = back.location_param("error_description").unwrap();
    assert!(why.contains("opaque") && !why.contains(TABLE), "{why}");
}
