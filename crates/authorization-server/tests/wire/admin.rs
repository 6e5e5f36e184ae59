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
    let disable = button(&page, USER, "action", "disable").unwrap();
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
    let disable = button(&page, USER, "action", "disable").unwrap();
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
    let page = button(&page, USER, "action", "disable").unwrap().submit().await;
    assert!(house.is_revoked(tokens.text("access_token")));
    assert!(page.text().contains("Disabled"));
    let page = button(&page, USER, "action", "enable").unwrap().submit().await;
    let page = button(&page, USER, "action", "admin").unwrap().submit().await;
    assert!(house.server.users().list().await.unwrap().iter().all(|user| user.admin));
    button(&page, USER, "action", "no-admin").unwrap().submit().await;
    assert_eq!(open(&house, &Person::new(), "/admin", USER).await.status(), 403);
}

#[tokio::test]
async fn administrators_do_not_lock_themselves_out() {
    let house = house().await;
    let page = open(&house, &Person::new(), "/admin", BOSS).await;
    for action in ["disable", "no-admin"] {
        assert!(button(&page, BOSS, "action", action).is_none(), "{action} is not offered");
        let form = button(&page, BOSS, "action", "link").unwrap().set("action", action);
        // However it is written.
        form.set("user", "Boss").submit().await;
        button(&page, BOSS, "action", "link").unwrap().set("action", action).submit().await;
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
    form.press(&name, &grant).submit().await;
    assert!(house.is_revoked(tokens.text("access_token")));
    let clients = open(&house, &person, "/admin/clients", BOSS).await;
    button(&clients, "", "client", NATIVE).unwrap().submit().await;
    assert!(house.server.clients().list().await.unwrap().iter().all(|client| client.id != NATIVE));
}

#[tokio::test]
async fn what_is_done_here_takes_a_recent_login() {
    let house = house().await;
    let person = Person::new();
    let page = open(&house, &person, "/admin", BOSS).await;
    let disable = button(&page, USER, "action", "disable").unwrap();
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
