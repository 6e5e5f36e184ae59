//! How long ago a person has logged in: asked for by `max_age`, told by `auth_time`.

use crate::harness;
use hallpass_testkit::person::{Page, Person};
use harness::{House, PASSWORD, USER, WEB, WEB_SECRET, redemption, set};

/// A request with that `max_age`, in a browser that may be logged in.
async fn ask(house: &House, person: &Person, max_age: &str) -> Page {
    let mut request = house.request();
    set(&mut request, "max_age", max_age);
    person.open(house.authorize_url(&request)).await
}

fn is_login(page: &Page) -> bool {
    page.url().path().ends_with("/login")
}

#[tokio::test]
async fn a_login_that_is_too_old_is_made_anew() {
    let house = House::furnished().await;
    let person = Person::new();
    house.log_in(&person, &house.request()).await;
    house.advance(300);
    assert!(!is_login(&ask(&house, &person, "300").await), "no older than that");
    let login = ask(&house, &person, "299").await;
    assert!(is_login(&login));
    // The old login opens nothing on the way either.
    let consent = login.url().as_str().replace("/login", "/consent");
    assert!(is_login(&person.open(&consent).await));
    // The new one does, however long the person then thinks about it.
    let page = login.form().set("username", USER).set("password", PASSWORD).submit().await;
    assert!(page.url().path().ends_with("/consent"), "{}", page.url());
    house.advance(400);
    let back = page.form().press("decision", "allow").submit().await;
    let tokens = house.redeem(&back.location_param("code").unwrap()).await;
    let login = house.verify(tokens.text("access_token")).other["auth_time"].as_i64().unwrap();
    assert_eq!(login, house.clock.now().unix() - 400);
}

#[tokio::test]
async fn max_age_0_asks_for_a_new_login_once() {
    let house = House::furnished().await;
    let person = Person::new();
    house.log_in(&person, &house.request()).await;
    let login = ask(&house, &person, "0").await;
    assert!(is_login(&login), "in the same second too");
    let page = login.form().set("username", USER).set("password", PASSWORD).submit().await;
    house.advance(5);
    let back = page.form().press("decision", "allow").submit().await;
    assert!(back.location_param("code").is_some());
}

#[tokio::test]
async fn a_client_that_may_not_ask_is_told_that_the_login_is_too_old() {
    let house = House::furnished().await;
    let person = Person::new();
    let mut request = house.web_request();
    let consent = house.log_in(&person, &request).await;
    consent.form().press("decision", "allow").submit().await;
    set(&mut request, "prompt", "none");
    set(&mut request, "max_age", "60");
    house.advance(60);
    let page = person.open(house.authorize_url(&request)).await;
    assert!(page.location_param("code").is_some(), "remembered, and fresh enough");
    house.advance(1);
    let page = person.open(house.authorize_url(&request)).await;
    assert_eq!(page.location_param("error").as_deref(), Some("login_required"));
    assert_eq!(page.location_param("code"), None);
}

#[tokio::test]
async fn what_is_no_number_is_refused() {
    let house = House::furnished().await;
    for text in ["x", "-1", "1.5"] {
        let page = ask(&house, &Person::new(), text).await;
        assert_eq!(page.location_param("error").as_deref(), Some("invalid_request"), "{text}");
    }
}

/// Of the login, and not of a refresh; the same to a resource server and at `/introspect`.
#[tokio::test]
async fn the_time_of_the_login_stays_through_refreshes() {
    let house = House::furnished().await;
    let begun = house.clock.now().unix();
    let code = house.code_for(&house.web_request()).await;
    let secret = [("client_id", WEB), ("client_secret", WEB_SECRET)];
    let mut form = redemption(&code).to_vec();
    form.retain(|(name, _)| *name == "code" || *name == "grant_type" || *name == "code_verifier");
    let mut tokens = house.post("/token", &[&form[..], &secret].concat()).await;
    for _ in 0..3 {
        assert_eq!(tokens.status, 200, "{:?}", tokens.json);
        assert_eq!(house.verify(tokens.text("access_token")).other["auth_time"], begun);
        for token in ["access_token", "refresh_token"] {
            let form = [&[("token", tokens.text(token))][..], &secret].concat();
            assert_eq!(house.post("/introspect", &form).await.json["auth_time"], begun, "{token}");
        }
        house.advance(1_000);
        let form = [("grant_type", "refresh_token"), ("refresh_token", tokens.text("refresh_token"))];
        tokens = house.post("/token", &[&form[..], &secret].concat()).await;
    }
}

#[tokio::test]
async fn a_pushed_request_holds_its_max_age() {
    let house = House::furnished().await;
    let person = Person::new();
    house.log_in(&person, &house.request()).await;
    house.advance(100);
    let mut request = house.request();
    set(&mut request, "max_age", "60");
    let form: Vec<(&str, &str)> = request.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let pushed = house.post("/par", &form).await;
    let uri = pushed.text("request_uri").to_owned();
    let named = [("client_id", harness::NATIVE.to_owned()), ("request_uri", uri)];
    assert!(is_login(&person.open(house.authorize_url(&named)).await));
}

/// Whoever holds a session of somebody else's, and an account of his own, cannot show the one after logging in by the other.
#[tokio::test]
async fn a_new_login_that_was_asked_for_is_that_one_and_no_other() {
    let house = House::furnished().await;
    let victim = Person::new();
    house.log_in(&victim, &house.request()).await;
    let session = |person: &Person| {
        person.cookies().into_iter().find(|cookie| cookie.name.contains("session")).unwrap()
    };
    for (name, value) in [("prompt", "login"), ("max_age", "0"), ("max_age", "3600")] {
        let attacker = Person::new();
        let mut request = house.request();
        set(&mut request, name, value);
        let login = attacker.open(house.authorize_url(&request)).await;
        let page = login.form().set("username", USER).set("password", PASSWORD).submit().await;
        assert!(page.url().path().ends_with("/consent"), "{}", page.url());
        let consent = page.url().clone();
        attacker.tamper(&session(&attacker).name, &session(&victim).value);
        assert!(is_login(&attacker.open(consent).await), "{name}={value}");
        let back = page.form().press("decision", "allow").submit().await;
        assert_eq!(back.location_param("code"), None, "{name}={value}");
    }
}
