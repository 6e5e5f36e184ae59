//! `/setup`: the first user.

use crate::harness;
use hallpass_protocol::secret::Secret;
use hallpass_testkit::person::Person;
use harness::House;

async fn house() -> House {
    House::empty_with("", |_| {}).await
}

#[tokio::test]
async fn the_link_makes_the_first_user_once() {
    let house = house().await;
    let link = house.server.setup_link().unwrap();
    let page = Person::new().open(link.as_str()).await;
    let form = page.form().set("username", "ada").set("password", "a fine password");
    let twin = form.clone();
    let done = form.submit().await;
    assert_eq!(done.status(), 200);
    assert!(done.text().contains(&house.resource()), "{}", done.text());
    assert_eq!(house.server.users().list().await.unwrap()[0].name, "ada");
    let late = twin.set("username", "eve").submit().await;
    assert_eq!(late.status(), 410);
    assert!(late.text().contains("<code>hallpass user link NAME</code>"), "{}", late.text());
    assert_eq!(Person::new().open(link.as_str()).await.status(), 410);
    assert_eq!(house.server.users().count().await.unwrap(), 1);
}

#[tokio::test]
async fn the_link_works_for_an_hour() {
    let house = house().await;
    let link = house.server.setup_link().unwrap();
    let page = Person::new().open(link.as_str()).await;
    house.advance(60 * 60);
    let form = page.form().set("username", "ada").set("password", "a fine password");
    let late = form.submit().await;
    assert_eq!(late.status(), 410);
    assert!(late.text().contains("<code>hallpass user add NAME --admin --link</code>"), "{}", late.text());
    assert_eq!(Person::new().open(link.as_str()).await.status(), 410);
}

#[tokio::test]
async fn the_link_is_dead_as_soon_as_there_is_a_user() {
    let house = house().await;
    let link = house.server.setup_link().unwrap();
    let page = Person::new().open(link.as_str()).await;
    house.server.users().add("ada", Secret::new("a fine password")).await.unwrap();
    let form = page.form().set("username", "eve").set("password", "a fine password");
    assert_eq!(form.submit().await.status(), 410);
    assert_eq!(house.server.users().count().await.unwrap(), 1);
}

#[tokio::test]
async fn a_guessed_link_opens_nothing() {
    let house = house().await;
    for token in ["", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
        let page = Person::new().open(house.url(&format!("/setup?token={token}"))).await;
        assert_eq!(page.status(), 410);
        assert!(page.forms().is_empty());
    }
    assert_eq!(Person::new().open(house.url("/setup")).await.status(), 410);
}

#[tokio::test]
async fn a_weak_password_is_told_and_the_link_stays() {
    let house = house().await;
    let link = house.server.setup_link().unwrap();
    let page = Person::new().open(link.as_str()).await;
    let again = page.form().set("username", "ada").set("password", "short").submit().await;
    assert_eq!(again.status(), 422);
    assert!(again.text().contains("The password is shorter than 8 characters."));
    let done = again.form().set("password", "long enough").submit().await;
    assert_eq!(done.status(), 200);
}

#[tokio::test]
async fn the_form_belongs_to_one_browser() {
    let house = house().await;
    let link = house.server.setup_link().unwrap();
    let page = Person::new().open(link.as_str()).await;
    let form = page.form().set("username", "ada").set("password", "a fine password");
    assert_eq!(form.submit_as(&Person::new()).await.status(), 403);
    assert_eq!(house.server.users().count().await.unwrap(), 0);
}

// Row 39 of never-again.
#[tokio::test]
async fn nothing_opens_a_new_house_but_its_own_link() {
    let (one, two) = (house().await, house().await);
    assert_ne!(one.server.setup_link(), two.server.setup_link());
    assert_eq!(one.server.users().count().await.unwrap(), 0);
    assert!(one.server.clients().list().await.unwrap().is_empty());
    let furnished = House::furnished().await;
    assert_eq!(furnished.server.users().count().await.unwrap(), 1);
    let token = two.server.setup_link().unwrap().query().unwrap().to_owned();
    let page = Person::new().open(one.url(&format!("/setup?{token}"))).await;
    assert_eq!(page.status(), 410);
}
