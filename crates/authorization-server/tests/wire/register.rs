//! `/register`, and clients whose id is the URL of their description.

use crate::harness;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hallpass_authorization_server::RegistrationPolicy;
use hallpass_testkit::person::Person;
use harness::{Answer, CALLBACK, House, set};
use serde_json::{Value, json};

async fn register(house: &House, metadata: Value) -> Answer {
    house.send(house.http.post(house.url("/register")).json(&metadata)).await
}

fn native() -> Value {
    json!({
        "client_name": "An app",
        "redirect_uris": ["http://127.0.0.1/callback"],
        "token_endpoint_auth_method": "none",
    })
}

#[tokio::test]
async fn a_public_client_registers_and_gets_tokens() {
    let house = House::furnished().await;
    let made = register(&house, native()).await;
    assert_eq!(made.status, 201);
    assert_eq!(made.header("cache-control"), Some("no-store"));
    assert_eq!(made.json.get("client_secret"), None);
    assert_eq!(made.json["grant_types"], json!(["authorization_code", "refresh_token"]));
    let id = made.text("client_id");
    let mut request = house.request();
    set(&mut request, "client_id", id);
    let code = house.code_for(&request).await;
    let mut form = harness::redemption(&code);
    form[1].1 = id;
    let tokens = house.post("/token", &form).await;
    assert_eq!(house.verify(tokens.text("access_token")).client_id, id);
    assert_eq!(house.refresh(id, tokens.text("refresh_token")).await.status, 200);
}

#[tokio::test]
async fn a_confidential_client_gets_a_secret_that_never_ends() {
    let house = House::furnished().await;
    for method in [None, Some("client_secret_basic"), Some("client_secret_post")] {
        let mut metadata = native();
        metadata["token_endpoint_auth_method"] = json!(method);
        let made = register(&house, metadata).await;
        assert_eq!(made.status, 201, "{:?}", made.json);
        assert_eq!(made.text("token_endpoint_auth_method"), method.unwrap_or("client_secret_basic"));
        assert_eq!(made.json["client_secret_expires_at"], 0);
        assert_eq!(made.text("client_secret").len(), 43);
        let wrong = [("client_id", made.text("client_id")), ("token", "x")];
        assert_eq!(house.post("/revoke", &wrong).await.status, 401);
        let right = [wrong[0], wrong[1], ("client_secret", made.text("client_secret"))];
        assert_eq!(house.post("/revoke", &right).await.status, 200);
    }
}

#[tokio::test]
async fn what_breaks_a_rule_is_refused_by_name() {
    let house = House::furnished().await;
    for (member, value, error) in [
        ("redirect_uris", json!([]), "invalid_redirect_uri"),
        ("redirect_uris", json!(["http://app.example/callback"]), "invalid_redirect_uri"),
        ("redirect_uris", json!(["https://app.example/#x"]), "invalid_redirect_uri"),
        ("redirect_uris", json!(["javascript:alert(1)"]), "invalid_redirect_uri"),
        ("redirect_uris", json!(["https://*.example/callback"]), "invalid_redirect_uri"),
        ("redirect_uris", json!(["evilapp://claude.ai/callback"]), "invalid_redirect_uri"),
        ("redirect_uris", json!(["ms-appinstaller://x/callback"]), "invalid_redirect_uri"),
        ("redirect_uris", json!("https://app.example/"), "invalid_client_metadata"),
        ("token_endpoint_auth_method", json!("private_key_jwt"), "invalid_client_metadata"),
        ("client_name", json!("a\u{0}b"), "invalid_client_metadata"),
        ("grant_types", json!(["client_credentials"]), "invalid_client_metadata"),
        ("grant_types", json!(["refresh_token"]), "invalid_client_metadata"),
        ("response_types", json!(["token"]), "invalid_client_metadata"),
    ] {
        let mut metadata = native();
        metadata[member] = value.clone();
        let refused = register(&house, metadata).await;
        assert_eq!(refused.error(), (400, error), "{member}: {value}");
    }
    let text = house.http.post(house.url("/register")).body("{\"redirect_uris\":[],\"redirect_uris\":[]}");
    assert_eq!(house.send(text).await.error(), (400, "invalid_client_metadata"));
}

#[tokio::test]
async fn grants_that_do_not_exist_here_are_left_out() {
    let house = House::furnished().await;
    let mut metadata = native();
    let device = "urn:ietf:params:oauth:grant-type:device_code";
    metadata["grant_types"] = json!(["authorization_code", "refresh_token", device]);
    let made = register(&house, metadata.clone()).await;
    assert_eq!(made.json["grant_types"], json!(["authorization_code", "refresh_token", device]));
    metadata["grant_types"] = json!(["authorization_code", "client_credentials", "password"]);
    assert_eq!(register(&house, metadata).await.json["grant_types"], json!(["authorization_code"]));
}

#[tokio::test]
async fn registration_is_bounded_by_the_hour() {
    let house = House::furnished_with(|settings| {
        settings.registration = RegistrationPolicy::Open { per_hour: 2 };
    })
    .await;
    for _ in 0..2 {
        assert_eq!(register(&house, native()).await.status, 201);
    }
    assert_eq!(register(&house, native()).await.error(), (503, "temporarily_unavailable"));
    house.advance(60 * 60);
    assert_eq!(register(&house, native()).await.status, 201);
}

#[tokio::test]
async fn registration_can_be_off() {
    let house = House::furnished_with(|settings| settings.registration = RegistrationPolicy::Off).await;
    assert_eq!(register(&house, native()).await.error(), (403, "access_denied"));
}

/// A web server for one metadata document. Counts how often it is asked.
async fn publish(
    document: impl Fn(&str) -> Value + Send + Sync + 'static,
    cache: &'static str,
) -> (String, Arc<AtomicUsize>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/client.json", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let (counter, id, document) = (Arc::clone(&asked), url.clone(), Arc::new(document));
    let router = axum::Router::new().route(
        "/client.json",
        axum::routing::get(move || {
            counter.fetch_add(1, Ordering::SeqCst);
            let body = axum::Json(document(&id));
            async move { ([("cache-control", cache)], body) }
        }),
    );
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (url, asked)
}

fn document(id: &str) -> Value {
    json!({"client_id": id, "client_name": "A published app", "redirect_uris": [CALLBACK]})
}

#[tokio::test]
async fn a_client_with_a_metadata_document_needs_no_registration() {
    let house = House::furnished().await;
    let (id, asked) = publish(document, "max-age=600").await;
    let mut request = house.request();
    set(&mut request, "client_id", &id);
    let consent = house.log_in(&Person::new(), &request).await;
    assert!(consent.text().contains("A published app"));
    assert!(consent.text().contains("published by <strong>127.0.0.1</strong>"));
    let back = consent.form().press("decision", "allow").submit().await;
    let code = back.location_param("code").unwrap();
    let mut form = harness::redemption(&code);
    form[1].1 = &id;
    let tokens = house.post("/token", &form).await;
    assert_eq!(house.verify(tokens.text("access_token")).client_id, id);
    assert_eq!(house.refresh(&id, tokens.text("refresh_token")).await.status, 200);
    assert_eq!(asked.load(Ordering::SeqCst), 1, "cached");
    house.advance(600);
    Person::new().open(house.authorize_url(&request)).await;
    assert_eq!(asked.load(Ordering::SeqCst), 2, "and fetched again when stale");
}

#[tokio::test]
async fn a_document_that_is_not_right_gets_a_page_here() {
    let house = House::furnished().await;
    let secret = |id: &str| {
        let mut document = document(id);
        document["token_endpoint_auth_method"] = json!("client_secret_post");
        document
    };
    let other = |_: &str| document("https://app.example/client.json");
    let elsewhere = |id: &str| {
        let mut document = document(id);
        document["redirect_uris"] = json!(["https://app.example/callback"]);
        document
    };
    let long = |id: &str| {
        let mut document = document(id);
        document["client_uri"] = json!("x".repeat(6000));
        document
    };
    for (id, _) in [
        publish(secret, "").await,
        publish(other, "").await,
        publish(elsewhere, "").await,
        publish(long, "").await,
        publish(|_| json!(["no object"]), "").await,
    ] {
        let mut request = house.request();
        set(&mut request, "client_id", &id);
        let page = Person::new().open(house.authorize_url(&request)).await;
        assert_eq!((page.status().as_u16(), page.location()), (400, None));
        assert!(page.forms().is_empty());
    }
}

#[tokio::test]
async fn addresses_inside_the_network_are_never_fetched() {
    let house = House::furnished().await;
    for id in [
        "https://10.0.0.1/client.json",
        "https://169.254.169.254/latest/meta-data",
        "https://[::ffff:10.0.0.1]/client.json",
        "http://example.com/client.json",
    ] {
        let mut request = house.request();
        set(&mut request, "client_id", id);
        let page = Person::new().open(house.authorize_url(&request)).await;
        assert_eq!((page.status().as_u16(), page.location()), (400, None), "{id}");
        // What a name inside the network leads to is nobody's business.
        assert!(!page.text().contains("which is"), "{}", page.text());
    }
}

#[tokio::test]
async fn a_file_that_is_not_called_json_is_no_client() {
    let house = House::furnished().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let id = format!("http://{}/uploaded.txt", listener.local_addr().unwrap());
    let body = document(&id).to_string();
    let router = axum::Router::new().route("/uploaded.txt", axum::routing::get(|| async { body }));
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    let mut request = house.request();
    set(&mut request, "client_id", &id);
    let page = Person::new().open(house.authorize_url(&request)).await;
    assert_eq!((page.status().as_u16(), page.location()), (400, None));
    assert!(page.text().contains("does not call it application/json"), "{}", page.text());
}

#[tokio::test]
async fn a_domain_that_is_not_taken_is_never_asked() {
    let (id, asked) = publish(document, "").await;
    for (allow, deny, taken) in [
        (vec![], vec!["127.0.0.1"], false),
        (vec!["app.example"], vec![], false),
        (vec!["127.0.0.1"], vec![], true),
    ] {
        let house = House::furnished_with(|settings| {
            settings.document_domains.allow = allow.iter().map(|host| host.parse().unwrap()).collect();
            settings.document_domains.deny = deny.iter().map(|host| host.parse().unwrap()).collect();
        })
        .await;
        let mut request = house.request();
        set(&mut request, "client_id", &id);
        let before = asked.load(Ordering::SeqCst);
        let page = Person::new().open(house.authorize_url(&request)).await;
        let form = [("client_id", id.as_str()), ("grant_type", "refresh_token"), ("refresh_token", "x")];
        let token = house.post("/token", &form).await;
        let par = house.post("/par", &[("client_id", id.as_str())]).await;
        let asked = asked.load(Ordering::SeqCst) > before;
        assert_eq!(asked, taken, "{allow:?} {deny:?}");
        let refused = ["invalid_client", "invalid_grant"][usize::from(taken)];
        assert_eq!((page.status().as_u16() == 400, token.error().1), (!taken, refused));
        assert!(taken || page.text().contains("takes no clients of 127.0.0.1"), "{}", page.text());
        assert_ne!(par.status, 201);
    }
}

#[tokio::test]
async fn what_no_database_could_store_is_refused_as_the_clients_fault() {
    let house = House::furnished().await;
    for (path, form) in [
        ("/token", "grant_type=refresh_token&client_id=a%00b&refresh_token=x"),
        ("/token", "grant_type=authorization_code&client_id=native&code=x%00"),
        ("/revoke", "client_id=native&token=%00"),
        ("/par", "client_id=native&state=%00"),
    ] {
        let request = house.http.post(house.url(path)).body(form);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        assert_eq!(house.send(request).await.error(), (400, "invalid_request"), "{path} {form}");
    }
    let page = Person::new().open(house.url("/authorize?client_id=a%00b")).await;
    assert_eq!(page.status().as_u16(), 400);
    // An assertion names its client in JSON, where such a character can stand too.
    let claims = json!({"iss": "a\u{0}b", "sub": "a\u{0}b", "aud": "x", "exp": 1, "jti": "x"});
    let key = hallpass_protocol::jose::SigningKey::generate_es256().unwrap();
    let assertion = key.sign("JWT", &claims).unwrap();
    let answer = house
        .post(
            "/token",
            &[
                ("grant_type", "refresh_token"),
                ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
                ("client_assertion", &assertion),
            ],
        )
        .await;
    assert_eq!(answer.error(), (401, "invalid_client"));
}
