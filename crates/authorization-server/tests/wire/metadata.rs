//! The metadata documents, true to what is there.

use crate::harness;
use hallpass_authorization_server::RegistrationPolicy;
use hallpass_protocol::server_metadata::AuthorizationServerMetadata;
use hallpass_testkit::person::Person;
use harness::House;
use url::Url;

const OAUTH: &str = "/.well-known/oauth-authorization-server";
const OPENID: &str = "/.well-known/openid-configuration";

async fn metadata(house: &House, url: &str) -> AuthorizationServerMetadata {
    let answer = house.send(house.http.get(url)).await;
    assert_eq!(answer.status, 200, "{url}");
    assert!(answer.header("content-type").unwrap().starts_with("application/json"));
    assert_eq!(answer.header("cache-control"), Some("public, max-age=300"));
    serde_json::from_value(answer.json).unwrap()
}

#[tokio::test]
async fn both_documents_say_the_same() {
    let house = House::furnished().await;
    let oauth = metadata(&house, &house.url(OAUTH)).await;
    let openid = metadata(&house, &house.url(OPENID)).await;
    assert_eq!(oauth.issuer, house.issuer);
    assert_eq!(oauth.code_challenge_methods_supported, Some(vec!["S256".to_owned()]));
    assert!(oauth.authorization_response_iss_parameter_supported);
    assert!(oauth.client_id_metadata_document_supported);
    assert_eq!(oauth.response_types_supported, Some(vec!["code".to_owned()]));
    let scopes = oauth.scopes_supported.clone().unwrap();
    assert_eq!(scopes, ["notes:read", "offline_access"], "what a first login needs");
    let without_openid = AuthorizationServerMetadata {
        subject_types_supported: None,
        id_token_signing_alg_values_supported: None,
        ..openid
    };
    assert_eq!(without_openid, oauth);
}

#[tokio::test]
async fn every_endpoint_that_is_named_is_there() {
    let house = House::furnished().await;
    let metadata = metadata(&house, &house.url(OAUTH)).await;
    for url in [metadata.token_endpoint, metadata.registration_endpoint, metadata.revocation_endpoint] {
        let answer = house.send(house.http.post(url.unwrap())).await;
        assert_eq!(answer.status, 400);
    }
    let jwks = house.send(house.http.get(metadata.jwks_uri.unwrap())).await;
    assert_eq!(jwks.status, 200);
    let page = Person::new().open(metadata.authorization_endpoint.unwrap()).await;
    assert_eq!(page.status(), 400);
}

#[tokio::test]
async fn what_is_switched_off_is_not_named() {
    let house = House::furnished_with(|settings| settings.registration = RegistrationPolicy::Off).await;
    let metadata = metadata(&house, &house.url(OAUTH)).await;
    assert_eq!(metadata.registration_endpoint, None);
}

#[tokio::test]
async fn an_issuer_with_a_path_has_three_places_and_its_endpoints_below() {
    let house = House::empty_with("/tenant", |_| {}).await;
    let root = Url::parse(&house.issuer).unwrap();
    for path in [format!("{OAUTH}/tenant"), format!("{OPENID}/tenant"), format!("/tenant{OPENID}")] {
        let metadata = metadata(&house, root.join(&path).unwrap().as_str()).await;
        assert_eq!(metadata.issuer, house.issuer);
        assert_eq!(metadata.token_endpoint, Some(house.url("/token")));
    }
    let elsewhere = house.send(house.http.get(root.join(OAUTH).unwrap())).await;
    assert_eq!(elsewhere.status, 404);
    let link = house.server.setup_link().unwrap();
    let page = Person::new().open(link.as_str()).await;
    let done = page.form().set("username", "ada").set("password", "a fine password").submit().await;
    assert_eq!(done.status(), 200);
    house
        .server
        .clients()
        .add(hallpass_authorization_server::NewClient {
            id: harness::NATIVE.to_owned(),
            redirect_uris: vec![harness::CALLBACK.to_owned()],
            ..Default::default()
        })
        .await
        .unwrap();
    let login = Person::new().open(house.authorize_url(&house.request())).await;
    assert!(login.url().path().starts_with("/tenant/login"));
    let consent = login.form().set("username", "ada").set("password", "a fine password").submit().await;
    let back = consent.form().press("decision", "allow").submit().await;
    let tokens = house.redeem(&back.location_param("code").unwrap()).await;
    assert_eq!(house.verify(tokens.text("access_token")).iss, house.issuer);
}

#[tokio::test]
async fn any_page_may_read_it_and_no_cookie_goes_along() {
    let house = House::furnished().await;
    for path in [OAUTH, OPENID, "/jwks"] {
        let answer =
            house.send(house.http.get(house.url(path)).header("origin", "https://inspector.example")).await;
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{path}");
        assert_eq!(answer.header("access-control-allow-credentials"), None);
    }
    for path in ["/token", "/register", "/revoke"] {
        let preflight = house
            .http
            .request(reqwest::Method::OPTIONS, house.url(path))
            .header("origin", "https://inspector.example")
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "authorization,content-type");
        let answer = house.send(preflight).await;
        assert_eq!(answer.status, 200, "{path}");
        let allowed = answer.header("access-control-allow-headers").unwrap();
        assert_eq!(allowed, "authorization,content-type");
    }
    let page =
        house.send(house.http.get(house.url("/authorize")).header("origin", "https://evil.example")).await;
    assert_eq!(page.header("access-control-allow-origin"), None);
}

#[tokio::test]
async fn a_wrong_method_is_told_in_words() {
    let house = House::furnished().await;
    for path in ["/token", "/register", "/revoke", "/par", "/login/passkey"] {
        let answer = house.send(house.http.get(house.url(path))).await;
        assert_eq!(answer.error(), (405, "invalid_request"), "{path}");
        assert!(answer.header("allow").is_some_and(|methods| methods.contains("POST")), "{path}");
        let browser = house.http.get(house.url(path)).header("accept", "text/html,*/*;q=0.8");
        let page = browser.send().await.unwrap();
        assert_eq!(page.status(), 405, "{path}");
        assert!(page.text().await.unwrap().contains("This address is not for browsers"), "{path}");
    }
}

#[tokio::test]
async fn head_is_answered() {
    let house = House::furnished().await;
    for path in [OAUTH, OPENID, "/jwks"] {
        assert_eq!(house.send(house.http.head(house.url(path))).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn an_https_issuer_stays_on_https() {
    let https = |settings: &mut hallpass_authorization_server::Settings| {
        settings.issuer = hallpass_protocol::issuer::Issuer::parse("https://auth.example").unwrap();
    };
    let (plain, tls) = (House::empty_with("", |_| {}).await, House::empty_with("", https).await);
    for path in ["/.well-known/oauth-authorization-server", "/jwks", "/authorize"] {
        let answer = tls.send(tls.http.get(tls.url(path))).await;
        assert_eq!(answer.header("strict-transport-security"), Some("max-age=31536000"), "{path}");
        let answer = plain.send(plain.http.get(plain.url(path))).await;
        assert_eq!(answer.header("strict-transport-security"), None, "{path}");
    }
}
