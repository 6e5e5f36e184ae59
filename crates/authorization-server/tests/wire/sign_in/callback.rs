//! What comes back from the provider.

use super::*;

/// Row 4.
#[tokio::test]
async fn row_4_a_callback_that_comes_twice_is_refused() {
    let two = Two::with(|_| {}).await;
    let person = Person::new();
    let callback = two.to_the_callback(&person, &two.house.request()).await;
    let tokens = || two.party.asked("/token").len();
    assert_eq!(person.arrive(&callback).await.status(), 200);
    assert_eq!(tokens(), 1);
    let again = person.arrive(&callback).await;
    assert_eq!((again.status().as_u16(), tokens()), (400, 1), "the provider is not even asked");
    assert!(again.text().contains("has come back before"));
}

/// Rows 27 and 28: nobody finishes what another browser began, and nobody gets a code of it.
#[tokio::test]
async fn rows_27_and_28_a_callback_in_another_browser_is_refused() {
    let two = Two::with(|_| {}).await;
    let (victim, attacker) = (Person::new(), Person::new());
    let callback = two.to_the_callback(&attacker, &two.house.request()).await;
    let page = victim.arrive(&callback).await;
    assert_eq!(page.status(), 400, "{}", page.text());
    assert!(page.header("location").is_none() && two.party.asked("/token").is_empty());
    assert!(victim.cookies().iter().all(|cookie| !cookie.name.contains("session")), "no session");
    // With cookies, but another's leg.
    drop(two.to_the_callback(&victim, &two.house.request()).await);
    assert_eq!(victim.arrive(&callback).await.status(), 400);
    assert_eq!(attacker.arrive(&callback).await.status(), 200, "its own browser goes on");
}

/// State and browser first, then the issuer, then what it says (rows 4 and 44).
#[tokio::test]
async fn what_an_answer_says_counts_after_who_says_it() {
    let two = Two::with(|_| {}).await;
    let at = |query: &str| format!("{}?{query}", two.house.url("/providers/acme/callback"));
    let own = two.party.issuer().to_owned();
    let person = Person::new();
    let made_up =
        person.arrive(at(&format!("state=x&iss={own}&error=call+0190&error_description=call+0190"))).await;
    assert_eq!(made_up.status(), 400);
    assert!(!made_up.text().contains("0190"));
    let state = async |person: &Person| {
        let login = person.open(two.house.authorize_url(&two.house.request())).await;
        login.follow("Continue with Acme").await.location_param("state").unwrap()
    };
    for (answer, status) in [
        ("code=x&iss=https://evil.example".to_owned(), 502),
        ("error=access_denied&error_description=call+0190&iss=https://evil.example".to_owned(), 502),
        ("code=x".to_owned(), 502),
        (format!("error=access_denied&error_description=call+0190&iss={own}"), 403),
        (format!("code=unknown&iss={own}"), 502),
        (format!("code=a&error=b&iss={own}"), 502),
    ] {
        let person = Person::new();
        let query = format!("state={}&{answer}", state(&person).await);
        let page = person.arrive(at(&query)).await;
        assert_eq!(page.status(), status, "{answer}: {}", page.text());
        assert!(!page.text().contains("0190") && page.text().contains("Continue with Acme"), "to try again");
        assert_eq!(person.arrive(at(&query)).await.status(), 400, "an answer counts once, whatever it says");
    }
    let elsewhere = person.arrive(at("state=x").replace("/acme/", "/evil/")).await;
    assert_eq!(elsewhere.status(), 404);
}

#[tokio::test]
async fn a_provider_that_is_down_ends_nothing() {
    let two = Two::with(|_| {}).await;
    let person = Person::new();
    let callback = two.to_the_callback(&person, &two.house.request()).await;
    two.party.script().instead_of_tokens = Some((503, String::new()));
    let page = person.arrive(&callback).await;
    assert_eq!(page.status(), 503);
    two.party.script().instead_of_tokens = None;
    let callback = two.through(&person, &page, "Continue with Acme").await;
    assert_eq!(person.arrive(&callback).await.status(), 200, "the request of the app waits still");
}

#[tokio::test]
async fn another_site_sends_nobody_to_the_provider() {
    let two = Two::with(|_| {}).await;
    let person = Person::new();
    let away = person.arrive(two.house.url("/login/with/acme?then=/account")).await;
    assert_eq!((away.status().as_u16(), away.url().path()), (200, "/login"));
    assert_eq!(two.house.number("SELECT COUNT(*) FROM provider_legs").await, 0);
}

/// Nor does it where the browser says nothing of where a request comes from: the link has a token, of one browser, way and destination.
#[tokio::test]
async fn no_link_sends_anybody_to_the_provider_but_that_of_their_own_page() {
    let two = Two::with(|_| {}).await;
    let (person, other) = (Person::new(), Person::new());
    let link = async |person: &Person, then: &str| {
        let page = person.open(two.house.url(&format!("/login?then={then}"))).await;
        page.link("Continue with Acme").unwrap_or_else(|| panic!("{}", page.text())).to_string()
    };
    let (own, others) = (link(&person, "/account").await, link(&other, "/account").await);
    let elsewhere = own.replace("account", "device");
    let bare = two.house.url("/login/with/acme?then=/account");
    // As a browser asks that knows no Fetch Metadata.
    let cookies = person.cookies().into_iter().map(|cookie| format!("{}={}", cookie.name, cookie.value));
    let cookies = cookies.collect::<Vec<_>>().join("; ");
    let ask = async |link: &str| {
        let answer = two.house.http.get(link).header("cookie", &cookies).send().await.unwrap();
        answer.headers()["location"].to_str().unwrap().to_owned()
    };
    for foreign in [&bare, &others, &elsewhere, &format!("{bare}&csrf=x")] {
        let there = ask(foreign).await;
        assert!(there.starts_with("/login?then="), "{foreign}: {there}");
    }
    assert_eq!(two.house.number("SELECT COUNT(*) FROM provider_legs").await, 0);
    assert!(ask(&own).await.starts_with(two.party.issuer()));
    let to_the_provider = person.arrive(&own).await;
    assert_eq!(to_the_provider.url().path(), "/login", "where it says so, the browser is believed");
}

#[tokio::test]
async fn nothing_of_the_provider_is_kept() {
    let two = Two::with(|_| {}).await;
    two.claims(&Person::new()).await;
    drop(two.to_the_callback(&Person::new(), &two.house.request()).await);
    let stored = String::from_utf8_lossy(&two.house.everything_stored().await).into_owned();
    assert!(!stored.contains("canary"), "no token, code or secret of the provider");
}
