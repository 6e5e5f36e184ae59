//! `/account`: connected apps, sessions, password.

use crate::harness;
use hallpass_protocol::secret::Secret;
use hallpass_testkit::person::{Form, Page, Person};
use harness::{House, NATIVE, PASSWORD, USER};

fn form(page: &Page, path: &str) -> Form {
    let found = page.forms().into_iter().find(|form| form.target().path() == path);
    found.unwrap_or_else(|| panic!("no form for {path}:\n{}", page.text()))
}

async fn log_in_to(house: &House, person: &Person, path: &str, user: &str) -> Page {
    let page = person.open(house.url(path)).await;
    assert!(page.url().path().ends_with("/login"), "{path} wants a login");
    let page = page.form().set("username", user).set("password", PASSWORD).submit().await;
    assert_eq!(page.url().path(), path, "{}", page.text());
    page
}

#[tokio::test]
async fn connected_apps_are_listed_and_disconnected_at_once() {
    let house = House::furnished().await;
    let tokens = house.tokens().await;
    let (access, refresh) = (tokens.text("access_token"), tokens.text("refresh_token"));
    let person = Person::new();
    let account = log_in_to(&house, &person, "/account", USER).await;
    for part in [NATIVE, "read your notes", "write and change your notes", "Connected just now"] {
        assert!(account.text().contains(part), "{part} is missing:\n{}", account.text());
    }
    assert!(!house.is_revoked(access));
    let disconnect = form(&account, "/account/apps");
    let (name, grant) = disconnect.buttons()[0].clone();
    let question = disconnect.clone().press(&name, &grant).submit().await;
    assert!(question.text().contains(&format!("Disconnect {NATIVE}?")), "{}", question.text());
    assert!(!house.is_revoked(access), "nothing ends before the answer");
    let account = disconnect.press(&name, &grant).submit_and_confirm().await;
    assert!(account.text().contains("No app is connected"), "{}", account.text());
    assert!(house.is_revoked(access), "the access token is over at once");
    assert_eq!(house.refresh(NATIVE, refresh).await.error(), (400, "invalid_grant"));
}

/// What a scope of OpenID's stands for is said in words, as every other.
#[tokio::test]
async fn an_app_that_may_stay_connected_is_said_so_in_words() {
    let house = House::furnished().await;
    let mut request = house.request();
    harness::set(&mut request, "scope", "notes:read offline_access");
    house.redeem(&house.code_for(&request).await).await;
    let account = log_in_to(&house, &Person::new(), "/account", USER).await;
    let text = account.text();
    assert!(text.contains("stay connected while you are away") && !text.contains("offline_access"), "{text}");
}

#[tokio::test]
async fn nobody_disconnects_what_is_not_theirs() {
    let house = House::furnished().await;
    house.server.users().add("eve", Secret::new(PASSWORD)).await.unwrap();
    let tokens = house.tokens().await;
    let owners = log_in_to(&house, &Person::new(), "/account", USER).await;
    let (name, grant) = form(&owners, "/account/apps").buttons()[0].clone();
    let person = Person::new();
    let eves = log_in_to(&house, &person, "/account", "eve").await;
    assert!(!eves.text().contains(NATIVE), "{}", eves.text());
    // Eve has a form token of her own for the page; only the grant is another's.
    let csrf = form(&eves, "/account/logout").fields().to_vec();
    let csrf = &csrf.iter().find(|(field, _)| field == "csrf").unwrap().1;
    let forged = form(&owners, "/account/apps").set(&name, &grant).set("csrf", csrf).set("confirmed", "yes");
    forged.submit_as(&person).await;
    assert!(!house.is_revoked(tokens.text("access_token")));
}

#[tokio::test]
async fn an_app_that_was_disconnected_is_asked_about_anew() {
    let house = House::furnished().await;
    let person = Person::new();
    let consent = house.log_in(&person, &house.web_request()).await;
    let back = consent.form().press("decision", "allow").submit().await;
    let code = back.location_param("code").unwrap();
    let basic = house.http.post(house.url("/token")).basic_auth(harness::WEB, Some(harness::WEB_SECRET));
    let redemption = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", harness::WEB_CALLBACK),
        ("code_verifier", harness::VERIFIER),
    ];
    assert_eq!(house.send(basic.form(&redemption)).await.status, 200);
    let again = person.open(house.authorize_url(&house.web_request())).await;
    assert!(again.location_param("code").is_some(), "remembered");
    let account = person.open(house.url("/account")).await;
    let disconnect = form(&account, "/account/apps");
    let (name, grant) = disconnect.buttons()[0].clone();
    disconnect.press(&name, &grant).submit_and_confirm().await;
    let again = person.open(house.authorize_url(&house.web_request())).await;
    assert!(again.url().path().ends_with("/consent"), "asked anew");
}

#[tokio::test]
async fn sessions_are_listed_and_ended() {
    let house = House::furnished().await;
    let (here, there, elsewhere) = (Person::new(), Person::new(), Person::new());
    log_in_to(&house, &there, "/account", USER).await;
    log_in_to(&house, &elsewhere, "/account", USER).await;
    let account = log_in_to(&house, &here, "/account", USER).await;
    let lists = |page: &Page| page.text().matches("Signed in just now").count();
    assert_eq!(lists(&account), 3);
    let end = form(&account, "/account/sessions");
    let (name, session) = end.buttons()[0].clone();
    let account = end.press(&name, &session).submit().await;
    assert_eq!(lists(&account), 2);
    let others =
        account.forms().into_iter().find(|form| form.buttons().iter().any(|(_, value)| value == "others"));
    let account = others.unwrap().press("session", "others").submit().await;
    assert_eq!(lists(&account), 1);
    for person in [&there, &elsewhere] {
        assert!(person.open(house.url("/account")).await.url().path().ends_with("/login"));
    }
    let out = form(&account, "/account/logout").submit().await;
    assert!(out.url().path().ends_with("/login"));
    assert!(here.open(house.url("/account")).await.url().path().ends_with("/login"));
}

#[tokio::test]
async fn nobody_ends_the_sessions_of_others() {
    let house = House::furnished().await;
    house.server.users().add("eve", Secret::new(PASSWORD)).await.unwrap();
    let (ada, second, eve) = (Person::new(), Person::new(), Person::new());
    log_in_to(&house, &ada, "/account", USER).await;
    let adas = log_in_to(&house, &second, "/account", USER).await;
    let (name, session) = form(&adas, "/account/sessions").buttons()[0].clone();
    let eves = log_in_to(&house, &eve, "/account", "eve").await;
    let csrf = form(&eves, "/account/logout").fields().to_vec();
    let csrf = &csrf.iter().find(|(field, _)| field == "csrf").unwrap().1;
    form(&adas, "/account/sessions").set(&name, &session).set("csrf", csrf).submit_as(&eve).await;
    assert_eq!(ada.open(house.url("/account")).await.url().path(), "/account");
}

#[tokio::test]
async fn a_password_is_changed_after_a_recent_login_and_others_are_signed_out() {
    let house = House::furnished().await;
    let (here, there) = (Person::new(), Person::new());
    log_in_to(&house, &there, "/account", USER).await;
    let page = log_in_to(&house, &here, "/account/password", USER).await;
    let weak = page.form().set("password", "short").submit().await;
    assert_eq!(weak.status(), 422);
    let account = weak.form().set("password", "quite another password").submit().await;
    assert_eq!(account.url().path(), "/account");
    assert!(there.open(house.url("/account")).await.url().path().ends_with("/login"));
    house.advance(10 * 60);
    let page = here.open(house.url("/account/password")).await;
    assert!(page.url().path().ends_with("/login"), "the login is not recent any more");
    let old = page.form().set("username", USER).set("password", PASSWORD).submit().await;
    assert_eq!(old.status(), 403);
    let new = old.form().set("username", USER).set("password", "quite another password").submit().await;
    assert_eq!(new.url().path(), "/account/password");
}

#[tokio::test]
async fn forms_come_from_this_servers_page_in_this_login() {
    let house = House::furnished().await;
    let person = Person::new();
    let account = log_in_to(&house, &person, "/account", USER).await;
    let out = form(&account, "/account/logout");
    assert_eq!(out.clone().set("csrf", "").submit().await.status(), 403);
    let cookies: Vec<String> =
        person.cookies().iter().map(|cookie| format!("{}={}", cookie.name, cookie.value)).collect();
    for paths in ["/account/logout", "/account/apps", "/account/sessions", "/account/second-factor/off"] {
        let request = house.http.post(house.url(paths)).header("cookie", cookies.join("; "));
        let request = request.header("sec-fetch-site", "cross-site").form(out.fields());
        assert_eq!(house.send(request).await.status, 403, "{paths}");
    }
    let other = Person::new();
    log_in_to(&house, &other, "/account", USER).await;
    assert_eq!(out.clone().submit_as(&other).await.status(), 403, "another login's form");
    assert!(out.submit().await.url().path().ends_with("/login"), "its own form works");
}
