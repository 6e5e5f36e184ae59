//! Clients that show certificates and that nobody has added by hand: they register themselves (RFC 7591), or their id is the
//! URL of their description. What they say about their certificate is RFC 8705 §2.1.2 and §2.2.1.

use crate::harness;
use std::net::IpAddr;

use hallpass_authorization_server::{MutualTls, Settings};
use hallpass_protocol::certificate::{from_pem, thumbprint};
use hallpass_protocol::jose::{JwkSet, SigningKey};
use hallpass_testkit::person::Person;
use hallpass_testkit::tls::{Authority, CertificateParams, Issued, SanType, self_signed};
use harness::{Answer, CALLBACK, House, redemption, set};
use serde_json::{Value, json};

fn switched_on(settings: &mut Settings, authority: &Authority) {
    settings.mutual_tls = Some(MutualTls {
        authorities: vec![from_pem(&authority.pem()).unwrap()],
        self_signed: true,
        proxies: vec![IpAddr::from([127, 0, 0, 1])],
        aliases: None,
    });
}

async fn house(authority: &Authority) -> House {
    House::furnished_with(|settings| switched_on(settings, authority)).await
}

fn robot(params: &mut CertificateParams) {
    params.subject_alt_names = vec![SanType::DnsName("robot.example".try_into().unwrap())];
}

fn other(params: &mut CertificateParams) {
    params.subject_alt_names = vec![SanType::DnsName("other.example".try_into().unwrap())];
}

fn jwks(issued: &Issued) -> Value {
    let key = SigningKey::from_pem(None, &issued.key, None).unwrap();
    serde_json::to_value(JwkSet { keys: vec![key.public_jwk()] }).unwrap()
}

fn metadata(method: &str, members: Value) -> Value {
    let mut metadata = json!({
        "client_name": "A robot",
        "redirect_uris": [CALLBACK],
        "token_endpoint_auth_method": method,
    });
    metadata.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    metadata
}

async fn register(house: &House, metadata: &Value) -> Answer {
    house.send(house.http.post(house.url("/register")).json(metadata)).await
}

/// A form to /token, on a connection that shows this.
async fn post(house: &House, shows: Option<&Issued>, form: &[(&str, &str)]) -> Answer {
    let request = house.http.post(house.url("/token")).form(form);
    let shown = shows.map(|issued| format!(":{}:", issued.shown));
    house.send(shown.into_iter().fold(request, |request, shown| request.header("client-cert", shown))).await
}

/// A code of this client, and what comes of it on a connection that shows each of these.
async fn redeems(house: &House, id: &str, refused: &[Option<&Issued>], taken: &Issued) -> Answer {
    let mut request = house.request();
    set(&mut request, "client_id", id);
    for shows in refused {
        let code = house.code_for(&request).await;
        let mut form = redemption(&code);
        form[1].1 = id;
        let answer = post(house, *shows, &form).await;
        assert_ne!(answer.status, 200, "{:?}", answer.json);
    }
    let code = house.code_for(&request).await;
    let mut form = redemption(&code);
    form[1].1 = id;
    let tokens = post(house, Some(taken), &form).await;
    assert_eq!(tokens.status, 200, "{:?}", tokens.json);
    let refresh =
        [("grant_type", "refresh_token"), ("client_id", id), ("refresh_token", tokens.text("refresh_token"))];
    for shows in refused {
        assert_ne!(post(house, *shows, &refresh).await.status, 200, "a refresh shows the same");
    }
    assert_eq!(post(house, Some(taken), &refresh).await.status, 200);
    tokens
}

#[tokio::test]
async fn a_client_registers_the_name_of_its_certificate() {
    let authority = Authority::new();
    let house = house(&authority).await;
    let said = json!({"tls_client_auth_san_dns": "robot.example", "tls_client_certificate_bound_access_tokens": true});
    let made = register(&house, &metadata("tls_client_auth", said)).await;
    assert_eq!(made.status, 201, "{:?}", made.json);
    assert_eq!(made.text("token_endpoint_auth_method"), "tls_client_auth");
    assert_eq!(made.text("tls_client_auth_san_dns"), "robot.example");
    assert_eq!(made.json["tls_client_certificate_bound_access_tokens"], true);
    assert_eq!(made.json.get("client_secret"), None);
    let read = house.http.get(made.text("registration_client_uri"));
    let read = house.send(read.bearer_auth(made.text("registration_access_token"))).await;
    assert_eq!(read.text("tls_client_auth_san_dns"), "robot.example");
    let (own, another) = (authority.issue_with(robot), authority.issue_with(other));
    let stranger = Authority::new().issue_with(robot);
    let tokens =
        redeems(&house, made.text("client_id"), &[None, Some(&another), Some(&stranger)], &own).await;
    let bound = thumbprint(&from_pem(&own.chain).unwrap());
    assert_eq!(house.verify(tokens.text("access_token")).other["cnf"]["x5t#S256"], bound);
}

#[tokio::test]
async fn a_client_registers_the_key_of_its_certificate() {
    let house = house(&Authority::new()).await;
    let (own, another) = (self_signed(robot), self_signed(robot));
    let made = register(&house, &metadata("self_signed_tls_client_auth", json!({"jwks": jwks(&own)}))).await;
    assert_eq!(made.status, 201, "{:?}", made.json);
    assert_eq!(made.json["jwks"], jwks(&own));
    assert_eq!(made.json.get("tls_client_certificate_bound_access_tokens"), None);
    redeems(&house, made.text("client_id"), &[None, Some(&another)], &own).await;
}

#[tokio::test]
async fn what_is_switched_off_cannot_be_registered() {
    let authority = Authority::new();
    let keys = jwks(&self_signed(robot));
    let name = json!({"tls_client_auth_san_dns": "robot.example"});
    let off = House::furnished().await;
    for (method, members) in
        [("tls_client_auth", name.clone()), ("self_signed_tls_client_auth", json!({"jwks": keys}))]
    {
        let answer = register(&off, &metadata(method, members)).await;
        assert_eq!(answer.error(), (400, "invalid_client_metadata"), "{method}");
        assert!(!answer.text("error_description").contains(&format!(", {method}")), "{:?}", answer.json);
    }
    // A wish that nobody here could fulfil is left out of what is registered.
    let bound = json!({"tls_client_certificate_bound_access_tokens": true});
    let made = register(&off, &metadata("none", bound.clone())).await;
    assert_eq!((made.status, made.json.get("tls_client_certificate_bound_access_tokens")), (201, None));
    let on = house(&authority).await;
    assert_eq!(
        register(&on, &metadata("none", bound)).await.json["tls_client_certificate_bound_access_tokens"],
        true
    );
    for wrong in [
        json!({}),
        json!({"tls_client_auth_san_dns": "robot.example", "tls_client_auth_san_ip": "192.0.2.1"}),
        json!({"tls_client_auth_subject_dn": "robot"}),
    ] {
        let answer = register(&on, &metadata("tls_client_auth", wrong.clone())).await;
        assert_eq!(answer.error(), (400, "invalid_client_metadata"), "{wrong}");
    }
    let keyless = register(&on, &metadata("self_signed_tls_client_auth", json!({}))).await;
    assert_eq!(keyless.error(), (400, "invalid_client_metadata"));
}

/// A web server for one metadata document.
async fn publish(mut document: Value) -> (String, tokio::task::JoinHandle<()>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/client.json", listener.local_addr().unwrap());
    document["client_id"] = url.clone().into();
    let answer = axum::routing::get(async move || axum::Json(document));
    let router = axum::Router::new().route("/client.json", answer);
    let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (url, serving)
}

#[tokio::test]
async fn a_metadata_document_names_the_certificate() {
    let authority = Authority::new();
    let house = house(&authority).await;
    let said = json!({"tls_client_auth_san_dns": "robot.example"});
    let (id, _) = publish(metadata("tls_client_auth", said)).await;
    let (own, another) = (authority.issue_with(robot), authority.issue_with(other));
    redeems(&house, &id, &[None, Some(&another)], &own).await;
    let (own, another) = (self_signed(robot), self_signed(robot));
    let (id, _) = publish(metadata("self_signed_tls_client_auth", json!({"jwks": jwks(&own)}))).await;
    redeems(&house, &id, &[None, Some(&another)], &own).await;
}

#[tokio::test]
async fn a_metadata_document_asks_for_what_is_switched_on() {
    let house = House::furnished().await;
    let said = json!({"tls_client_auth_san_dns": "robot.example"});
    let (id, _) = publish(metadata("tls_client_auth", said)).await;
    let mut request = house.request();
    set(&mut request, "client_id", &id);
    let page = Person::new().open(house.authorize_url(&request)).await;
    assert_eq!(page.status(), 400);
    assert!(page.text().contains("uses none, private_key_jwt here"), "{}", page.text());
}

/// A public client keeps its tokens while its web server is down, whatever its connection shows; one that shows a
/// certificate gets nothing meanwhile, and loses nothing.
#[tokio::test]
async fn a_document_that_is_gone_makes_nobody_another() {
    let authority = Authority::new();
    let house = house(&authority).await;
    let shown = authority.issue_with(robot);
    let said = json!({"tls_client_auth_san_dns": "robot.example"});
    for (metadata, expected) in [
        (metadata("none", json!({})), (200, "")),
        (metadata("tls_client_auth", said), (401, "invalid_client")),
    ] {
        let (id, serving) = publish(metadata).await;
        let mut request = house.request();
        set(&mut request, "client_id", &id);
        let code = house.code_for(&request).await;
        let mut form = redemption(&code);
        form[1].1 = &id;
        let tokens = post(&house, Some(&shown), &form).await;
        let token = tokens.text("refresh_token");
        serving.abort();
        house.advance(25 * 60 * 60);
        let refresh = [("grant_type", "refresh_token"), ("client_id", id.as_str()), ("refresh_token", token)];
        assert_eq!(post(&house, Some(&shown), &refresh).await.error(), expected, "{id}");
    }
}
