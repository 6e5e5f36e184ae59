//! `/par`: pushed authorization requests (RFC 9126).

use crate::harness;
use hallpass_authorization_server::NewClient;
use hallpass_protocol::client_assertion::ASSERTION_TYPE;
use hallpass_protocol::jose::{JwkSet, SigningKey};
use hallpass_testkit::person::{Page, Person};
use harness::{Answer, CALLBACK, House, NATIVE, OTHER, PASSWORD, USER, WEB, WEB_SECRET, set};
use tokio::net::TcpListener;
use url::Url;

async fn push(house: &House, request: &[(&'static str, String)]) -> Answer {
    let form: Vec<(&str, &str)> = request.iter().map(|(name, value)| (*name, value.as_str())).collect();
    house.post("/par", &form).await
}

async fn follow(house: &House, person: &Person, client: &str, uri: &str) -> Page {
    let request = [("client_id", client), ("request_uri", uri)];
    person.open(Url::parse_with_params(&house.url("/authorize"), request).unwrap()).await
}

#[tokio::test]
async fn a_pushed_request_leads_to_a_code_once() {
    let house = House::furnished().await;
    let pushed = push(&house, &house.request()).await;
    assert_eq!((pushed.status, &pushed.json["expires_in"]), (201, &serde_json::json!(90)));
    assert_eq!(pushed.header("cache-control"), Some("no-store"));
    let person = Person::new();
    let login = follow(&house, &person, NATIVE, pushed.text("request_uri")).await;
    let consent = login.form().set("username", USER).set("password", PASSWORD).submit().await;
    let back = consent.form().press("decision", "allow").submit().await;
    assert_eq!(back.location_param("state").as_deref(), Some("a state/+&"));
    assert_eq!(back.location_param("iss").as_deref(), Some(house.issuer.as_str()));
    assert_eq!(house.redeem(&back.location_param("code").unwrap()).await.status, 200);
    let again = follow(&house, &person, NATIVE, pushed.text("request_uri")).await;
    assert_eq!((again.status().as_u16(), again.location()), (400, None));
}

#[tokio::test]
async fn a_pushed_request_ends_and_belongs_to_its_client() {
    let house = House::furnished().await;
    let pushed = push(&house, &house.request()).await;
    let foreign = follow(&house, &Person::new(), OTHER, pushed.text("request_uri")).await;
    assert_eq!((foreign.status().as_u16(), foreign.location()), (400, None));
    house.advance(90);
    let late = follow(&house, &Person::new(), NATIVE, pushed.text("request_uri")).await;
    assert_eq!((late.status().as_u16(), late.location()), (400, None));
    let unknown = follow(&house, &Person::new(), NATIVE, "urn:ietf:params:oauth:request_uri:x").await;
    assert_eq!((unknown.status().as_u16(), unknown.location()), (400, None));
}

#[tokio::test]
async fn what_authorize_refuses_is_refused_when_it_is_pushed() {
    let house = House::furnished().await;
    for (name, value, error) in [
        ("redirect_uri", "https://evil.example/", "invalid_request"),
        ("code_challenge", "", "invalid_request"),
        ("code_challenge_method", "plain", "invalid_request"),
        ("response_type", "token", "unsupported_response_type"),
        ("scope", "nonsense", "invalid_scope"),
        ("resource", "https://evil.example/", "invalid_target"),
        ("request_uri", "urn:x", "request_uri_not_supported"),
        ("request", "a.b.c", "request_not_supported"),
        ("login_hint", &"x".repeat(16 * 1024), "invalid_request"),
    ] {
        let mut request = house.request();
        set(&mut request, name, value);
        assert_eq!(push(&house, &request).await.error(), (400, error), "{name}={value}");
    }
}

#[tokio::test]
async fn whoever_pushes_shows_who_it_is() {
    let house = House::furnished().await;
    let mut request = house.web_request();
    assert_eq!(push(&house, &request).await.error(), (401, "invalid_client"));
    request.push(("client_secret", WEB_SECRET.to_owned()));
    let pushed = push(&house, &request).await;
    assert_eq!(pushed.status, 201);
    let all = house.everything_stored().await;
    assert!(!all.windows(WEB_SECRET.len()).any(|window| window == WEB_SECRET.as_bytes()));
    let page = follow(&house, &Person::new(), WEB, pushed.text("request_uri")).await;
    assert_eq!(page.status(), 200);
}

#[tokio::test]
async fn where_pushing_is_required_nothing_else_counts() {
    let house = House::furnished_with(|settings| settings.require_pushed_requests = true).await;
    let direct = Person::new().open(house.authorize_url(&house.request())).await;
    assert_eq!(direct.location_param("error").as_deref(), Some("invalid_request"));
    let pushed = push(&house, &house.request()).await;
    let page = follow(&house, &Person::new(), NATIVE, pushed.text("request_uri")).await;
    assert_eq!(page.status(), 200);
    let metadata = house.send(house.http.get(house.url("/.well-known/oauth-authorization-server"))).await;
    assert_eq!(metadata.json["require_pushed_authorization_requests"], true);
}

// Row 14 of never-again.
#[tokio::test]
async fn what_was_pushed_is_in_no_cookie_and_no_url() {
    let house = House::furnished().await;
    let mut request = house.request();
    set(&mut request, "state", "canary-state");
    set(&mut request, "dpop_jkt", &"canary".repeat(8)[..43]);
    let pushed = push(&house, &request).await;
    let person = Person::new();
    let login = follow(&house, &person, NATIVE, pushed.text("request_uri")).await;
    let consent = login.form().set("username", USER).set("password", PASSWORD).submit().await;
    let challenge = request.iter().find(|(name, _)| *name == "code_challenge").unwrap().1.clone();
    for page in [&login, &consent] {
        for canary in ["canary", challenge.as_str()] {
            assert!(!page.url().as_str().contains(canary), "{}", page.url());
            assert!(!page.text().contains(canary));
        }
    }
    for cookie in person.cookies() {
        assert!(!cookie.value.contains("canary") && !cookie.value.contains(&challenge));
    }
}

#[tokio::test]
async fn what_was_pushed_ends_with_its_client() {
    let house = House::furnished().await;
    let pushed = push(&house, &house.request()).await;
    assert!(house.server.clients().disable(NATIVE).await.unwrap());
    assert!(house.server.clients().enable(NATIVE).await.unwrap());
    let page = follow(&house, &Person::new(), NATIVE, pushed.text("request_uri")).await;
    assert_eq!((page.status().as_u16(), page.location()), (400, None));
}

#[tokio::test]
async fn a_document_that_names_a_key_pushes_nothing_without_it() {
    let key = SigningKey::generate_es256().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let id = format!("http://{}/app.json", listener.local_addr().unwrap());
    let document = serde_json::json!({
        "client_id": id,
        "client_name": "App",
        "redirect_uris": [CALLBACK],
        "token_endpoint_auth_method": "private_key_jwt",
        "jwks": JwkSet { keys: vec![key.public_jwk()] },
    });
    let app = axum::Router::new()
        .route("/app.json", axum::routing::get(async move || axum::Json(document.clone())));
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    let house = House::furnished().await;
    let mut request = house.request();
    set(&mut request, "client_id", &id);
    assert_eq!(push(&house, &request).await.error(), (401, "invalid_client"));
    let now = house.clock.now().unix();
    let claims = serde_json::json!({
        "iss": id, "sub": id, "aud": house.issuer, "jti": "1", "iat": now, "exp": now + 60,
    });
    let assertion = key.sign("JWT", &claims).unwrap();
    set(&mut request, "client_assertion", &assertion);
    set(&mut request, "client_assertion_type", ASSERTION_TYPE);
    let pushed = push(&house, &request).await;
    assert_eq!(pushed.status, 201, "{:?}", pushed.json);
}

#[tokio::test]
async fn a_client_that_is_not_registered_for_codes_asks_for_none() {
    let house = House::furnished().await;
    let client = NewClient {
        id: "device".to_owned(),
        redirect_uris: vec![CALLBACK.to_owned()],
        grant_types: vec!["urn:ietf:params:oauth:grant-type:device_code".to_owned()],
        ..NewClient::default()
    };
    house.server.clients().add(client).await.unwrap();
    let mut request = house.request();
    set(&mut request, "client_id", "device");
    assert_eq!(push(&house, &request).await.error(), (400, "unauthorized_client"));
    let direct = Person::new().open(house.authorize_url(&request)).await;
    assert_eq!(direct.location_param("error").as_deref(), Some("unauthorized_client"));
}
