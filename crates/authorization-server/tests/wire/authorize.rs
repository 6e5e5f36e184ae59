//! `/authorize`: the checks before a person is asked.

use crate::harness;
use hallpass_authorization_server::NewClient;
use hallpass_protocol::scope::ScopeSet;
use hallpass_testkit::person::{Page, Person};
use harness::{CALLBACK, House, NATIVE, OTHER, WEB, WEB_CALLBACK, set};

type Request = Vec<(&'static str, String)>;

async fn open(house: &House, request: &Request) -> Page {
    Person::new().open(house.authorize_url(request)).await
}

fn changed(house: &House, name: &'static str, value: &str) -> Request {
    let mut request = house.request();
    set(&mut request, name, value);
    request
}

/// A page of this server, and no way to anywhere else.
fn assert_local(page: &Page, what: &str) {
    assert_eq!(page.status(), 400, "{what}");
    assert_eq!(page.location(), None, "{what}");
    assert!(page.text().contains("What to do"), "{what}: {}", page.text());
    assert!(page.forms().is_empty(), "{what}");
}

/// An error that the client gets, with state and iss.
fn assert_told(house: &House, page: &Page, error: &str) {
    let location = page.location().unwrap_or_else(|| panic!("{}", page.text()));
    assert!(location.as_str().starts_with(CALLBACK), "{location}");
    assert_eq!(page.location_param("error").as_deref(), Some(error), "{location}");
    assert_eq!(page.location_param("state").as_deref(), Some("a state/+&"));
    assert_eq!(page.location_param("iss"), Some(house.issuer.clone()));
    assert_eq!(page.location_param("code"), None);
}

// Row 8 of never-again.
#[tokio::test]
async fn an_unregistered_redirect_uri_gets_a_page_here_before_any_login() {
    let house = House::furnished().await;
    for uri in [
        "https://evil.example/callback",
        "http://127.0.0.1:4711/callback/",
        "http://127.0.0.1:4711/other",
        "http://localhost:4711/callback",
        "http://127.0.0.1:4711/callback?x=1",
        "http://user@127.0.0.1:4711/callback",
        "http://127.0.0.1:4711@evil.example/callback",
        "http://127.0.0.1:4711/callback#fragment",
        "http://127.0.0.1:4711\\@evil.example/callback",
        "http://127.0.0.1.evil.example/callback",
        "javascript:alert(1)",
        "not a uri",
        WEB_CALLBACK,
    ] {
        assert_local(&open(&house, &changed(&house, "redirect_uri", uri)).await, uri);
        // Nor is any other fault told there.
        let mut faulty = changed(&house, "redirect_uri", uri);
        set(&mut faulty, "response_type", "token");
        assert_local(&open(&house, &faulty).await, uri);
    }
}

#[tokio::test]
async fn an_unknown_client_gets_a_page_here() {
    let house = House::furnished().await;
    for id in ["", "nobody", "https://unreachable.invalid/client.json", &"x".repeat(3000)] {
        assert_local(&open(&house, &changed(&house, "client_id", id)).await, id);
    }
    let page = open(&house, &changed(&house, "client_id", "<script>alert(1)</script>")).await;
    assert!(!page.text().contains("<script>"));
}

// Row 12 of never-again.
#[tokio::test]
async fn a_parameter_twice_gets_a_page_here() {
    let house = House::furnished().await;
    for (name, value) in house.request() {
        if name == "resource" {
            continue;
        }
        let mut request = house.request();
        request.push((name, value));
        assert_local(&open(&house, &request).await, name);
        request.retain(|(key, _)| *key != name);
        request.extend([(name, String::new()), (name, "x".to_owned())]);
        assert_local(&open(&house, &request).await, name);
    }
}

// Row 9 of never-again.
#[tokio::test]
async fn there_is_no_code_without_an_s256_challenge() {
    let house = House::furnished().await;
    for (name, value) in [
        ("code_challenge", ""),
        ("code_challenge", "short"),
        ("code_challenge", "!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!"),
        ("code_challenge_method", ""),
        ("code_challenge_method", "plain"),
        ("code_challenge_method", "s256"),
    ] {
        let page = open(&house, &changed(&house, name, value)).await;
        assert_told(&house, &page, "invalid_request");
    }
}

#[tokio::test]
async fn there_is_one_response_type_and_one_response_mode() {
    let house = House::furnished().await;
    for (name, value, error) in [
        ("response_type", "", "invalid_request"),
        ("response_type", "token", "unsupported_response_type"),
        ("response_type", "code token", "unsupported_response_type"),
        ("response_type", "code id_token", "unsupported_response_type"),
        ("response_mode", "fragment", "invalid_request"),
        ("response_mode", "form_post", "invalid_request"),
        ("request", "x.y.z", "request_not_supported"),
        ("request_uri", "https://app.example/request", "request_uri_not_supported"),
    ] {
        let page = open(&house, &changed(&house, name, value)).await;
        assert_told(&house, &page, error);
    }
}

#[tokio::test]
async fn a_resource_has_to_be_known() {
    let house = House::furnished().await;
    for resource in ["https://evil.example/mcp", "mcp", &format!("{}/other", house.issuer)] {
        let page = open(&house, &changed(&house, "resource", resource)).await;
        assert_told(&house, &page, "invalid_target");
    }
    let mut two = house.request();
    two.push(("resource", "https://evil.example/mcp".to_owned()));
    assert_told(&house, &open(&house, &two).await, "invalid_target");
    let mut twice = house.request();
    twice.push(("resource", format!("{}/", house.resource())));
    assert_eq!(open(&house, &twice).await.status(), 200);
}

#[tokio::test]
async fn the_audience_is_the_resource_that_was_asked_for() {
    let house = House::furnished().await;
    let second = format!("{}/second", house.issuer);
    for (asked, audience) in [
        (second.clone(), second),
        (String::new(), house.resource()),
        (format!("{}/", house.resource()), house.resource()),
    ] {
        let code = house.code_for(&changed(&house, "resource", &asked)).await;
        let tokens = house.redeem(&code).await;
        let jwt = tokens.text("access_token");
        let issuer = hallpass_protocol::issuer::Issuer::parse(&house.issuer).unwrap();
        let expected = hallpass_protocol::jose::Expected {
            issuer: &issuer,
            audience: &[&audience],
            typ: &["at+jwt"],
            now: house.clock.now(),
            leeway: std::time::Duration::ZERO,
        };
        let verified = hallpass_protocol::jose::UnverifiedJwt::parse(jwt)
            .unwrap()
            .verify(&house.server.verifying_keys().current(), &expected)
            .unwrap();
        assert_eq!(verified.claims().audience.0, [audience]);
    }
}

#[tokio::test]
async fn scopes_have_to_be_known_and_default_where_none_is_asked() {
    let house = House::furnished().await;
    for scope in ["notes:read admin", "openid", "a\"b"] {
        let page = open(&house, &changed(&house, "scope", scope)).await;
        assert_told(&house, &page, "invalid_scope");
    }
    for scope in ["", "offline_access"] {
        let code = house.code_for(&changed(&house, "scope", scope)).await;
        let tokens = house.redeem(&code).await;
        assert!(tokens.text("scope").starts_with("notes:read"));
        assert!(!tokens.text("scope").contains("notes:write"));
    }
}

#[tokio::test]
async fn a_client_may_be_limited_in_scopes_and_grants() {
    let house = House::furnished().await;
    let client = NewClient {
        id: "limited".to_owned(),
        redirect_uris: vec![CALLBACK.to_owned()],
        grant_types: vec!["authorization_code".to_owned()],
        scopes: Some(ScopeSet::parse("notes:read").unwrap()),
        ..NewClient::default()
    };
    house.server.clients().add(client).await.unwrap();
    let mut request = changed(&house, "client_id", "limited");
    assert_told(&house, &open(&house, &request).await, "invalid_scope");
    set(&mut request, "scope", "notes:read offline_access");
    let code = house.code_for(&request).await;
    let mut form = harness::redemption(&code);
    form[1].1 = "limited";
    let tokens = house.post("/token", &form).await;
    assert_eq!(tokens.text("scope"), "notes:read");
    assert_eq!(tokens.json.get("refresh_token"), None);
}

#[tokio::test]
async fn the_one_registered_redirect_uri_may_be_left_out() {
    let house = House::furnished().await;
    let mut request = house.web_request();
    set(&mut request, "redirect_uri", "");
    let consent = house.log_in(&Person::new(), &request).await;
    let back = consent.form().press("decision", "allow").submit().await;
    assert!(back.location().unwrap().as_str().starts_with(WEB_CALLBACK));
}

#[tokio::test]
async fn only_the_port_of_a_loopback_redirect_may_vary() {
    let house = House::furnished().await;
    for port in ["", ":1", ":65535"] {
        let uri = format!("http://127.0.0.1{port}/callback");
        let page = open(&house, &changed(&house, "redirect_uri", &uri)).await;
        assert_eq!(page.status(), 200, "{uri}");
    }
    let page = open(&house, &changed(&house, "redirect_uri", "http://[::1]:4711/callback")).await;
    assert_local(&page, "another loopback host");
}

#[tokio::test]
async fn a_request_may_come_as_a_form() {
    let house = House::furnished().await;
    let form = house.request();
    let post = async |form: &Request| {
        let answer = house.send(house.http.post(house.url("/authorize")).form(form)).await;
        assert_eq!(answer.status, 303);
        // A form of another site comes without cookies; a new one would put the browser's own out of its place.
        assert_eq!(answer.header("set-cookie"), None);
        let location = answer.header("location").unwrap();
        assert!(location.starts_with("/authorize?"), "{location}");
        Person::new().open(house.url(location)).await
    };
    let login = post(&form).await;
    assert!(login.url().path().ends_with("/login"));
    let consent =
        login.form().set("username", harness::USER).set("password", harness::PASSWORD).submit().await;
    let back = consent.form().press("decision", "allow").submit().await;
    assert_eq!(back.location_param("state").as_deref(), Some("a state/+&"));
    let mut bad = form.clone();
    set(&mut bad, "redirect_uri", "https://evil.example/#x");
    assert_local(&post(&bad).await, "a redirect URI that is not the client's");
    let mut twice = form.clone();
    twice.push(("client_id", OTHER.to_owned()));
    let answer = house.send(house.http.post(house.url("/authorize")).form(&twice)).await;
    assert_eq!((answer.status, answer.header("location")), (400, None));
}

/// A client that registers itself with this redirect URI.
async fn registered(house: &House, redirect_uri: &str) -> Request {
    let metadata = serde_json::json!({
        "client_name": "Your bank",
        "redirect_uris": [redirect_uri],
        "token_endpoint_auth_method": "none",
    });
    let made = house.send(house.http.post(house.url("/register")).json(&metadata)).await;
    let mut request = changed(house, "client_id", made.text("client_id"));
    set(&mut request, "redirect_uri", redirect_uri);
    request
}

#[tokio::test]
async fn nobody_is_sent_to_a_strangers_site_before_deciding() {
    let house = House::furnished().await;
    for (redirect, receiver) in [
        ("https://evil.example/callback", "evil.example"),
        ("com.example.evil://bank.example/callback", "com.example.evil: (an app on this device)"),
    ] {
        for (name, value, error) in [
            ("response_type", "x", "unsupported_response_type"),
            ("scope", "Call 555-0100 now", "invalid_scope"),
            ("prompt", "none", "login_required"),
        ] {
            let mut request = registered(&house, redirect).await;
            set(&mut request, name, value);
            let page = open(&house, &request).await;
            assert_local(&page, error);
            assert!(page.text().contains(&format!("at {receiver}</a>")), "{}", page.text());
            assert!(page.text().contains(&format!("error={error}&#38;")), "{}", page.text());
            assert!(!page.text().contains("Call 555"), "the page says nothing in a stranger's words");
        }
    }
}

#[tokio::test]
async fn an_app_on_this_machine_is_told_at_once() {
    let house = House::furnished().await;
    for (name, value, error) in
        [("response_type", "x", "unsupported_response_type"), ("prompt", "none", "login_required")]
    {
        let mut request = registered(&house, CALLBACK).await;
        set(&mut request, name, value);
        assert_told(&house, &open(&house, &request).await, error);
    }
}

#[tokio::test]
async fn state_comes_back_with_the_code_and_iss() {
    let house = House::furnished().await;
    let consent = house.log_in(&Person::new(), &house.request()).await;
    let back = consent.form().press("decision", "allow").submit().await;
    assert_eq!(back.status(), 303);
    assert!(back.location().unwrap().as_str().starts_with(&format!("{CALLBACK}?")));
    assert_eq!(back.location_param("state").as_deref(), Some("a state/+&"));
    assert_eq!(back.location_param("iss"), Some(house.issuer.clone()));
    assert_eq!(back.location_param("error"), None);
    assert_eq!(back.header("referrer-policy"), Some("no-referrer"));
    assert_eq!(back.header("cache-control"), Some("no-store"));
}

#[tokio::test]
async fn a_state_without_measure_is_not_sent_back() {
    let house = House::furnished().await;
    let page = open(&house, &changed(&house, "state", &"x".repeat(5000))).await;
    assert_eq!(page.location_param("error").as_deref(), Some("invalid_request"));
    assert_eq!(page.location_param("state"), None);
}

#[tokio::test]
async fn prompt_none_shows_no_page() {
    let house = House::furnished().await;
    let person = Person::new();
    let mut silent = house.web_request();
    set(&mut silent, "prompt", "none");
    let page = person.open(house.authorize_url(&silent)).await;
    assert_eq!(page.location_param("error").as_deref(), Some("login_required"));
    let consent = house.log_in(&person, &house.web_request()).await;
    let page = person.open(house.authorize_url(&silent)).await;
    assert_eq!(page.location_param("error").as_deref(), Some("consent_required"));
    consent.form().press("decision", "allow").submit().await;
    let page = person.open(house.authorize_url(&silent)).await;
    assert!(page.location_param("code").is_some());
    set(&mut silent, "prompt", "none login");
    let page = person.open(house.authorize_url(&silent)).await;
    assert_eq!(page.location_param("error").as_deref(), Some("invalid_request"));
}

#[tokio::test]
async fn prompt_login_asks_for_the_password_anew() {
    let house = House::furnished().await;
    let person = Person::new();
    house.log_in(&person, &house.request()).await;
    let again = person.open(house.authorize_url(&house.request())).await;
    assert!(again.url().path().ends_with("/consent"), "logged in still");
    let login = person.open(house.authorize_url(&changed(&house, "prompt", "login"))).await;
    assert!(login.url().path().ends_with("/login"));
    // The page behind it cannot be opened around it.
    let around = login.url().as_str().replace("/login", "/consent");
    assert!(person.open(around).await.url().path().ends_with("/login"));
    let consent =
        login.form().set("username", harness::USER).set("password", harness::PASSWORD).submit().await;
    assert!(consent.url().path().ends_with("/consent"));
}

// Row 13 of never-again.
#[tokio::test]
async fn no_tampering_brings_another_response_than_a_code() {
    let house = House::furnished().await;
    let consent = house.log_in(&Person::new(), &house.request()).await;
    let back = consent
        .form()
        .set("response_type", "token")
        .set("response_mode", "fragment")
        .set("redirect_uri", "https://evil.example/")
        .set("client_id", OTHER)
        .set("scope", "admin")
        .press("decision", "allow")
        .submit()
        .await;
    let location = back.location().unwrap();
    assert!(location.as_str().starts_with(CALLBACK));
    assert_eq!(location.fragment(), None);
    let code = back.location_param("code").unwrap();
    let tokens = house.redeem(&code).await;
    assert_eq!(house.verify(tokens.text("access_token")).client_id, NATIVE);
    for field in ["interaction", "csrf"] {
        let consent = house.log_in(&Person::new(), &house.request()).await;
        let forged = consent.form().set(field, "AAAAAAAAAAAAAAAAAAAAAA");
        let refused = forged.press("decision", "allow").submit().await;
        assert!(refused.status().is_client_error(), "{field}");
        assert_eq!(refused.location(), None, "{field}");
    }
}

#[tokio::test]
async fn a_reference_and_strict_headers_are_on_every_page() {
    let house = House::furnished().await;
    let problem = open(&house, &changed(&house, "client_id", "nobody")).await;
    assert!(problem.text().contains("Reference <code>"));
    let login = open(&house, &house.request()).await;
    for page in [&problem, &login] {
        let policy = page.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
        assert!(policy.contains("frame-ancestors 'none'") && policy.contains("base-uri 'none'"));
        assert_eq!(page.header("cache-control"), Some("no-store"));
        assert_eq!(page.header("referrer-policy"), Some("no-referrer"));
        assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    }
    let policy = login.header("content-security-policy").unwrap();
    assert!(policy.contains("form-action 'self';"), "{policy}");
}

#[tokio::test]
async fn a_confidential_client_cannot_be_used_with_anothers_redirect() {
    let house = House::furnished().await;
    let mut request = house.request();
    set(&mut request, "client_id", WEB);
    assert_local(&open(&house, &request).await, "another client's redirect URI");
}
