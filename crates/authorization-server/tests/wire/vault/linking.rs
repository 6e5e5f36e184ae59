//! Linked at a login, in words, in one browser, by one click; asked for again where something is missing.

use hallpass_authorization_server::{ActsFor, NewClient};
use hallpass_protocol::profile::Profile;
use hallpass_protocol::resource::ResourceIdentifier;
use hallpass_protocol::scope::ScopeSet;
use hallpass_testkit::person::Person;
use serde_json::json;

use super::{Delegating, scope};
use crate::harness::{NATIVE, PASSWORD, USER, set};

#[tokio::test]
async fn a_login_leads_over_the_third_party_and_says_what_for() {
    let two = Delegating::furnished().await;
    let person = Person::new();
    let page = two.house.log_in(&person, &two.house.request()).await;
    assert!(page.url().path().starts_with("/acts/hub"), "{}", page.url());
    assert!(page.text().contains("Link your account at Hub?") && page.text().contains("<code>repo</code>"));
    assert!(two.party.asked("/authorize").is_empty(), "nobody is sent there without a click");
    let consent = two.link(&person, &page).await;
    assert!(consent.text().contains("acts for you at <strong>Hub</strong>, with <code>repo</code>"));
    let asked = &two.party.asked("/authorize")[0].parameters;
    assert_eq!((asked["scope"].as_str(), asked["code_challenge_method"].as_str()), ("repo", "S256"));
    assert_eq!(asked["redirect_uri"], two.house.url("/providers/hub/callback"));
    assert!(!asked.contains_key("nonce") && !asked.contains_key("resource"));
    let back = consent.form().press("decision", "allow").submit().await;
    let tokens = two.house.redeem(&back.location_param("code").unwrap()).await;
    assert_eq!(tokens.status, 200, "{:?}", tokens.json);
    assert_eq!(two.token().await.unwrap(), "canary-access-1");
    assert_eq!(two.house.refresh(NATIVE, tokens.text("refresh_token")).await.status, 200);
    // The next login needs no other one, also where nothing is asked any more.
    let again = two.house.log_in(&Person::new(), &two.house.request()).await;
    assert_eq!(again.url().path(), "/consent");
    assert_eq!(two.party.asked("/authorize").len(), 1);
}

#[tokio::test]
async fn a_server_that_does_not_act_there_needs_no_link() {
    let two = Delegating::furnished().await;
    let mut request = two.house.request();
    set(&mut request, "resource", &two.house.url("/second"));
    let consent = two.house.log_in(&Person::new(), &request).await;
    assert_eq!(consent.url().path(), "/consent");
    assert!(!consent.text().contains("acts for you"));
    let back = consent.form().press("decision", "allow").submit().await;
    assert_eq!(two.house.redeem(&back.location_param("code").unwrap()).await.status, 200);
}

/// The page of consent is no way around it, and neither is a consent that is remembered.
#[tokio::test]
async fn nothing_is_granted_before_it_is_linked() {
    let two = Delegating::furnished().await;
    let person = Person::new();
    let page = two.house.log_in(&person, &two.house.request()).await;
    let consent = page.url().as_str().replace("/acts/hub", "/consent");
    assert_eq!(person.open(&consent).await.url().path(), "/acts/hub");
    // A consent that was given while it was linked, and a form that is still open.
    let consent = two.link(&person, &page).await;
    two.house.sql("DELETE FROM vault").await;
    let refused = consent.form().press("decision", "allow").submit().await;
    assert_eq!(refused.url().path(), "/acts/hub");
    let mut silent = two.house.web_request();
    set(&mut silent, "prompt", "none");
    let page = person.open(two.house.authorize_url(&silent)).await;
    assert_eq!(page.location_param("error").as_deref(), Some("consent_required"));
}

#[tokio::test]
async fn a_consent_that_is_remembered_grants_nothing_without_the_link() {
    let two = Delegating::furnished().await;
    let person = Person::new();
    let consent = two.consent(&person, &two.house.web_request()).await;
    consent.form().press("decision", "allow").submit().await;
    let open = async || person.open(two.house.authorize_url(&two.house.web_request())).await;
    assert!(open().await.location_param("code").is_some(), "remembered");
    two.house.sql("DELETE FROM vault").await;
    assert_eq!(open().await.url().path(), "/acts/hub");
}

/// Rows 4, 27 and 44 of never-again.
#[tokio::test]
async fn what_comes_back_counts_once_in_its_own_browser_for_its_own_person() {
    let two = Delegating::furnished().await;
    let person = Person::new();
    let page = two.house.log_in(&person, &two.house.request()).await;
    let callback = two.to_the_callback(&person, &page).await;
    let other = Person::new();
    assert_eq!(other.arrive(&callback).await.status(), 400, "another browser");
    let changed = callback.replace("state=", "state=x");
    assert_eq!(person.arrive(changed).await.status(), 400);
    assert_eq!(two.linked().await, 0);
    assert_eq!(person.arrive(&callback).await.url().path(), "/consent");
    assert_eq!(person.arrive(&callback).await.status(), 400, "twice");
    assert_eq!(two.party.asked("/token").len(), 1);

    // Somebody else has logged in with that browser meanwhile.
    two.house.server.users().add("eve", hallpass_protocol::secret::Secret::new(PASSWORD)).await.unwrap();
    let person = Person::new();
    let login = person.open(two.house.url("/acts/hub")).await;
    let page = login.form().set("username", USER).set("password", PASSWORD).submit().await;
    let callback = two.to_the_callback(&person, &page).await;
    let account = person.open(two.house.url("/account")).await;
    let out = account.forms().into_iter().find(|form| form.target().path().ends_with("logout")).unwrap();
    out.submit().await;
    let login = person.open(two.house.url("/account")).await;
    login.form().set("username", "eve").set("password", PASSWORD).submit().await;
    assert_eq!(person.arrive(&callback).await.status(), 400);
    assert_eq!(two.linked().await, 1, "ada's, of before");
}

/// Another site leads nobody to the third party, where perhaps nothing is asked: the form is of one browser, login and purpose.
#[tokio::test]
async fn nobody_is_sent_there_by_another_site() {
    let two = Delegating::furnished().await;
    let person = Person::new();
    let page = two.house.log_in(&person, &two.house.request()).await;
    assert_eq!(page.form().set("csrf", "x").submit().await.status(), 403);
    assert_eq!(page.form().submit_as(&Person::new()).await.status(), 400, "another browser");
    // The form of the account page is none for an app's.
    let other = person.open(two.house.url("/acts/hub")).await.form();
    let csrf = other.fields().iter().find(|(name, _)| name == "csrf").unwrap().1.clone();
    assert_eq!(page.form().set("csrf", &csrf).submit().await.status(), 403);
    assert!(two.party.asked("/authorize").is_empty());
    let away = page.form().submit().await;
    assert!(away.location().unwrap().as_str().starts_with(two.party.issuer()));
}

#[tokio::test]
async fn whoever_says_no_there_or_cannot_be_asked_is_told_so_and_tries_again() {
    let two = Delegating::furnished().await;
    let person = Person::new();
    let page = two.house.log_in(&person, &two.house.request()).await;
    let denied = vec![
        ("error".to_owned(), "access_denied".to_owned()),
        ("iss".to_owned(), two.party.issuer().to_owned()),
    ];
    two.party.script().instead_of_a_code = Some(denied);
    let page = two.link(&person, &page).await;
    assert_eq!(page.status(), 403);
    assert!(page.text().contains("Nothing was linked"), "{}", page.text());
    two.party.script().instead_of_a_code = None;
    two.party.script().instead_of_tokens = Some((500, String::new()));
    let page = two.link(&person, &page).await;
    assert_eq!(page.status(), 503);
    two.party.script().instead_of_tokens = Some((200, json!({"error": "made <b>up</b>"}).to_string()));
    let page = two.link(&person, &page).await;
    assert_eq!(page.status(), 502);
    assert!(!page.text().contains("made"), "its words stand in the log alone");
    two.party.script().instead_of_tokens = None;
    let consent = two.link(&person, &page).await;
    assert_eq!(consent.url().path(), "/consent");
    assert_eq!(two.linked().await, 1);
}

#[tokio::test]
async fn what_is_needed_by_now_is_asked_for_beside_what_was() {
    let two = Delegating::with(|party| {
        let second = party.servers[0].resource.as_str().replace("/mcp", "/second");
        let resource = ResourceIdentifier::parse(&second).unwrap();
        let scopes = ScopeSet::parse("gist").unwrap();
        party.servers.push(ActsFor { resource, scopes, scope: None });
    })
    .await;
    two.tokens().await;
    let mut request = two.house.request();
    set(&mut request, "resource", &two.house.url("/second"));
    let person = Person::new();
    let consent = two.consent(&person, &request).await;
    assert_eq!(consent.url().path(), "/consent");
    let asked: ScopeSet = ScopeSet::parse(&two.party.asked("/authorize")[1].parameters["scope"]).unwrap();
    assert_eq!(asked, ScopeSet::parse("repo gist").unwrap());
    assert_eq!(two.linked().await, 1);
    assert_eq!(two.token().await.unwrap(), "canary-access-2", "what was remembered is not used any more");
}

#[tokio::test]
async fn where_a_scope_stands_for_it_it_is_linked_when_that_is_first_asked_for() {
    let two = Delegating::with(|party| party.servers[0].scope = Some(scope("notes:write"))).await;
    let mut request = two.house.request();
    set(&mut request, "scope", "notes:read");
    let code = two.house.code_for(&request).await;
    let tokens = two.house.redeem(&code).await;
    assert_eq!(tokens.status, 200, "{:?}", tokens.json);
    assert!(two.party.asked("/authorize").is_empty());
    assert!(two.token().await.is_err());
    let stepped = two.tokens().await;
    assert_eq!(two.token().await.unwrap(), "canary-access-1");
    // The session ends: so does what had that scope, and nothing else.
    two.party.end_sessions();
    two.house.advance(3_601);
    assert!(two.token().await.is_err());
    let refused = two.house.refresh(NATIVE, stepped.text("refresh_token")).await;
    assert_eq!(refused.error(), (400, "invalid_grant"));
    assert_eq!(two.house.refresh(NATIVE, tokens.text("refresh_token")).await.status, 200);
}

#[tokio::test]
async fn a_refresh_token_is_asked_for_as_the_third_party_wants_it() {
    let google = Profile::named("google").unwrap();
    let two = Delegating::with(|party| {
        let mut settings = party.provider.settings().clone();
        settings.profile.offline_parameters = google.offline_parameters;
        party.provider = hallpass_authorization_server::provider::Provider::new(settings);
    })
    .await;
    two.tokens().await;
    let asked = &two.party.asked("/authorize")[0].parameters;
    assert_eq!((asked["access_type"].as_str(), asked["prompt"].as_str()), ("offline", "consent"));
    // OpenID Connect Core §11: by a scope, where the metadata lists it. Then the ID token is of this very request.
    let two =
        Delegating::with(|party| party.servers[0].scopes = ScopeSet::parse("openid repo").unwrap()).await;
    two.party.script().metadata = json!({"scopes_supported": ["openid", "offline_access"]});
    two.party.script().claims = json!({"nonce": "another"});
    let person = Person::new();
    let page = two.house.log_in(&person, &two.house.request()).await;
    let page = two.link(&person, &page).await;
    assert_eq!(page.status(), 502);
    two.party.script().claims = json!({});
    assert_eq!(two.link(&person, &page).await.url().path(), "/consent");
    assert!(two.party.asked("/authorize")[0].parameters["scope"].contains("offline_access"));
}

#[tokio::test]
async fn a_device_is_connected_after_the_link_too() {
    // What another app needs is not asked for a device that does not.
    let two = Delegating::with(|party| {
        let mut step_up = party.servers[0].clone();
        (step_up.scope, step_up.scopes) = (Some(scope("notes:write")), ScopeSet::parse("delete").unwrap());
        party.servers.push(step_up);
    })
    .await;
    let house = &two.house;
    let resource = house.resource();
    let grant = "urn:ietf:params:oauth:grant-type:device_code";
    let client = NewClient {
        id: "tv".to_owned(),
        grant_types: vec![grant.to_owned(), "refresh_token".to_owned()],
        ..NewClient::default()
    };
    house.server.clients().add(client).await.unwrap();
    let form = [("client_id", "tv"), ("scope", "notes:read"), ("resource", resource.as_str())];
    let device = house.post("/device_authorization", &form).await;
    assert_eq!(device.status, 200, "{:?}", device.json);
    let person = Person::new();
    let login = person.open(device.text("verification_uri_complete")).await;
    let page = login.form().set("username", USER).set("password", PASSWORD).submit().await;
    assert_eq!(page.url().path(), "/acts/hub");
    let consent = two.link(&person, &page).await;
    assert_eq!(two.party.asked("/authorize")[0].parameters["scope"], "repo");
    assert!(consent.text().contains("acts for you at"), "{}", consent.text());
    let code = device.text("device_code");
    let poll = [("grant_type", grant), ("client_id", "tv"), ("device_code", code)];
    consent.form().press("decision", "allow").submit().await;
    // Unlinked before the device comes: nothing is consumed, and it is told.
    let linked = two.token().await.unwrap();
    house.sql("UPDATE vault SET issuer = 'https://other.example'").await;
    house.advance(6);
    assert_eq!(house.post("/token", &poll).await.error(), (400, "invalid_grant"));
    two.link(&person, &person.open(house.url("/acts/hub")).await).await;
    assert_ne!(two.token().await.unwrap(), linked);
    house.advance(6);
    let tokens = house.post("/token", &poll).await;
    assert_eq!(tokens.status, 200, "{:?}", tokens.json);
}
