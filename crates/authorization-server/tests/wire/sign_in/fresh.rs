//! Logins that have to be new.

use super::*;

#[tokio::test]
async fn a_new_login_is_asked_of_the_provider_and_proven() {
    let two = Two::with(|_| {}).await;
    let asked = || two.party.asked("/authorize").pop().unwrap().parameters;
    let arrive = async |name: &'static str, value: &str, claims: Value| {
        two.party.script().claims = claims;
        let mut request = two.house.request();
        set(&mut request, name, value);
        let person = Person::new();
        let callback = two.to_the_callback(&person, &request).await;
        person.arrive(callback).await.status().as_u16()
    };
    assert_eq!(arrive("state", "x", json!({})).await, 200);
    assert!(!asked().contains_key("prompt") && !asked().contains_key("max_age"));
    assert_eq!(arrive("prompt", "login", json!({ "auth_time": 1_800_000_000 })).await, 200);
    assert_eq!(asked()["prompt"], "login");
    assert_eq!(arrive("prompt", "login", json!({ "auth_time": 1_799_999_900 })).await, 403);
    assert_eq!(arrive("max_age", "60", json!({ "auth_time": 1_799_999_950 })).await, 200);
    assert_eq!(asked()["max_age"], "60");
    assert_eq!(arrive("max_age", "60", json!({ "auth_time": 1_799_999_900 })).await, 403);
    assert_eq!(arrive("max_age", "60", json!({})).await, 502, "not said, not proven");
}

/// What is dangerous on the account page wants a login of a moment ago, and not one that goes on at the provider.
#[tokio::test]
async fn whoever_is_logged_in_shows_anew_who_they_are() {
    let two = Two::with(|_| {}).await;
    let person = Person::new();
    let arrive = async |claims: Value| {
        two.party.script().claims = claims;
        let login = person.open(two.house.url("/login?then=/account")).await;
        let callback = two.through(&person, &login, "Continue with Acme").await;
        person.arrive(callback).await.status().as_u16()
    };
    let asked = || two.party.asked("/authorize").pop().unwrap().parameters;
    assert_eq!(arrive(json!({ "auth_time": 1_799_990_000 })).await, 200);
    assert!(!asked().contains_key("prompt"), "nobody was logged in here");
    assert_eq!(arrive(json!({ "auth_time": 1_799_990_000 })).await, 403);
    assert_eq!(asked()["prompt"], "login");
    assert_eq!(arrive(json!({ "auth_time": 1_800_000_000 })).await, 200);
}

/// The time of the login at the provider is the time of the login.
#[tokio::test]
async fn tokens_say_when_the_person_logged_in_at_the_provider() {
    let two = Two::with(|_| {}).await;
    two.party.script().claims = json!({ "auth_time": 1_799_990_000 });
    assert_eq!(two.claims(&Person::new()).await.other["auth_time"], 1_799_990_000);
}
