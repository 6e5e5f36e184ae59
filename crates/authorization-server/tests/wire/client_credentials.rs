//! `/token` with `client_credentials`, and clients that sign.

use crate::harness;
use std::sync::Arc;

use hallpass_authorization_server::{AddClientError, ClientDetails, NewClient};
use hallpass_protocol::client_assertion::{ASSERTION_TYPE, ClientAssertion};
use hallpass_protocol::issuer::Issuer;
use hallpass_protocol::jose::{JwkSet, SigningKey};
use hallpass_protocol::scope::ScopeSet;
use hallpass_protocol::secret::Secret;
use harness::{Answer, House, NATIVE, WEB};
use serde_json::{Value, json};

const ROBOT: &str = "robot";
const SIGNER: &str = "signer";

fn robot() -> NewClient {
    NewClient {
        id: ROBOT.to_owned(),
        secret: Some(Secret::new("beep")),
        grant_types: vec!["client_credentials".to_owned()],
        ..NewClient::default()
    }
}

async fn ask(house: &House, more: &[(&str, &str)]) -> Answer {
    let mut form =
        vec![("grant_type", "client_credentials"), ("client_id", ROBOT), ("client_secret", "beep")];
    form.extend(more);
    house.post("/token", &form).await
}

#[tokio::test]
async fn a_client_gets_a_token_for_itself_and_nothing_to_refresh_it() {
    let house = House::furnished().await;
    house.server.clients().add(robot()).await.unwrap();
    let tokens = ask(&house, &[("scope", "notes:write offline_access")]).await;
    assert_eq!(tokens.status, 200, "{:?}", tokens.json);
    assert_eq!(tokens.json.get("refresh_token"), None);
    assert_eq!(tokens.text("scope"), "notes:write");
    let claims = house.verify(tokens.text("access_token"));
    assert_eq!((claims.sub.as_str(), claims.client_id.as_str()), (ROBOT, ROBOT));
    assert_eq!(claims.aud.0, [house.resource()]);
    // Without a scope: the default.
    assert_eq!(ask(&house, &[]).await.text("scope"), "notes:read");
}

#[tokio::test]
async fn only_what_the_client_may_is_given() {
    let house = House::furnished().await;
    let second = format!("{}/second", house.issuer);
    house
        .server
        .clients()
        .add(NewClient {
            scopes: Some(ScopeSet::parse("notes:read").unwrap()),
            details: ClientDetails { resources: Some(vec![second.clone()]), ..ClientDetails::default() },
            ..robot()
        })
        .await
        .unwrap();
    let resource = house.resource();
    assert_eq!(ask(&house, &[("resource", &resource)]).await.error(), (400, "invalid_target"));
    assert_eq!(ask(&house, &[("resource", "https://evil.example")]).await.error(), (400, "invalid_target"));
    assert_eq!(ask(&house, &[("scope", "notes:write")]).await.error(), (400, "invalid_scope"));
    assert_eq!(ask(&house, &[("scope", "nonsense")]).await.error(), (400, "invalid_scope"));
    let fine = ask(&house, &[]).await;
    let payload = hallpass_protocol::jose::UnverifiedJwt::parse(fine.text("access_token")).unwrap();
    assert_eq!(payload.unverified_subject(), Some(ROBOT));
    assert_eq!(audience(fine.text("access_token")), json!(second));
}

/// What stands in `aud`, of a token that the harness does not expect.
fn audience(token: &str) -> Value {
    use base64::Engine;
    let payload = token.split('.').nth(1).unwrap();
    let payload = base64::prelude::BASE64_URL_SAFE_NO_PAD.decode(payload).unwrap();
    serde_json::from_slice::<Value>(&payload).unwrap()["aud"].clone()
}

#[tokio::test]
async fn who_is_not_registered_for_it_or_public_gets_nothing() {
    let house = House::furnished().await;
    for (client, secret) in [(WEB, harness::WEB_SECRET), (NATIVE, "")] {
        let form = [("grant_type", "client_credentials"), ("client_id", client), ("client_secret", secret)];
        let form = if secret.is_empty() { &form[..2] } else { &form[..] };
        assert_eq!(house.post("/token", form).await.error(), (400, "unauthorized_client"), "{client}");
    }
    let public = NewClient { secret: None, ..robot() };
    let refused = house.server.clients().add(public).await.unwrap_err();
    assert!(matches!(refused, AddClientError::PublicClientCredentials));
}

// Row 24 of never-again.
#[tokio::test]
async fn a_client_that_is_switched_off_has_nothing_at_once_and_later() {
    let house = House::furnished().await;
    house.server.clients().add(robot()).await.unwrap();
    let own = ask(&house, &[]).await;
    let of_a_person = house.tokens().await;
    let code = house.code().await;
    assert!(!house.is_revoked(own.text("access_token")));
    for client in [ROBOT, NATIVE] {
        assert!(house.server.clients().disable(client).await.unwrap());
    }
    assert!(house.is_revoked(own.text("access_token")));
    assert!(house.is_revoked(of_a_person.text("access_token")));
    assert_eq!(ask(&house, &[]).await.error(), (401, "invalid_client"));
    assert_eq!(house.redeem(&code).await.error(), (401, "invalid_client"));
    let refreshed = house.refresh(NATIVE, of_a_person.text("refresh_token")).await;
    assert_eq!(refreshed.error(), (401, "invalid_client"));
    let page = hallpass_testkit::person::Person::new().open(house.authorize_url(&house.request())).await;
    assert_eq!((page.status().as_u16(), page.location()), (400, None));
    // Switched on again it may begin anew; what was before stays dead.
    for client in [ROBOT, NATIVE] {
        assert!(house.server.clients().enable(client).await.unwrap());
    }
    assert!(house.is_revoked(own.text("access_token")));
    assert!(!house.is_revoked(ask(&house, &[]).await.text("access_token")));
    assert_eq!(house.redeem(&code).await.error(), (400, "invalid_grant"));
    let refreshed = house.refresh(NATIVE, of_a_person.text("refresh_token")).await;
    assert_eq!(refreshed.error(), (400, "invalid_grant"));
    assert!(!house.server.clients().disable("nobody").await.unwrap());
}

#[tokio::test]
async fn a_client_that_is_removed_takes_its_own_tokens_along() {
    let house = House::furnished().await;
    house.server.clients().add(robot()).await.unwrap();
    let own = ask(&house, &[]).await;
    assert!(house.server.clients().remove(ROBOT).await.unwrap());
    assert!(house.is_revoked(own.text("access_token")));
    // In the same second, in which it is remembered.
    assert_eq!(ask(&house, &[]).await.error(), (401, "invalid_client"));
    // Another one under its name has another secret, and no token of the former.
    house.server.clients().add(NewClient { secret: Some(Secret::new("boop")), ..robot() }).await.unwrap();
    assert_eq!(ask(&house, &[]).await.error(), (401, "invalid_client"));
    let form = [("grant_type", "client_credentials"), ("client_id", ROBOT), ("client_secret", "boop")];
    let token = house.post("/token", &form).await;
    assert!(!house.is_revoked(token.text("access_token")));
    assert!(house.is_revoked(own.text("access_token")));
}

/// What an administrator does on the pages counts in the same second, too.
#[tokio::test]
async fn a_client_that_is_removed_on_the_pages_gets_nothing_more() {
    let house = House::furnished().await;
    house.server.clients().add(robot()).await.unwrap();
    house.server.users().set_admin(harness::USER, true).await.unwrap();
    let own = ask(&house, &[]).await;
    let login = hallpass_testkit::person::Person::new().open(house.url("/admin/clients")).await;
    let login = login.form().set("username", harness::USER).set("password", harness::PASSWORD);
    let page = login.submit().await;
    let of_the_robot =
        |form: &hallpass_testkit::person::Form| form.fields().iter().any(|(_, value)| value == ROBOT);
    let remove = page.forms().into_iter().find(of_the_robot).unwrap();
    remove.press("action", "remove").submit_and_confirm().await;
    assert_eq!(ask(&house, &[]).await.error(), (401, "invalid_client"));
    assert!(house.is_revoked(own.text("access_token")));
}

async fn signer(house: &House) -> SigningKey {
    let key = SigningKey::generate_es256().unwrap();
    let jwks = Some(JwkSet { keys: vec![key.public_jwk()] });
    let details = ClientDetails { jwks, ..ClientDetails::default() };
    let client = NewClient { id: SIGNER.to_owned(), secret: None, details, ..robot() };
    house.server.clients().add(client).await.unwrap();
    key
}

fn assertion(house: &House, jti: &str) -> ClientAssertion {
    ClientAssertion::new(SIGNER, &Issuer::parse(&house.issuer).unwrap(), jti, house.clock.now())
}

async fn present(house: &House, assertion: &str) -> Answer {
    let form = [
        ("grant_type", "client_credentials"),
        ("client_assertion_type", ASSERTION_TYPE),
        ("client_assertion", assertion),
    ];
    house.post("/token", &form).await
}

#[tokio::test]
async fn a_client_that_signs_is_believed_once_for_each_assertion() {
    let house = House::furnished().await;
    let key = signer(&house).await;
    let first = key.sign("JWT", &assertion(&house, "1")).unwrap();
    assert_eq!(present(&house, &first).await.status, 200);
    assert_eq!(present(&house, &first).await.error(), (401, "invalid_client"));
    let again = key.sign("JWT", &assertion(&house, "1")).unwrap();
    assert_eq!(present(&house, &again).await.error(), (401, "invalid_client"), "the id counts, not the text");
    let second = key.sign("client-authentication+jwt", &assertion(&house, "2")).unwrap();
    assert_eq!(present(&house, &second).await.status, 200);
    // An id alone, and a secret, are not enough for such a client.
    let alone = [("grant_type", "client_credentials"), ("client_id", SIGNER)];
    assert_eq!(house.post("/token", &alone).await.error(), (401, "invalid_client"));
}

// Row 5 of never-again: over two replicas, as the same database opened twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_twin_assertions_at_the_same_time_one_wins() {
    let house = Arc::new(House::furnished().await);
    let key = signer(&house).await;
    for round in 0..4 {
        let twin = key.sign("JWT", &assertion(&house, &round.to_string())).unwrap();
        let callers: Vec<_> = (0..8)
            .map(|_| {
                let (house, twin) = (Arc::clone(&house), twin.clone());
                tokio::spawn(async move { present(&house, &twin).await.status })
            })
            .collect();
        let mut won = 0;
        for caller in callers {
            won += usize::from(caller.await.unwrap() == 200);
        }
        assert_eq!(won, 1);
    }
}

// Row 48 of never-again, and what else an assertion must be.
#[tokio::test]
async fn an_assertion_that_breaks_one_rule_is_refused_and_uses_up_nothing() {
    let house = House::furnished().await;
    let key = signer(&house).await;
    let good = serde_json::to_value(assertion(&house, "once")).unwrap();
    let token_endpoint = house.url("/token");
    let now = house.clock.now().unix();
    for (name, value) in [
        ("aud", json!(token_endpoint)),
        ("aud", json!([house.issuer, token_endpoint])),
        ("iss", json!(ROBOT)),
        ("sub", json!(NATIVE)),
        ("exp", json!(now - 31)),
        ("exp", json!(now + 3600)),
        ("exp", json!(null)),
        ("jti", json!(null)),
    ] {
        let mut claims = good.clone();
        claims[name] = value.clone();
        let refused = present(&house, &key.sign("JWT", &claims).unwrap()).await;
        assert_eq!(refused.error(), (401, "invalid_client"), "{name}: {value}");
    }
    let stranger = SigningKey::generate_es256().unwrap();
    let forged = present(&house, &stranger.sign("JWT", &good).unwrap()).await;
    assert_eq!(forged.error(), (401, "invalid_client"));
    assert_eq!(present(&house, &key.sign("JWT", &good).unwrap()).await.status, 200);
}

#[tokio::test]
async fn one_way_of_authentication_a_request() {
    let house = House::furnished().await;
    let key = signer(&house).await;
    let assertion = key.sign("JWT", &assertion(&house, "1")).unwrap();
    let form = [
        ("grant_type", "client_credentials"),
        ("client_assertion_type", ASSERTION_TYPE),
        ("client_assertion", assertion.as_str()),
    ];
    let with_secret = [&form[..], &[("client_id", SIGNER), ("client_secret", "x")]].concat();
    assert_eq!(house.post("/token", &with_secret).await.error(), (400, "invalid_request"));
    let request = house.http.post(house.url("/token")).basic_auth(SIGNER, Some("x")).form(&form);
    assert_eq!(house.send(request).await.error(), (400, "invalid_request"));
    let other_id = [&form[..], &[("client_id", ROBOT)]].concat();
    assert_eq!(house.post("/token", &other_id).await.error(), (401, "invalid_client"));
    let other_type = [form[0], ("client_assertion_type", "saml"), form[2]];
    assert_eq!(house.post("/token", &other_type).await.error(), (400, "invalid_request"));
}

/// RFC 6749 §3.3: a scope has a word at least. §5.1: where the answer has none, all that was asked for was granted.
#[tokio::test]
async fn an_empty_scope_is_not_said_and_nothing_is_not_granted() {
    let house = House::furnished_with(|settings| settings.resources[0].default = ScopeSet::new()).await;
    let details = ClientDetails { resources: Some(vec![house.resource()]), ..ClientDetails::default() };
    house.server.clients().add(NewClient { details, ..robot() }).await.unwrap();
    let tokens = ask(&house, &[]).await;
    assert_eq!(
        (tokens.status, tokens.json.get("scope")),
        (200, None),
        "nothing was asked for, and nothing granted"
    );
    assert_eq!(house.verify(tokens.text("access_token")).scope, None);
    let form = [("client_id", ROBOT), ("client_secret", "beep"), ("token", tokens.text("access_token"))];
    let told = house.post("/introspect", &form).await;
    assert_eq!((&told.json["active"], told.json.get("scope")), (&json!(true), None));
    // Something was asked for: the answer could not say that it was not granted.
    assert_eq!(ask(&house, &[("scope", "offline_access")]).await.error(), (400, "invalid_scope"));
    assert_eq!(ask(&house, &[("scope", "")]).await.status, 200);
    assert_eq!(ask(&house, &[("scope", "notes:read offline_access")]).await.text("scope"), "notes:read");
}

/// The same of a person's grant: what was granted is told, and less than something is never nothing.
#[tokio::test]
async fn a_grant_without_scopes_and_one_whose_scopes_are_gone() {
    let house = House::furnished_with(|settings| settings.resources[0].default = ScopeSet::new()).await;
    let mut request = house.request();
    harness::set(&mut request, "scope", "");
    let tokens = house.redeem(&house.code_for(&request).await).await;
    assert_eq!((tokens.status, tokens.json.get("scope")), (200, None), "{:?}", tokens.json);
    let next = house.refresh(NATIVE, tokens.text("refresh_token")).await;
    assert_eq!((next.status, next.json.get("scope")), (200, None));
    let token = house.tokens().await.text("refresh_token").to_owned();
    // The operator has taken the scopes away from the server.
    let without = house
        .replica_with(|settings| {
            settings.resources[0].scopes.clear();
            settings.resources[0].default = ScopeSet::new();
        })
        .await;
    let form = [("grant_type", "refresh_token"), ("client_id", NATIVE), ("refresh_token", token.as_str())];
    let refused = house.send(house.http.post(format!("{}/token", without.address)).form(&form)).await;
    assert_eq!(refused.error(), (400, "invalid_grant"));
    assert_eq!(house.refresh(NATIVE, &token).await.status, 200);
}
