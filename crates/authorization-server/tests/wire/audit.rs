//! The audit log: what is in it, who reads it, and that no stranger fills it.

use crate::harness;
use hallpass_authorization_server::{AuditEvent, AuditFilter, RegistrationPolicy};
use hallpass_protocol::secret::Secret;
use hallpass_testkit::person::Person;
use harness::{House, NATIVE, OTHER, PASSWORD, USER, WEB, set};

async fn events(house: &House, filter: AuditFilter) -> Vec<AuditEvent> {
    house.server.close().await.unwrap();
    house.server.audit_log().list(&filter, 1000).await.unwrap()
}

/// Newest first.
async fn names(house: &House, filter: AuditFilter) -> Vec<String> {
    events(house, filter).await.into_iter().map(|event| event.event).collect()
}

fn client(id: &str) -> AuditFilter {
    AuditFilter { client: Some(id.to_owned()), ..AuditFilter::default() }
}

fn user(name: &str) -> AuditFilter {
    AuditFilter { user: Some(name.to_owned()), ..AuditFilter::default() }
}

#[tokio::test]
async fn a_login_a_consent_and_what_comes_of_them() {
    let house = House::furnished().await;
    let code = house.code().await;
    let tokens = house.redeem(&code).await;
    let refresh = tokens.text("refresh_token");
    assert_eq!(house.refresh(NATIVE, refresh).await.status, 200);
    assert_eq!(house.refresh(OTHER, refresh).await.status, 400);
    house.advance(61);
    assert_eq!(house.refresh(NATIVE, refresh).await.status, 400);
    let expected = [
        "request_refused",
        "refresh_token_replayed",
        "token_issued",
        "token_issued",
        "consent_given",
        "client_added",
    ];
    assert_eq!(names(&house, client(NATIVE)).await, expected);
    let other = events(&house, client(OTHER)).await;
    let detail = other[0].detail.as_deref().unwrap();
    assert!(detail.starts_with("/token: invalid_grant: "), "{detail}");
    let of_ada = events(&house, user(USER)).await;
    let issued = of_ada.iter().find(|event| event.event == "token_issued").unwrap();
    assert_eq!(issued.user_name.as_deref(), Some(USER));
    assert_eq!(issued.detail.as_deref(), Some(&*format!("notes:read notes:write for {}", house.resource())));
    let grant = house.verify(tokens.text("access_token")).jti;
    assert!(grant.starts_with(issued.grant_id.as_deref().unwrap()));
    let login = of_ada.iter().find(|event| event.event == "login").unwrap();
    assert!(login.detail.as_deref().unwrap().starts_with("by password"), "{login:?}");
}

#[tokio::test]
async fn a_code_that_is_replayed_and_a_token_that_is_given_back() {
    let house = House::furnished().await;
    let code = house.code().await;
    let tokens = house.redeem(&code).await;
    let form = [("client_id", NATIVE), ("token", tokens.text("access_token"))];
    // Of somebody else's nothing comes.
    house.post("/revoke", &[("client_id", OTHER), form[1]]).await;
    house.post("/revoke", &form).await;
    house.redeem(&code).await;
    let names = names(&house, client(NATIVE)).await;
    assert_eq!(names[..3], ["request_refused", "code_replayed", "token_revoked"]);
    assert!(!events(&house, client(OTHER)).await.iter().any(|event| event.event == "token_revoked"));
}

#[tokio::test]
async fn what_a_person_denies_and_mistypes() {
    let house = House::furnished().await;
    let consent = house.log_in(&Person::new(), &house.request()).await;
    consent.form().press("decision", "deny").submit().await;
    let page = Person::new().open(house.authorize_url(&house.request())).await;
    page.form().set("username", USER).set("password", "wrong").submit().await;
    let page = Person::new().open(house.authorize_url(&house.request())).await;
    page.form().set("username", "hunter2").set("password", "wrong").submit().await;
    let all = events(&house, AuditFilter::default()).await;
    assert_eq!(all[0].event, "login_refused");
    assert_eq!((&all[0].user_id, all[0].address.as_deref()), (&None, Some("127.0.0.1")));
    assert_eq!(all[1].user_name.as_deref(), Some(USER));
    assert!(!format!("{all:?}").contains("hunter2"), "people type passwords there");
    assert_eq!(names(&house, user(USER)).await[..2], ["login_refused", "consent_denied"]);
}

#[tokio::test]
async fn an_error_page_is_found_by_its_reference() {
    let house = House::furnished().await;
    let page = Person::new().open(house.url("/authorize?client_id=nobody")).await;
    assert_eq!(page.status(), 400);
    let text = page.text();
    let reference = text.split("Reference <code>").nth(1).unwrap().split('<').next().unwrap();
    let filter = AuditFilter { reference: Some(reference.to_owned()), ..AuditFilter::default() };
    let found = events(&house, filter).await;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].event, "error_page");
    let detail = found[0].detail.as_deref().unwrap();
    assert!(
        detail.starts_with("GET /authorize: client_unknown: The client “nobody” cannot be let in"),
        "{detail}"
    );
    assert_eq!(
        (found[0].client_id.as_deref(), found[0].address.as_deref()),
        (Some("nobody"), Some("127.0.0.1"))
    );
    assert!(text.contains(&format!("hallpass audit --reference {reference}")), "{text}");
}

/// Every page that says no has one, and the log says which rule it was, and what lies behind it.
#[tokio::test]
async fn every_error_page_has_a_reference_with_its_rule() {
    let house = House::furnished_with(|settings| settings.registration = RegistrationPolicy::default()).await;
    let mut foreign = house.request();
    set(&mut foreign, "redirect_uri", "http://127.0.0.1/elsewhere");
    let foreign = house.authorize_url(&foreign);
    let metadata = serde_json::json!({
        "redirect_uris": ["https://app.example/cb"], "token_endpoint_auth_method": "none",
    });
    let stranger = house.send(house.http.post(house.url("/register")).json(&metadata)).await;
    let stranger = format!("/authorize?client_id={}&response_type=token", stranger.text("client_id"));
    for (url, rule) in [
        (house.url("/authorize"), "client_missing"),
        (house.url("/authorize?client_id=a&client_id=b"), "unreadable_request"),
        (foreign.to_string(), "redirect_uri_unregistered"),
        (house.url(&stranger), "unsupported_response_type"),
        (house.url("/consent?interaction=x"), "lost_interaction"),
        (house.url("/login?interaction=x"), "lost_interaction"),
        (house.url("/setup?token=x"), "used_setup_link"),
        (house.url("/link?token=x"), "dead_link"),
        (house.url("/consent"), "lost_interaction"),
    ] {
        let page = Person::new().open(&url).await;
        let text = page.text();
        let reference = text.split("Reference <code>").nth(1).expect(text).split('<').next().unwrap();
        let filter = AuditFilter { reference: Some(reference.to_owned()), ..AuditFilter::default() };
        let found = events(&house, filter).await;
        let path = page.url().path();
        let detail = found[0].detail.as_deref().unwrap();
        assert!(detail.starts_with(&format!("GET {path}: {rule}: ")), "{url}: {detail}");
    }
}

#[tokio::test]
async fn what_is_done_by_hand_is_written_at_once_with_who_did_it() {
    let house = House::furnished().await;
    let store = house.store().await;
    store.users().disable(USER).await.unwrap();
    store.users().disable("nobody").await.unwrap();
    store.clients().disable(WEB).await.unwrap();
    let (id, _) = store
        .clients()
        .issue_initial_access_token("", Some(1), std::time::Duration::from_secs(60))
        .await
        .unwrap();
    // Another process reads it, and nobody has kept house.
    let found = house.server.audit_log().list(&AuditFilter::default(), 3).await.unwrap();
    let seen: Vec<_> = found.iter().map(|event| (event.event.as_str(), event.actor.as_deref())).collect();
    let by = Some("command line");
    assert_eq!(seen, [("initial_token_issued", by), ("client_disabled", by), ("user_disabled", by)]);
    assert_eq!(found[0].detail.as_deref(), Some(id.as_str()));
    assert_eq!(found[2].user_name.as_deref(), Some(USER));
}

#[tokio::test]
async fn a_client_that_registers_changes_and_removes_itself() {
    let house = House::furnished().await;
    let metadata = serde_json::json!({
        "client_name": "An app", "redirect_uris": ["http://127.0.0.1/cb"], "token_endpoint_auth_method": "none",
    });
    let made = house.send(house.http.post(house.url("/register")).json(&metadata)).await;
    let (id, uri) = (made.text("client_id"), made.text("registration_client_uri"));
    let mut changed = metadata.clone();
    changed["client_id"] = id.into();
    let put = house.http.put(uri).bearer_auth(made.text("registration_access_token")).json(&changed);
    let put = house.send(put).await;
    house.send(house.http.delete(uri).bearer_auth(put.text("registration_access_token"))).await;
    let found = events(&house, client(id)).await;
    let seen: Vec<_> = found.iter().map(|event| event.event.as_str()).collect();
    assert_eq!(seen, ["client_removed", "client_changed", "client_registered"]);
    assert_eq!(found[2].detail.as_deref(), Some("name \"An app\", to http://127.0.0.1/cb"));
}

#[tokio::test]
async fn no_client_writes_into_the_log_by_its_name() {
    let house = House::furnished().await;
    let metadata = serde_json::json!({
        "client_name": "A\", to https://bank.example, with the token \\",
        "redirect_uris": ["http://127.0.0.1/cb"], "token_endpoint_auth_method": "none",
    });
    let made = house.send(house.http.post(house.url("/register")).json(&metadata)).await;
    let found = events(&house, client(made.text("client_id"))).await;
    let expected = r#"name "A\", to https://bank.example, with the token \\", to http://127.0.0.1/cb"#;
    assert_eq!(found[0].detail.as_deref(), Some(expected));
}

#[tokio::test]
async fn a_flood_of_refusals_is_counted_and_nothing_else_is_lost() {
    let house = House::furnished().await;
    for _ in 0..320 {
        house.redeem("x").await;
    }
    let page = Person::new().open(house.authorize_url(&house.request())).await;
    page.form().set("username", USER).set("password", "wrong").submit().await;
    house.tokens().await;
    let names = names(&house, AuditFilter::default()).await;
    assert_eq!(names.iter().filter(|name| *name == "request_refused").count(), 300);
    for kept in ["left_out", "login_refused", "token_issued", "login"] {
        assert!(names.iter().any(|name| name == kept), "{kept}");
    }
}

#[tokio::test]
async fn an_administrator_reads_it_page_by_page() {
    let house = House::furnished().await;
    house.server.users().add("boss", Secret::new(PASSWORD)).await.unwrap();
    house.server.users().set_admin("boss", true).await.unwrap();
    for _ in 0..60 {
        house.redeem("x").await;
    }
    house.tokens().await;
    house.server.close().await.unwrap();
    let boss = Person::new();
    let login = boss.open(house.url("/admin/audit")).await;
    let page = login.form().set("username", "boss").set("password", PASSWORD).submit().await;
    assert_eq!(page.status(), 200, "{}", page.text());
    let shown = |text: &str| text.matches("<li>").count();
    assert_eq!(shown(page.text()), 50);
    let older = page.text().split("<p><a href=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let older = boss.open(house.url(&older.replace("&#38;", "&").replace("&amp;", "&"))).await;
    assert!(shown(older.text()) > 10 && older.text().contains("User added"), "{}", older.text());
    let form = page.form();
    assert_eq!(form.target().path(), "/admin/audit");
    let found = boss.open(house.url(&format!("/admin/audit?user={USER}&client={NATIVE}&reference="))).await;
    assert_eq!(shown(found.text()), 2, "{}", found.text());
    assert!(found.text().contains("Token issued") && found.text().contains("Allowed an app"));
    let nothing = boss.open(house.url("/admin/audit?reference=%3Cscript%3E")).await;
    assert!(nothing.text().contains("Nothing is recorded") && !nothing.text().contains("<script>"));
    // Nobody else.
    let login = Person::new().open(house.url("/admin/audit")).await;
    let ada = login.form().set("username", USER).set("password", PASSWORD).submit().await;
    assert_eq!(ada.status(), 403);
}

/// Whoever has an old code can send it as often as they like.
#[tokio::test]
async fn a_code_that_comes_again_and_again_is_noted_once() {
    let house = House::furnished().await;
    let code = house.code().await;
    assert_eq!(house.redeem(&code).await.status, 200);
    for _ in 0..5 {
        assert_eq!(house.redeem(&code).await.error(), (400, "invalid_grant"));
    }
    let names = names(&house, client(NATIVE)).await;
    assert_eq!(names.iter().filter(|name| *name == "code_replayed").count(), 1);
}

/// For whoever sweeps a database without an authorization server.
#[tokio::test]
async fn without_a_server_it_is_kept_as_long_as_is_said() {
    const DAY: u64 = 24 * 60 * 60;
    let house = House::furnished().await;
    let bare = house.store().await;
    bare.audit_log().keep_for(std::time::Duration::from_secs(2 * DAY));
    let added = async || names(&house, client(NATIVE)).await;
    house.advance(2 * DAY - 1);
    bare.sweep().await.unwrap();
    assert_eq!(added().await, ["client_added"]);
    house.advance(1);
    bare.sweep().await.unwrap();
    assert!(added().await.is_empty());
}
