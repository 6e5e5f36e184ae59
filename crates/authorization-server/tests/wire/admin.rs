//! `/admin`: for those who run the server.

use crate::harness;
use hallpass_protocol::secret::Secret;
use hallpass_testkit::person::{Form, Page, Person};
use harness::{House, NATIVE, PASSWORD, USER};

const BOSS: &str = "boss";

async fn house() -> House {
    let house = House::furnished().await;
    house.server.users().add(BOSS, Secret::new(PASSWORD)).await.unwrap();
    house.server.users().set_admin(BOSS, true).await.unwrap();
    house
}

async fn open(house: &House, person: &Person, path: &str, user: &str) -> Page {
    let page = person.open(house.url(path)).await;
    match page.url().path().ends_with("/login") {
        true => page.form().set("username", user).set("password", PASSWORD).submit().await,
        false => page,
    }
}

/// The form with this button, for this user where it names one.
fn button(page: &Page, user: &str, name: &str, value: &str) -> Option<Form> {
    let has = |form: &Form| {
        form.buttons().iter().any(|(n, v)| n == name && v == value)
            && form.fields().iter().all(|(field, v)| field != "user" || v == user)
    };
    page.forms().into_iter().find(has).map(|form| form.press(name, value))
}

/// The button for this client.
fn client_form(page: &Page, client: &str, action: &str) -> Form {
    let of = |form: &Form| form.fields().iter().any(|(name, value)| name == "client" && value == client);
    page.forms().into_iter().find(of).unwrap().press("action", action)
}

#[tokio::test]
async fn only_administrators_come_in() {
    let house = house().await;
    for path in ["/admin", "/admin/clients", "/admin/apps", "/admin/keys", "/admin/audit"] {
        assert!(Person::new().open(house.url(path)).await.url().path().ends_with("/login"), "{path}");
        let page = open(&house, &Person::new(), path, USER).await;
        assert_eq!(page.status(), 403, "{path}");
        assert!(page.forms().is_empty(), "{path}");
        let page = open(&house, &Person::new(), path, BOSS).await;
        assert_eq!((page.status().as_u16(), page.url().path()), (200, path), "{}", page.text());
    }
}

#[tokio::test]
async fn a_form_of_an_administrator_does_nothing_for_another_person() {
    let house = house().await;
    let page = open(&house, &Person::new(), "/admin", BOSS).await;
    let disable = button(&page, USER, "action", "disable").unwrap().set("confirmed", "yes");
    let person = Person::new();
    let account = open(&house, &person, "/account", USER).await;
    assert_eq!(account.status(), 200);
    assert_eq!(disable.submit_as(&person).await.status(), 403);
    assert!(house.server.users().list().await.unwrap().iter().all(|user| user.disabled_at.is_none()));
}

#[tokio::test]
async fn who_is_no_longer_an_administrator_does_nothing_any_more() {
    let house = house().await;
    let page = open(&house, &Person::new(), "/admin", BOSS).await;
    let disable = button(&page, USER, "action", "disable").unwrap().set("confirmed", "yes");
    house.server.users().set_admin(BOSS, false).await.unwrap();
    assert_eq!(disable.submit().await.status(), 403);
    assert!(house.server.users().list().await.unwrap().iter().all(|user| user.disabled_at.is_none()));
}

#[tokio::test]
async fn users_are_disabled_and_enabled_and_made_administrators() {
    let house = house().await;
    let tokens = house.tokens().await;
    let person = Person::new();
    let page = open(&house, &person, "/admin", BOSS).await;
    let page = button(&page, USER, "action", "disable").unwrap().submit_and_confirm().await;
    assert!(house.is_revoked(tokens.text("access_token")));
    assert!(page.text().contains("Disabled"));
    let page = button(&page, USER, "action", "enable").unwrap().submit().await;
    let page = button(&page, USER, "action", "admin").unwrap().submit_and_confirm().await;
    assert!(house.server.users().list().await.unwrap().iter().all(|user| user.admin));
    button(&page, USER, "action", "no-admin").unwrap().submit_and_confirm().await;
    assert_eq!(open(&house, &Person::new(), "/admin", USER).await.status(), 403);
}

#[tokio::test]
async fn administrators_do_not_lock_themselves_out() {
    let house = house().await;
    let page = open(&house, &Person::new(), "/admin", BOSS).await;
    for action in ["disable", "no-admin"] {
        assert!(button(&page, BOSS, "action", action).is_none(), "{action} is not offered");
        let form = button(&page, BOSS, "action", "link").unwrap().set("action", action);
        let form = form.set("confirmed", "yes");
        // However it is written.
        form.clone().set("user", "Boss").submit().await;
        form.submit().await;
    }
    let boss = house.server.users().list().await.unwrap().into_iter().find(|user| user.name == BOSS).unwrap();
    assert!(boss.admin && boss.disabled_at.is_none());
}

#[tokio::test]
async fn a_user_is_added_with_a_link() {
    let house = house().await;
    let page = open(&house, &Person::new(), "/admin", BOSS).await;
    let add = |name: &str| {
        let form =
            page.forms().into_iter().find(|form| form.buttons().iter().any(|(_, value)| value == "add"));
        form.unwrap().set("user", name).press("action", "add")
    };
    assert_eq!(add(USER).submit().await.status(), 422, "taken");
    let made = add("carl").submit().await;
    let link = made.text().split("<code>").nth(1).unwrap().split('<').next().unwrap().replace("&#38;", "&");
    let set = Person::new().open(&link).await.form().set("password", "a fine password").submit().await;
    assert_eq!(set.status(), 200);
    let again = button(&page, USER, "action", "link").unwrap().submit().await;
    assert!(again.text().contains("/link?token="));
}

#[tokio::test]
async fn clients_and_connected_apps_end() {
    let house = house().await;
    let tokens = house.tokens().await;
    let person = Person::new();
    let apps = open(&house, &person, "/admin/apps", BOSS).await;
    assert!(apps.text().contains(&format!("of {USER}")), "{}", apps.text());
    let form = apps.form();
    let (name, grant) = form.buttons()[0].clone();
    form.press(&name, &grant).submit_and_confirm().await;
    assert!(house.is_revoked(tokens.text("access_token")));
    let clients = open(&house, &person, "/admin/clients", BOSS).await;
    client_form(&clients, NATIVE, "remove").submit_and_confirm().await;
    assert!(house.server.clients().list().await.unwrap().iter().all(|client| client.id != NATIVE));
}

#[tokio::test]
async fn clients_are_disabled_and_enabled() {
    let house = house().await;
    let tokens = house.tokens().await;
    let page = open(&house, &Person::new(), "/admin/clients", BOSS).await;
    let page = client_form(&page, NATIVE, "disable").submit_and_confirm().await;
    assert!(house.is_revoked(tokens.text("access_token")));
    assert!(page.text().contains("Disabled"), "{}", page.text());
    let refused = Person::new().open(house.authorize_url(&house.request())).await;
    assert!(refused.text().contains("switched it off"), "{}", refused.text());
    let page = client_form(&page, NATIVE, "enable").submit().await;
    assert!(!page.text().contains("Disabled"), "{}", page.text());
    house.tokens().await;
}

#[tokio::test]
async fn what_ends_something_is_asked_about_first() {
    let house = house().await;
    let tokens = house.tokens().await;
    let person = Person::new();
    let users = open(&house, &person, "/admin", BOSS).await;
    let clients = open(&house, &person, "/admin/clients", BOSS).await;
    let apps = open(&house, &person, "/admin/apps", BOSS).await;
    let (name, grant) = apps.form().buttons()[0].clone();
    for (form, question, back) in [
        (button(&users, USER, "action", "disable").unwrap(), "Disable ada?", "/admin"),
        (button(&users, USER, "action", "disable").unwrap().set("user", "ADA"), "Disable ada?", "/admin"),
        (button(&users, USER, "action", "admin").unwrap(), "Make ada an administrator?", "/admin"),
        (client_form(&clients, NATIVE, "disable"), "Disable native?", "/admin/clients"),
        (client_form(&clients, NATIVE, "remove"), "Remove native?", "/admin/clients"),
        (apps.form().press(&name, &grant), "Disconnect native of ada?", "/admin/apps"),
    ] {
        let asked = form.submit().await;
        assert_eq!(asked.status(), 200);
        assert!(asked.text().contains(&format!("<h1>{question}</h1>")), "{question}: {}", asked.text());
        assert!(asked.text().contains(&format!("href=\"{back}\">Cancel")), "{question}");
        let forged = asked.form().set("csrf", "").submit().await;
        assert_eq!(forged.status(), 403, "{question}");
    }
    assert!(!house.is_revoked(tokens.text("access_token")), "nothing was done");
    let users = house.server.users().list().await.unwrap();
    assert!(users.iter().all(|user| user.disabled_at.is_none() && user.admin == (user.name == BOSS)));
    assert!(house.server.clients().list().await.unwrap().iter().all(|client| !client.disabled));
}

#[tokio::test]
async fn keys_are_shown_with_what_they_are_for_and_since_when() {
    use hallpass_protocol::jose::Algorithm;
    let house = house().await;
    let keys = house.server.signing_keys();
    keys.rotate(Algorithm::ES256, std::time::Duration::ZERO).await.unwrap();
    keys.rotate(Algorithm::ES256, std::time::Duration::from_secs(24 * 60 * 60)).await.unwrap();
    let page = open(&house, &Person::new(), "/admin/keys", BOSS).await;
    let text = page.text();
    let places: Vec<_> = ["next", "current", "previous"]
        .iter()
        .map(|state| text.find(&format!(">{state}<")).unwrap())
        .collect();
    assert!(places.is_sorted(), "the newest first: {text}");
    // The house's clock stands at 2027-01-15 08:00:00.
    for said in [
        "Published, and signs from 2027-01-16 08:00:00 UTC on.",
        "Signs since 2027-01-15 08:00:00 UTC, until 2027-01-16 08:00:00 UTC.",
        "Made 2027-01-15 08:00:00 UTC. Signed from",
        "the last of its tokens is over: 2027-01-16 08:05:00 UTC.",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
}

#[tokio::test]
async fn what_is_done_here_takes_a_recent_login() {
    let house = house().await;
    let person = Person::new();
    let page = open(&house, &person, "/admin", BOSS).await;
    let disable = button(&page, USER, "action", "disable").unwrap().set("confirmed", "yes");
    house.advance(10 * 60);
    assert!(disable.submit().await.url().path().ends_with("/login"));
    assert!(house.server.users().list().await.unwrap().iter().all(|user| user.disabled_at.is_none()));
}

#[tokio::test]
async fn the_first_user_runs_the_server() {
    let house = House::empty_with("", |_| {}).await;
    let link = house.server.setup_link().unwrap();
    let form = Person::new().open(link.as_str()).await.form();
    form.set("username", "ada").set("password", PASSWORD).submit().await;
    assert!(house.server.users().list().await.unwrap()[0].admin);
}
