//! `/provider/callback`: what comes back becomes a code, in the browser that was sent there and once.

use hallpass_testkit::person::Person;
use serde_json::json;

use super::{Fronted, parameter};
use crate::harness::{CALLBACK, NATIVE, VERIFIER, set};

/// No code, and no way to any client.
fn nothing(page: &hallpass_testkit::person::Page) {
    assert_eq!((page.status().as_u16(), page.location()), (400, None), "{}", page.text());
}

#[tokio::test]
async fn a_person_agrees_goes_to_the_provider_and_comes_back_with_a_code() {
    let fronted = Fronted::furnished().await;
    let (house, person) = (&fronted.house, Person::new());
    let consent = fronted.consent(&person, &house.request()).await;
    let host = fronted.party.issuer().strip_prefix("http://").unwrap().to_owned();
    for part in
        [NATIVE, "127.0.0.1 (this computer)", CALLBACK, "Notes", "read your notes", "notes:write", &host]
    {
        assert!(consent.text().contains(part), "{part} is missing:\n{}", consent.text());
    }
    assert!(!consent.text().contains("Signed in as"));
    assert!(consent.header("content-security-policy").unwrap().contains("frame-ancestors 'none'"));
    // Nothing that names the way back is there before the person has agreed.
    assert_eq!(house.number("SELECT COUNT(*) FROM provider_legs").await, 0);
    assert!(fronted.party.asked("/authorize").is_empty());

    let there = consent.form().press("decision", "allow").submit().await.location().unwrap();
    let asked = |name: &str| parameter(&there, name).unwrap_or_default();
    assert_eq!(asked("client_id"), hallpass_testkit::third_party::CLIENT_ID);
    assert_eq!(asked("redirect_uri"), house.url("/provider/callback"));
    assert_eq!(asked("resource"), super::CALLED);
    assert_eq!(asked("scope"), "notes:read notes:write openid");
    assert_eq!(asked("code_challenge_method"), "S256");
    let request = house.request();
    let own = |name: &str| request.iter().find(|(known, _)| *known == name).unwrap().1.clone();
    assert_ne!(asked("code_challenge"), own("code_challenge"), "a proof key of its own on each leg");
    assert_ne!(asked("state"), own("state"));

    let callback = person.open(there).await.location().unwrap();
    let back = person.open(callback).await;
    assert!(back.location().unwrap().as_str().starts_with(CALLBACK));
    assert_eq!(back.location_param("state"), Some(own("state")));
    assert_eq!(back.location_param("iss"), Some(house.issuer.clone()), "ours, and not the provider's");
    assert_eq!(fronted.asked_with("authorization_code"), 1, "the provider's code is redeemed at once");
    let redeemed = &fronted.party.asked("/token")[0];
    assert_ne!(redeemed.parameters["code_verifier"], VERIFIER);
    assert_eq!(redeemed.parameters["resource"], super::CALLED);
}

// Row 27 of never-again.
#[tokio::test]
async fn another_browser_gets_no_code() {
    let fronted = Fronted::furnished().await;
    let person = Person::new();
    let callback = fronted.sent_back(&person, &fronted.house.request()).await;
    for stranger in [Person::new(), {
        let other = Person::new();
        fronted.consent(&other, &fronted.house.request()).await;
        other
    }] {
        nothing(&stranger.open(&callback).await);
    }
    assert_eq!(fronted.asked_with("authorization_code"), 0, "the provider's code is not even redeemed");
    assert_eq!(fronted.house.number("SELECT COUNT(*) FROM codes").await, 0);
    // Nobody has spoilt it for the person.
    assert!(person.open(&callback).await.location_param("code").is_some());
}

// Row 4 of never-again.
#[tokio::test]
async fn a_callback_counts_once() {
    let fronted = Fronted::furnished().await;
    let person = Person::new();
    let callback = fronted.sent_back(&person, &fronted.house.request()).await;
    assert!(person.open(&callback).await.location_param("code").is_some());
    nothing(&person.open(&callback).await);
    assert_eq!(fronted.house.number("SELECT COUNT(*) FROM codes").await, 1);
}

#[tokio::test]
async fn a_person_who_takes_too_long_begins_again() {
    let fronted = Fronted::furnished().await;
    let person = Person::new();
    let callback = fronted.sent_back(&person, &fronted.house.request()).await;
    fronted.advance(30 * 60);
    nothing(&person.open(&callback).await);
}

// Row 44 of never-again.
#[tokio::test]
async fn state_is_looked_at_before_anything_that_an_answer_says() {
    let fronted = Fronted::furnished().await;
    let person = Person::new();
    let callback = fronted.sent_back(&person, &fronted.house.request()).await;
    let base = fronted.house.url("/provider/callback");
    for query in [
        "",
        "?error=access_denied",
        "?error=access_denied&state=forged",
        "?code=canary-code-0",
        "?code=canary-code-0&state=",
        "?code=canary-code-0&state=forged",
        "?code=a&code=b&state=forged",
    ] {
        nothing(&person.open(format!("{base}{query}")).await);
    }
    assert!(person.open(&callback).await.location_param("code").is_some(), "nothing was spoilt");
}

#[tokio::test]
async fn an_answer_of_another_issuer_brings_no_code() {
    let fronted = Fronted::furnished().await;
    for iss in [Some("https://evil.example"), Some(""), None] {
        let mut answer = vec![("code".to_owned(), "x".to_owned())];
        answer.extend(iss.map(|iss| ("iss".to_owned(), iss.to_owned())));
        fronted.party.script().instead_of_a_code = Some(answer);
        let back = fronted.answered(&fronted.house.request()).await;
        assert_eq!(back.location_param("error").as_deref(), Some("server_error"), "{iss:?}");
        assert_eq!(back.location_param("code"), None);
    }
    assert_eq!(fronted.asked_with("authorization_code"), 0);
}

#[tokio::test]
async fn the_clients_hears_of_a_no_and_of_an_outage() {
    let fronted = Fronted::furnished().await;
    let issuer = fronted.party.issuer().to_owned();
    let said =
        |error: &str| Some(vec![("error".to_owned(), error.to_owned()), ("iss".to_owned(), issuer.clone())]);
    for (error, told) in [("access_denied", "access_denied"), ("login_required", "server_error")] {
        fronted.party.script().instead_of_a_code = said(error);
        let back = fronted.answered(&fronted.house.request()).await;
        assert_eq!(back.location_param("error").as_deref(), Some(told));
        assert_eq!(back.location_param("iss"), Some(fronted.house.issuer.clone()));
        assert_eq!(back.location_param("state").as_deref(), Some("a state/+&"));
    }
    fronted.party.script().instead_of_a_code = None;
    fronted.party.script().instead_of_tokens = Some((503, String::new()));
    let back = fronted.answered(&fronted.house.request()).await;
    assert_eq!(back.location_param("error").as_deref(), Some("temporarily_unavailable"));
}

#[tokio::test]
async fn a_no_here_never_reaches_the_provider() {
    let fronted = Fronted::furnished().await;
    let consent = fronted.consent(&Person::new(), &fronted.house.request()).await;
    let back = consent.form().press("decision", "deny").submit().await;
    assert_eq!(back.location_param("error").as_deref(), Some("access_denied"));
    for decision in ["yes", "ALLOW", "switch"] {
        let consent = fronted.consent(&Person::new(), &fronted.house.request()).await;
        let back = consent.form().set("decision", decision).submit().await;
        assert_eq!(back.location_param("error").as_deref(), Some("access_denied"), "{decision}");
    }
    assert!(fronted.party.asked("/authorize").is_empty());
    assert_eq!(fronted.house.number("SELECT COUNT(*) FROM provider_legs").await, 0);
}

#[tokio::test]
async fn while_the_provider_is_away_the_page_of_consent_stays_good() {
    let fronted = Fronted::furnished().await;
    let person = Person::new();
    let consent = fronted.consent(&person, &fronted.house.request()).await;
    fronted.party.script().metadata = json!({ "issuer": "https://evil.example" });
    let form = consent.form().press("decision", "allow");
    let page = form.clone().submit().await;
    assert_eq!(page.status().as_u16(), 503, "{}", page.text());
    assert!(!page.text().contains("evil.example"), "what a provider said is for the log");
    fronted.party.script().metadata = json!({});
    fronted.advance(10);
    assert!(form.submit().await.location().unwrap().as_str().starts_with(fronted.party.issuer()));
}

#[tokio::test]
async fn what_nobody_may_be_asked_for_is_refused() {
    let fronted = Fronted::furnished().await;
    let house = &fronted.house;
    let refused = async |request: &[(&'static str, String)]| {
        let page = Person::new().open(house.authorize_url(request)).await;
        page.location_param("error")
    };
    let mut request = house.request();
    set(&mut request, "prompt", "none");
    assert_eq!(refused(&request).await.as_deref(), Some("login_required"));
    let mut request = house.request();
    request.push(("resource", house.url("/second")));
    assert_eq!(refused(&request).await.as_deref(), Some("invalid_target"), "a token is for one");
    for (name, value, error) in [
        ("code_challenge", "", "invalid_request"),
        ("resource", "https://other.example/mcp", "invalid_target"),
        ("response_type", "token", "unsupported_response_type"),
        ("scope", "everything", "invalid_scope"),
    ] {
        let mut request = house.request();
        set(&mut request, name, value);
        assert_eq!(refused(&request).await.as_deref(), Some(error), "{name}");
    }
    assert!(fronted.party.asked("/authorize").is_empty());
}

#[tokio::test]
async fn a_new_login_is_one_at_the_provider() {
    let fronted = Fronted::furnished().await;
    let mut request = fronted.house.request();
    set(&mut request, "max_age", "300");
    let there = fronted.agreed(&Person::new(), &request).await;
    assert_eq!(parameter(&there, "max_age").as_deref(), Some("300"));
    // The ID token has to say so (OpenID Connect Core §3.1.3.7, rule 13).
    let error = fronted.answered(&request).await.location_param("error");
    assert_eq!(error.as_deref(), Some("server_error"));
    fronted.party.script().claims = json!({ "auth_time": 1_800_000_000_i64 - 200 });
    assert!(fronted.answered(&request).await.location_param("code").is_some());
    fronted.party.script().claims = json!({ "auth_time": 1_800_000_000_i64 - 400 });
    assert!(fronted.answered(&request).await.location_param("code").is_none());
    set(&mut request, "max_age", "");
    set(&mut request, "prompt", "login");
    let there = fronted.agreed(&Person::new(), &request).await;
    assert_eq!(parameter(&there, "prompt").as_deref(), Some("login"));
}

/// Lists and logs show the name; what would move a terminal's cursor, or turn a line around, is not in it.
#[tokio::test]
async fn a_name_that_the_provider_gives_is_shown_as_it_is() {
    let fronted = Fronted::furnished().await;
    fronted.party.script().claims = json!({ "preferred_username": "eve\u{1b}[2J\u{202e}\u{0}\n" });
    fronted.tokens().await;
    let users = fronted.house.server.users().list().await.unwrap();
    let name = &users.iter().find(|user| user.name.starts_with("eve")).unwrap().name;
    assert!(name.starts_with("eve[2J at http://"), "{name:?}");
}
