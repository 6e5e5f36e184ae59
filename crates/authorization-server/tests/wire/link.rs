//! `/link`: a person sets a password, by a link from the command line.

use crate::harness;
use hallpass_authorization_server::LinkError;
use hallpass_protocol::secret::Secret;
use hallpass_testkit::person::Person;
use harness::{House, PASSWORD, USER};

const NEW: &str = "another fine password";

#[tokio::test]
async fn a_link_sets_the_password_once_and_ends_sessions() {
    let house = House::furnished().await;
    let someone = Person::new();
    house.log_in(&someone, &house.request()).await;
    let link = house.server.users().link(USER).await.unwrap();
    assert!(link.as_str().starts_with(&house.url("/link?token=")), "{link}");
    let page = Person::new().open(link.as_str()).await;
    assert!(page.text().contains("Set a password for ada"), "{}", page.text());
    let form = page.form().set("password", NEW);
    let twin = form.clone();
    assert_eq!(form.submit().await.status(), 200);
    assert_eq!(twin.submit().await.status(), 410);
    assert_eq!(Person::new().open(link.as_str()).await.status(), 410);
    let again = someone.open(house.authorize_url(&house.request())).await;
    assert!(again.url().path().ends_with("/login"), "the session is over");
    let login = again.form().set("username", USER).set("password", PASSWORD).submit().await;
    assert_eq!(login.status(), 403, "the old password is over");
    let login = login.form().set("username", USER).set("password", NEW).submit().await;
    assert!(login.url().path().ends_with("/consent"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_link_sent_many_times_at_once_sets_one_password() {
    let house = House::furnished().await;
    let link = house.server.users().link(USER).await.unwrap();
    let form = Person::new().open(link.as_str()).await.form();
    let attempts: Vec<_> = (0..8)
        .map(|n| {
            let form = form.clone().set("password", &format!("{NEW} {n}"));
            tokio::spawn(async move { form.submit().await.status().as_u16() })
        })
        .collect();
    let mut set = 0;
    for attempt in attempts {
        set += usize::from(attempt.await.unwrap() == 200);
    }
    assert_eq!(set, 1);
}

#[tokio::test]
async fn a_link_works_for_a_day_until_the_next_and_for_who_may_log_in() {
    let house = House::furnished().await;
    let users = house.server.users();
    let status = async |link: &url::Url| Person::new().open(link.as_str()).await.status().as_u16();
    let first = users.link(USER).await.unwrap();
    assert_eq!(status(&first).await, 200);
    let second = users.link(USER).await.unwrap();
    assert_eq!(status(&first).await, 410, "replaced");
    house.advance(24 * 60 * 60 - 1);
    assert_eq!(status(&second).await, 200);
    house.advance(1);
    assert_eq!(status(&second).await, 410, "too old");
    let third = users.link(USER).await.unwrap();
    users.disable(USER).await.unwrap();
    assert_eq!(status(&third).await, 410, "disabled");
    assert!(matches!(users.link(USER).await, Err(LinkError::NoUser)));
    assert!(matches!(users.link("nobody").await, Err(LinkError::NoUser)));
    users.enable(USER).await.unwrap();
    let fourth = users.link(USER).await.unwrap();
    users.set_password(USER, Secret::new(NEW)).await.unwrap();
    assert_eq!(status(&fourth).await, 410, "another password was set");
}

#[tokio::test]
async fn a_weak_password_is_refused_and_the_link_stays() {
    let house = House::furnished().await;
    let link = house.server.users().link(USER).await.unwrap();
    let page = Person::new().open(link.as_str()).await.form().set("password", "short").submit().await;
    assert_eq!(page.status(), 422);
    assert!(page.text().contains("shorter than 8"), "{}", page.text());
    assert_eq!(page.form().set("password", NEW).submit().await.status(), 200);
}

#[tokio::test]
async fn the_form_belongs_to_the_browser_that_opened_the_link() {
    let house = House::furnished().await;
    let link = house.server.users().link(USER).await.unwrap();
    let form = Person::new().open(link.as_str()).await.form().set("password", NEW);
    assert_eq!(form.submit_as(&Person::new()).await.status(), 403);
    let login = Person::new().open(house.authorize_url(&house.request())).await;
    let login = login.form().set("username", USER).set("password", PASSWORD).submit().await;
    assert!(login.url().path().ends_with("/consent"), "nothing was changed");
}

#[tokio::test]
async fn a_user_without_a_password_logs_in_by_none() {
    let house = House::furnished().await;
    house.server.users().add_without_password("bob").await.unwrap();
    for password in ["", "password", "*"] {
        let login = Person::new().open(house.authorize_url(&house.request())).await;
        let login = login.form().set("username", "bob").set("password", password).submit().await;
        assert_eq!(login.status(), 403);
    }
    let link = house.server.users().link("bob").await.unwrap();
    Person::new().open(link.as_str()).await.form().set("password", NEW).submit().await;
    let login = Person::new().open(house.authorize_url(&house.request())).await;
    let login = login.form().set("username", "bob").set("password", NEW).submit().await;
    assert!(login.url().path().ends_with("/consent"));
}
