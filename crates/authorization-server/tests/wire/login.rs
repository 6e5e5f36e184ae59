//! `/login`: passwords, and how guessing them is slowed down.

use crate::harness;
use hallpass_protocol::secret::Secret;
use hallpass_testkit::person::{Page, Person};
use harness::{House, PASSWORD, USER};

async fn try_login(house: &House, name: &str, password: &str) -> Page {
    let page = Person::new().open(house.authorize_url(&house.request())).await;
    page.form().set("username", name).set("password", password).submit().await
}

fn message(page: &Page) -> String {
    let text = page.text();
    let start = text.find("role=\"alert\"><p>").map_or(0, |at| at + 16);
    text[start..].split('<').next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn an_unknown_name_is_told_the_same_as_a_wrong_password() {
    let house = House::furnished().await;
    let wrong = try_login(&house, USER, "wrong password").await;
    let unknown = try_login(&house, "nobody", "wrong password").await;
    let empty = try_login(&house, "", "").await;
    for page in [&wrong, &unknown, &empty] {
        assert_eq!(page.status(), 403);
        assert_eq!(message(page), "Name or password is not right.");
        assert!(!page.text().contains("wrong password"), "no password is shown again");
    }
    house.server.users().disable(USER).await.unwrap();
    let disabled = try_login(&house, USER, PASSWORD).await;
    assert_eq!((disabled.status().as_u16(), message(&disabled)), (403, message(&wrong)));
}

#[tokio::test]
async fn names_are_the_same_in_upper_and_lower_case() {
    let house = House::furnished().await;
    let page = try_login(&house, " ADA ", PASSWORD).await;
    assert!(page.url().path().ends_with("/consent"));
}

#[tokio::test]
async fn guessing_is_slowed_down_and_the_owner_is_not_locked_out() {
    let house = House::furnished().await;
    for _ in 0..5 {
        assert_eq!(try_login(&house, USER, "wrong password").await.status(), 403);
    }
    let slowed = try_login(&house, USER, PASSWORD).await;
    assert_eq!(slowed.status(), 429);
    assert_eq!(slowed.header("retry-after"), Some("1"));
    assert_eq!(message(&slowed), "There were too many wrong passwords. Try again in 1 second.");
    let mut waits = Vec::new();
    for _ in 0..9 {
        let wait: u64 = {
            let page = try_login(&house, USER, "wrong password").await;
            assert_eq!(page.status(), 429);
            page.header("retry-after").unwrap().parse().unwrap()
        };
        waits.push(wait);
        house.advance(wait);
        assert_eq!(try_login(&house, USER, "wrong password").await.status(), 403);
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
    house.advance(60);
    let owner = try_login(&house, USER, PASSWORD).await;
    assert!(owner.url().path().ends_with("/consent"), "{}", message(&owner));
    // A success starts anew.
    assert_eq!(try_login(&house, USER, "wrong password").await.status(), 403);
    assert!(try_login(&house, USER, PASSWORD).await.url().path().ends_with("/consent"));
}

#[tokio::test]
async fn a_browser_that_the_owner_has_used_is_not_slowed_down_by_others() {
    let house = House::furnished().await;
    let owner = Person::new();
    house.log_in(&owner, &house.request()).await;
    for _ in 0..5 {
        try_login(&house, USER, "wrong password").await;
    }
    assert_eq!(try_login(&house, USER, PASSWORD).await.status(), 429);
    let mut request = house.request();
    harness::set(&mut request, "prompt", "login");
    let page = house.log_in(&owner, &request).await;
    assert!(page.url().path().ends_with("/consent"), "{}", message(&page));
    // The owner's success has not given the others another five guesses.
    assert_eq!(try_login(&house, USER, PASSWORD).await.status(), 429);
    // And that browser is counted too: someone else may sit at it.
    let mut wrong = Vec::new();
    for _ in 0..6 {
        let login = owner.open(house.authorize_url(&request)).await;
        let form = login.form().set("username", USER).set("password", "wrong password");
        wrong.push(form.submit().await.status().as_u16());
    }
    assert_eq!(wrong, [403, 403, 403, 403, 403, 429]);
}

#[tokio::test]
async fn names_that_do_not_exist_are_slowed_down_too() {
    let house = House::furnished().await;
    for _ in 0..5 {
        try_login(&house, "nobody", "wrong password").await;
    }
    assert_eq!(try_login(&house, "nobody", "wrong password").await.status(), 429);
    assert!(try_login(&house, USER, PASSWORD).await.url().path().ends_with("/consent"));
}

#[tokio::test]
async fn one_address_cannot_try_all_accounts() {
    let house = House::furnished().await;
    for n in 0..30 {
        assert_eq!(try_login(&house, &format!("user{n}"), "wrong password").await.status(), 403);
    }
    assert_eq!(try_login(&house, "user30", "wrong password").await.status(), 429);
}

#[tokio::test]
async fn a_stranger_behind_the_same_address_does_not_keep_the_owner_out() {
    let house = House::furnished().await;
    let owner = Person::new();
    house.log_in(&owner, &house.request()).await;
    for n in 0..31 {
        try_login(&house, &format!("user{n}"), "wrong password").await;
    }
    assert_eq!(try_login(&house, USER, PASSWORD).await.status(), 429, "the address is slowed down");
    let mut request = house.request();
    harness::set(&mut request, "prompt", "login");
    let page = house.log_in(&owner, &request).await;
    assert!(page.url().path().ends_with("/consent"), "{}", message(&page));
}

#[tokio::test]
async fn addresses_do_not_count_where_they_are_the_proxys() {
    let house = House::furnished_with(|settings| settings.count_addresses = false).await;
    for n in 0..31 {
        assert_eq!(try_login(&house, &format!("user{n}"), "wrong password").await.status(), 403);
    }
    assert!(try_login(&house, USER, PASSWORD).await.url().path().ends_with("/consent"));
    for _ in 0..5 {
        assert_eq!(try_login(&house, USER, "wrong password").await.status(), 403);
    }
    assert_eq!(try_login(&house, USER, PASSWORD).await.status(), 429, "accounts are counted still");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn guesses_at_the_same_time_are_counted_each() {
    let house = House::furnished().await;
    let mut forms = Vec::new();
    for _ in 0..12 {
        let page = Person::new().open(house.authorize_url(&house.request())).await;
        forms.push(page.form().set("username", USER).set("password", "wrong password"));
    }
    let guesses: Vec<_> = forms
        .into_iter()
        .map(|form| tokio::spawn(async move { form.submit().await.status().as_u16() }))
        .collect();
    let mut tried = 0;
    for guess in guesses {
        tried += usize::from(guess.await.unwrap() == 403);
    }
    assert_eq!(tried, 5);
}

#[tokio::test]
async fn a_login_makes_a_new_session_and_ends_the_old_one() {
    let house = House::furnished().await;
    let person = Person::new();
    let session = |person: &Person| {
        let cookies = person.cookies();
        cookies.into_iter().find(|cookie| cookie.name.contains("session")).unwrap()
    };
    house.log_in(&person, &house.request()).await;
    let first = session(&person);
    let mut request = house.request();
    harness::set(&mut request, "prompt", "login");
    house.log_in(&person, &request).await;
    let second = session(&person);
    assert_ne!(first.value, second.value);
    person.tamper(&second.name, &first.value);
    let page = person.open(house.authorize_url(&house.request())).await;
    assert!(page.url().path().ends_with("/login"), "the old session is over");
}

#[tokio::test]
async fn a_session_ends_after_twelve_hours() {
    let house = House::furnished().await;
    let person = Person::new();
    house.log_in(&person, &house.request()).await;
    house.advance(12 * 60 * 60);
    let page = person.open(house.authorize_url(&house.request())).await;
    assert!(page.url().path().ends_with("/login"));
}

#[tokio::test]
async fn two_tabs_can_log_in_one_after_the_other() {
    let house = House::furnished().await;
    let person = Person::new();
    let one = person.open(house.authorize_url(&house.request())).await;
    let two = person.open(house.authorize_url(&house.request())).await;
    for tab in [one, two] {
        let consent = tab.form().set("username", USER).set("password", PASSWORD).submit().await;
        let back = consent.form().press("decision", "allow").submit().await;
        assert!(back.location_param("code").is_some());
    }
}

#[tokio::test]
async fn users_are_added_listed_and_removed_by_the_operator() {
    let house = House::furnished().await;
    let users = house.server.users();
    let add = async |name: &str, password: &str| {
        users.add(name, Secret::new(password)).await.map(drop).map_err(|error| error.to_string())
    };
    assert!(add("Ada", "another password").await.unwrap_err().contains("already"));
    assert!(add("bob", "short").await.unwrap_err().contains("shorter than 8"));
    assert!(add(" ", "long enough").await.unwrap_err().contains("empty"));
    add("Bob", "long enough").await.unwrap();
    let names: Vec<String> = users.list().await.unwrap().into_iter().map(|user| user.name).collect();
    assert_eq!(names, ["ada", "Bob"]);
    assert!(users.remove("BOB").await.unwrap());
    assert!(!users.remove("bob").await.unwrap());
    assert!(!users.disable("nobody").await.unwrap());
    assert_eq!(users.count().await.unwrap(), 1);
}

#[tokio::test]
async fn a_password_is_set_by_the_operator_and_ends_sessions() {
    let house = House::furnished().await;
    let users = house.server.users();
    let person = Person::new();
    house.log_in(&person, &house.request()).await;
    let set = async |name: &str, password: &str| users.set_password(name, Secret::new(password)).await;
    assert!(set(USER, "short").await.unwrap_err().to_string().contains("shorter"));
    assert!(set("nobody", "long enough").await.unwrap_err().to_string().contains("no user"));
    set(USER, "quite another password").await.unwrap();
    let page = person.open(house.authorize_url(&house.request())).await;
    assert!(page.url().path().ends_with("/login"));
    assert_eq!(try_login(&house, USER, PASSWORD).await.status(), 403);
    let page = try_login(&house, USER, "quite another password").await;
    assert!(page.url().path().ends_with("/consent"));
}

#[tokio::test]
async fn a_user_who_is_enabled_again_logs_in() {
    let house = House::furnished().await;
    let users = house.server.users();
    users.disable(USER).await.unwrap();
    assert_eq!(try_login(&house, USER, PASSWORD).await.status(), 403);
    assert!(users.enable(USER).await.unwrap());
    assert!(!users.enable("nobody").await.unwrap());
    assert!(try_login(&house, USER, PASSWORD).await.url().path().ends_with("/consent"));
}

#[tokio::test]
async fn a_login_that_is_for_nothing_leads_to_the_account() {
    let house = House::furnished().await;
    let page = Person::new().open(house.url("/login")).await;
    let page = page.form().set("username", USER).set("password", PASSWORD).submit().await;
    assert_eq!((page.status().as_u16(), page.url().path()), (200, "/account"));
}

#[tokio::test]
async fn a_login_leads_nowhere_else() {
    let house = House::furnished().await;
    for then in ["https://evil.example/", "//evil.example", "/authorize", "/account@evil.example"] {
        let url = url::Url::parse_with_params(&house.url("/login"), [("then", then)]).unwrap();
        let page = Person::new().open(url).await;
        assert_eq!(page.status(), 400, "{then}");
    }
    let page = Person::new().open(house.url("/login?then=/account")).await;
    let form = page.form().set("username", USER).set("password", PASSWORD);
    let tampered = form.clone().set("then", "/admin").submit().await;
    assert_eq!(tampered.status(), 403, "the form token is for one destination");
    let page = form.submit().await;
    assert_eq!(page.url().path(), "/account");
}

#[tokio::test]
async fn a_hash_of_weaker_parameters_is_made_anew_by_the_right_password() {
    use argon2::{Algorithm, Argon2, Params, PasswordHash, PasswordHasher, Version};
    let house = House::furnished().await;
    let params = Params::new(8 * 1024, 1, 1, None).unwrap();
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let weak: PasswordHash = argon2.hash_password(PASSWORD.as_bytes()).unwrap();
    house.sql(format!("UPDATE users SET password_hash = '{weak}'").leak()).await;
    let is_weak = async || {
        house.sql("UPDATE users SET is_admin = 0").await;
        house.sql("UPDATE users SET is_admin = 1 WHERE password_hash LIKE '%m=8192%'").await;
        house.server.users().list().await.unwrap()[0].admin
    };
    assert_eq!(try_login(&house, USER, "wrong password").await.status(), 403);
    assert!(is_weak().await, "a wrong password changes nothing");
    assert!(try_login(&house, USER, PASSWORD).await.url().path().ends_with("/consent"));
    assert!(!is_weak().await);
    assert!(try_login(&house, USER, PASSWORD).await.url().path().ends_with("/consent"));
}
