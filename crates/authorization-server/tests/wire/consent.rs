//! `/consent`: what a person sees and decides, and in which browser.

use crate::harness;
use hallpass_authorization_server::NewClient;
use hallpass_testkit::person::Person;
use harness::{House, NATIVE, set};

#[tokio::test]
async fn names_client_host_resource_and_scopes_in_words() {
    let house = House::furnished().await;
    let page = house.log_in(&Person::new(), &house.request()).await;
    let text = page.text();
    for part in [
        NATIVE,
        "127.0.0.1 (this computer)",
        "Notes",
        &house.resource(),
        "read your notes",
        "write and change your notes",
        "Did you just start this yourself?",
        "Signed in as ada",
        "stays connected for 180 days, or until it has not been used for 30 days",
    ] {
        assert!(text.contains(part), "{part} is missing:\n{text}");
    }
    let page = house.log_in(&Person::new(), &house.web_request()).await;
    assert!(page.text().contains("app.example"));
    assert!(!page.text().contains("Did you just start this yourself?"));
}

#[tokio::test]
async fn a_denial_is_told_to_the_client() {
    let house = House::furnished().await;
    let consent = house.log_in(&Person::new(), &house.request()).await;
    let form = consent.form();
    let back = form.clone().press("decision", "deny").submit().await;
    assert_eq!(back.location_param("error").as_deref(), Some("access_denied"));
    assert_eq!(back.location_param("iss"), Some(house.issuer.clone()));
    // It is over: the same form does nothing any more.
    let again = form.press("decision", "allow").submit().await;
    assert_eq!((again.status().as_u16(), again.location()), (400, None));
}

#[tokio::test]
async fn what_is_not_a_yes_is_a_no() {
    let house = House::furnished().await;
    for decision in [None, Some("yes"), Some("ALLOW")] {
        let consent = house.log_in(&Person::new(), &house.request()).await;
        let mut form = consent.form();
        if let Some(decision) = decision {
            form = form.set("decision", decision);
        }
        let back = form.submit().await;
        assert_eq!(back.location_param("error").as_deref(), Some("access_denied"));
    }
}

// Rows 27 and 28 of never-again.
#[tokio::test]
async fn only_the_browser_that_began_can_finish() {
    let house = House::furnished().await;
    let (attacker, victim) = (Person::new(), Person::new());
    house.log_in(&victim, &house.web_request()).await;
    let login = attacker.open(house.authorize_url(&house.request())).await;
    let consent = house.log_in(&attacker, &house.request()).await;
    // The attacker's addresses in the victim's browser, which is logged in.
    for url in [login.url(), consent.url()] {
        let page = victim.open(url.as_str()).await;
        assert_eq!((page.status().as_u16(), page.location()), (400, None), "{url}");
    }
    // The attacker's forms, with the victim's cookies.
    for form in [
        login.form().set("username", harness::USER).set("password", harness::PASSWORD),
        consent.form().press("decision", "allow"),
    ] {
        let page = form.submit_as(&victim).await;
        assert_eq!((page.status().as_u16(), page.location()), (400, None));
    }
    // And a browser without any cookie.
    let page = consent.form().press("decision", "allow").submit_as(&Person::new()).await;
    assert_eq!((page.status().as_u16(), page.location()), (400, None));
}

// Row 28 of never-again.
#[tokio::test]
async fn a_tampered_cookie_finishes_nothing() {
    let house = House::furnished().await;
    for cookie in ["browser", "session"] {
        let person = Person::new();
        let consent = house.log_in(&person, &house.request()).await;
        let name = person
            .cookies()
            .into_iter()
            .map(|cookie| cookie.name)
            .find(|name| name.contains(cookie))
            .unwrap();
        person.tamper(&name, &"A".repeat(43));
        let page = consent.form().press("decision", "allow").submit().await;
        assert!(page.status().is_client_error(), "{name}: {}", page.status());
        assert_eq!(page.location(), None, "{name}");
    }
}

#[tokio::test]
async fn cookies_are_for_this_server_alone() {
    let house = House::furnished().await;
    let person = Person::new();
    house.log_in(&person, &house.request()).await;
    let cookies = person.cookies();
    assert_eq!(cookies.len(), 2);
    for cookie in cookies {
        for attribute in ["httponly", "samesite=lax", "path=/"] {
            assert!(cookie.attributes.iter().any(|has| has == attribute), "{cookie:?}");
        }
    }
}

#[tokio::test]
async fn a_form_from_another_site_does_nothing() {
    let house = House::furnished().await;
    let person = Person::new();
    let consent = house.log_in(&person, &house.request()).await;
    let cookies: Vec<String> =
        person.cookies().iter().map(|cookie| format!("{}={}", cookie.name, cookie.value)).collect();
    let form = consent.form().press("decision", "allow");
    let send = async |headers: &[(&str, &str)], fields: Vec<(String, String)>| {
        let mut request = house.http.post(form.target().as_str()).header("cookie", cookies.join("; "));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        house.send(request.form(&fields)).await.status
    };
    let fields = || form.fields().to_vec();
    assert_eq!(send(&[("sec-fetch-site", "cross-site")], fields()).await, 403);
    assert_eq!(send(&[("sec-fetch-site", "same-site")], fields()).await, 403);
    assert_eq!(send(&[("origin", "https://evil.example")], fields()).await, 403);
    let mut without = fields();
    without.retain(|(name, _)| name != "csrf");
    assert_eq!(send(&[], without).await, 403);
    assert_eq!(send(&[("sec-fetch-site", "same-origin"), ("origin", "null")], fields()).await, 303);
}

#[tokio::test]
async fn one_consent_gives_one_code() {
    let house = House::furnished().await;
    let consent = house.log_in(&Person::new(), &house.request()).await;
    let form = consent.form().press("decision", "allow");
    let first = form.clone().submit().await;
    assert!(first.location_param("code").is_some());
    let second = form.submit().await;
    assert_eq!((second.status().as_u16(), second.location()), (400, None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_consent_sent_many_times_at_once_gives_one_code() {
    let house = House::furnished().await;
    let consent = house.log_in(&Person::new(), &house.request()).await;
    let form = consent.form().press("decision", "allow");
    let clicks: Vec<_> = (0..32)
        .map(|_| {
            let form = form.clone();
            tokio::spawn(async move { form.submit().await.location_param("code") })
        })
        .collect();
    let mut codes = 0;
    for click in clicks {
        codes += usize::from(click.await.unwrap().is_some());
    }
    assert_eq!(codes, 1);
}

#[tokio::test]
async fn a_consent_that_waits_too_long_is_over() {
    let house = House::furnished().await;
    let consent = house.log_in(&Person::new(), &house.request()).await;
    house.advance(30 * 60);
    let page = consent.form().press("decision", "allow").submit().await;
    assert_eq!((page.status().as_u16(), page.location()), (400, None));
}

#[tokio::test]
async fn consent_is_remembered_and_only_what_is_new_is_asked() {
    let house = House::furnished().await;
    let person = Person::new();
    let mut request = house.web_request();
    set(&mut request, "scope", "notes:read");
    let consent = house.log_in(&person, &request).await;
    consent.form().press("decision", "allow").submit().await;
    let again = person.open(house.authorize_url(&request)).await;
    assert!(again.location_param("code").is_some(), "{}", again.text());
    set(&mut request, "scope", "notes:read notes:write");
    let more = person.open(house.authorize_url(&request)).await;
    assert!(more.url().path().ends_with("/consent"), "a new scope is asked for");
    more.form().press("decision", "allow").submit().await;
    set(&mut request, "resource", &format!("{}/second", house.issuer));
    let elsewhere = person.open(house.authorize_url(&request)).await;
    assert!(elsewhere.url().path().ends_with("/consent"), "another resource is asked for");
    set(&mut request, "resource", &house.resource());
    set(&mut request, "prompt", "consent");
    let asked = person.open(house.authorize_url(&request)).await;
    assert!(asked.url().path().ends_with("/consent"), "prompt=consent asks");
}

#[tokio::test]
async fn what_was_agreed_to_for_one_site_is_asked_again_for_another() {
    let house = House::furnished().await;
    let sites = ["https://app.example/callback", "https://staging.app.example/callback"];
    let client = NewClient {
        id: "two".to_owned(),
        redirect_uris: sites.map(str::to_owned).to_vec(),
        ..NewClient::default()
    };
    house.server.clients().add(client).await.unwrap();
    let person = Person::new();
    let mut request = house.web_request();
    set(&mut request, "client_id", "two");
    let consent = house.log_in(&person, &request).await;
    consent.form().press("decision", "allow").submit().await;
    assert!(person.open(house.authorize_url(&request)).await.location_param("code").is_some());
    set(&mut request, "redirect_uri", sites[1]);
    let elsewhere = person.open(house.authorize_url(&request)).await;
    assert!(elsewhere.url().path().ends_with("/consent"), "another site is asked about");
}

#[tokio::test]
async fn a_public_client_on_loopback_is_asked_about_each_time() {
    let house = House::furnished().await;
    let person = Person::new();
    let consent = house.log_in(&person, &house.request()).await;
    consent.form().press("decision", "allow").submit().await;
    let again = person.open(house.authorize_url(&house.request())).await;
    assert!(again.url().path().ends_with("/consent"));
    assert_eq!(again.location(), None);
}

#[tokio::test]
async fn another_account_can_be_chosen() {
    let house = House::furnished().await;
    let person = Person::new();
    let consent = house.log_in(&person, &house.request()).await;
    let login = consent.form().press("decision", "switch").submit().await;
    assert!(login.url().path().ends_with("/login"));
    let login = person.open(house.authorize_url(&house.request())).await;
    assert!(login.url().path().ends_with("/login"), "nobody is logged in any more");
}

#[tokio::test]
async fn a_disabled_user_gets_no_code() {
    let house = House::furnished().await;
    let consent = house.log_in(&Person::new(), &house.request()).await;
    house.server.users().disable(harness::USER).await.unwrap();
    let page = consent.form().press("decision", "allow").submit().await;
    assert_eq!(page.location_param("code"), None);
    assert!(page.url().path().ends_with("/login"));
}

#[tokio::test]
async fn a_client_that_was_removed_gets_no_code() {
    let house = House::furnished().await;
    let consent = house.log_in(&Person::new(), &house.request()).await;
    house.server.clients().remove(NATIVE).await.unwrap();
    let page = consent.form().press("decision", "allow").submit().await;
    assert_eq!((page.status().as_u16(), page.location()), (400, None));
}

#[tokio::test]
async fn the_policy_lets_the_form_end_at_the_client() {
    let house = House::furnished().await;
    let policy =
        |page: &hallpass_testkit::person::Page| page.header("content-security-policy").unwrap().to_owned();
    let native = house.log_in(&Person::new(), &house.request()).await;
    assert!(policy(&native).contains("form-action 'self' http://127.0.0.1:* http://localhost:* https:;"));
    let web = house.log_in(&Person::new(), &house.web_request()).await;
    assert!(policy(&web).contains("form-action 'self' https:;"));
}

#[tokio::test]
async fn an_app_behind_its_own_scheme_is_warned_about() {
    let house = House::furnished().await;
    let client = NewClient {
        id: "desktop".to_owned(),
        redirect_uris: vec!["com.example.app:/callback".to_owned()],
        ..NewClient::default()
    };
    house.server.clients().add(client).await.unwrap();
    let mut request = house.request();
    set(&mut request, "client_id", "desktop");
    set(&mut request, "redirect_uri", "com.example.app:/callback");
    let consent = house.log_in(&Person::new(), &request).await;
    assert!(consent.text().contains("com.example.app:</code> links"), "{}", consent.text());
    let back = consent.form().press("decision", "allow").submit().await;
    assert!(back.location().unwrap().as_str().starts_with("com.example.app:/callback?code="));
}

#[tokio::test]
async fn the_host_in_a_private_use_uri_is_not_shown_as_the_receiver() {
    let house = House::furnished().await;
    let client = NewClient {
        id: "desktop".to_owned(),
        redirect_uris: vec!["evilapp://claude.ai/callback".to_owned()],
        ..NewClient::default()
    };
    house.server.clients().add(client).await.unwrap();
    let mut request = house.request();
    set(&mut request, "client_id", "desktop");
    set(&mut request, "redirect_uri", "evilapp://claude.ai/callback");
    let consent = house.log_in(&Person::new(), &request).await;
    assert!(consent.text().contains("<strong>evilapp: (an app on this device)</strong>"));
    assert!(!consent.text().contains("claude.ai"), "{}", consent.text());
}

#[tokio::test]
async fn a_clients_name_is_never_markup_and_never_turns_text_around() {
    let house = House::furnished().await;
    let registration = serde_json::json!({
        "client_name": "<b>Evil</b>\u{202e}\" onload=x ".repeat(20),
        "redirect_uris": ["https://app.example/callback"],
        "token_endpoint_auth_method": "none",
    });
    let made = house.send(house.http.post(house.url("/register")).json(&registration)).await;
    let mut request = house.web_request();
    set(&mut request, "client_id", made.text("client_id"));
    let page = house.log_in(&Person::new(), &request).await;
    assert!(!page.text().contains("<b>"));
    assert!(!page.text().contains('\u{202e}'));
    assert!(page.text().contains("its name is not verified"));
}
