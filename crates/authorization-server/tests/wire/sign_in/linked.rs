//! Accounts that are linked by their owners, and servers without passwords.

use super::*;

#[tokio::test]
async fn an_account_is_linked_by_its_owner_and_unlinked() {
    let two = Two::with(|way| way.who = WhoEnters::default()).await;
    let person = Person::new();
    let login = person.open(two.house.url("/login?then=/account")).await;
    let account = login.form().set("username", USER).set("password", PASSWORD).submit().await;
    let callback = two.link(&person, &account).await;
    // Not in a browser in which somebody else has logged in meanwhile, and not in one with nobody.
    assert_eq!(Person::new().arrive(&callback).await.status(), 400);
    let account = person.arrive(&callback).await;
    assert!(account.text().contains("Linked") && account.text().contains("Unlink"), "{}", account.text());
    assert!(account.text().contains("Not needed while you sign in with Acme"), "{}", account.text());
    let fresh = Person::new();
    let consent = two.sign_in(&fresh).await;
    assert!(consent.text().contains(USER), "signed in as the one who linked it");

    two.house.server.users().add("bob", Secret::new(PASSWORD)).await.unwrap();
    let bob = Person::new();
    let login = bob.open(two.house.url("/login?then=/account")).await;
    let page = login.form().set("username", "bob").set("password", PASSWORD).submit().await;
    let callback = two.link(&bob, &page).await;
    assert_eq!(bob.arrive(&callback).await.status(), 409, "it is ada's");

    let unlink = account.forms().into_iter().find(|form| form.target().path().ends_with("/remove")).unwrap();
    let (name, value) = unlink.buttons()[0].clone();
    let account = unlink.press(&name, &value).submit_and_confirm().await;
    assert!(account.text().contains("Not linked"), "{}", account.text());
    assert!(!account.text().contains("Not needed"), "the password is the only way in");
    assert_eq!(two.sign_in(&Person::new()).await.status(), 403);
}

/// Whoever is sent there unasked may be signed in there as somebody else, who would then be in here. Browsers without Fetch
/// Metadata say nothing of where a request comes from.
#[tokio::test]
async fn linking_begins_with_a_form_of_the_account_page_alone() {
    let two = Two::with(|_| {}).await;
    let person = Person::new();
    let login = person.open(two.house.url("/login?then=/account")).await;
    let account = login.form().set("username", USER).set("password", PASSWORD).submit().await;
    let policy = account.header("content-security-policy").unwrap();
    assert!(
        policy.contains("form-action 'self' http://127.0.0.1:*"),
        "Chrome asks at each redirect: {policy}"
    );
    let cookies: Vec<_> = person.cookies().iter().map(|one| format!("{}={}", one.name, one.value)).collect();
    let old_browser = async |method: http::Method, form: &[(&str, &str)]| {
        let url = two.house.url("/account/providers/acme/link");
        let request = two.house.http.request(method, url).header("cookie", cookies.join("; ")).form(form);
        two.house.send(request).await.status
    };
    let begun = async || two.house.number("SELECT COUNT(*) FROM provider_legs").await;
    assert_eq!(old_browser(http::Method::GET, &[]).await, 405);
    assert_eq!(old_browser(http::Method::POST, &[]).await, 403);
    assert_eq!(old_browser(http::Method::POST, &[("csrf", "x")]).await, 403);
    assert_eq!(begun().await, 0);
    let form = link_form(&account);
    let (_, csrf) = form.fields().iter().find(|(name, _)| name == "csrf").unwrap();
    assert_eq!(old_browser(http::Method::POST, &[("csrf", csrf)]).await, 303);
    assert_eq!(begun().await, 1);
}

#[tokio::test]
async fn passwords_can_be_switched_off() {
    let two = Two::with_settings(|_, settings| settings.passwords = false).await;
    let person = Person::new();
    let login = person.open(two.house.authorize_url(&two.house.request())).await;
    assert!(!login.text().contains("type=\"password\"") && login.text().contains("Continue with Acme"));
    // Whoever makes the form up gets nowhere.
    let other = Two::with(|_| {}).await;
    let form = Person::new().open(other.house.authorize_url(&other.house.request())).await.form();
    let form = form.set("username", USER).set("password", PASSWORD);
    let fields: Vec<_> = form.fields().iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(two.house.post("/login", &fields).await.status, 404);
    assert_eq!(two.sign_in(&person).await.status(), 200);
    let account = person.open(two.house.url("/account")).await;
    assert!(!account.text().contains("/account/password"), "{}", account.text());
    assert_eq!(person.open(two.house.url("/account/password")).await.status(), 404);
}
