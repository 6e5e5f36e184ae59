//! `/register/{client_id}` (RFC 7592), and the tokens of the operator's by which clients register (RFC 7591 §1.2).

use crate::harness;
use std::time::Duration;

use hallpass_authorization_server::RegistrationPolicy;
use harness::{Answer, House, set};
use reqwest::Method;
use serde_json::{Value, json};

fn native() -> Value {
    json!({
        "client_name": "An app",
        "redirect_uris": ["http://127.0.0.1/callback"],
        "token_endpoint_auth_method": "none",
    })
}

async fn register(house: &House, metadata: &Value, token: Option<&str>) -> Answer {
    let request = house.http.post(house.url("/register")).json(metadata);
    house.send(token.iter().fold(request, |request, token| request.bearer_auth(token))).await
}

/// A registration as its client knows it.
struct Known {
    id: String,
    uri: String,
    token: String,
}

impl Known {
    async fn new(house: &House, metadata: &Value) -> Self {
        Self::of(&register(house, metadata, None).await)
    }

    fn of(answer: &Answer) -> Self {
        assert!([200, 201].contains(&answer.status), "{:?}", answer.json);
        Self {
            id: answer.text("client_id").to_owned(),
            uri: answer.text("registration_client_uri").to_owned(),
            token: answer.text("registration_access_token").to_owned(),
        }
    }

    async fn ask(&self, house: &House, method: Method, token: &str, body: Option<&Value>) -> Answer {
        let request = house.http.request(method, &self.uri).bearer_auth(token);
        house.send(body.iter().fold(request, |request, body| request.json(body))).await
    }

    async fn get(&self, house: &House) -> Answer {
        self.ask(house, Method::GET, &self.token, None).await
    }

    async fn put(&self, house: &House, metadata: &Value) -> Answer {
        let mut metadata = metadata.clone();
        if metadata.get("client_id").is_none() {
            metadata["client_id"] = json!(self.id);
        }
        self.ask(house, Method::PUT, &self.token, Some(&metadata)).await
    }
}

#[tokio::test]
async fn a_client_reads_what_it_has_registered() {
    let house = House::furnished().await;
    let mut metadata = native();
    metadata["dpop_bound_access_tokens"] = json!(true);
    let made = register(&house, &metadata, None).await;
    let known = Known::of(&made);
    assert_eq!(known.uri, house.url(&format!("/register/{}", known.id)));
    let read = known.get(&house).await;
    assert_eq!((read.status, read.header("cache-control")), (200, Some("no-store")));
    assert_eq!(read.json, made.json);
    assert_eq!(read.json["dpop_bound_access_tokens"], true);
}

#[tokio::test]
async fn a_secret_is_told_once() {
    let house = House::furnished().await;
    let mut metadata = native();
    metadata["token_endpoint_auth_method"] = json!("client_secret_basic");
    let known = Known::new(&house, &metadata).await;
    assert_eq!(known.get(&house).await.json.get("client_secret"), None);
}

#[tokio::test]
async fn only_the_token_of_this_very_registration_opens_it() {
    let house = House::furnished().await;
    let (mine, other) = (Known::new(&house, &native()).await, Known::new(&house, &native()).await);
    let longer = format!("{}x", mine.token);
    let shorter = &mine.token[1..];
    for (method, body) in [(Method::GET, None), (Method::PUT, Some(native())), (Method::DELETE, None)] {
        for token in [other.token.as_str(), &longer, shorter, "", &mine.id] {
            let refused = mine.ask(&house, method.clone(), token, body.as_ref()).await;
            assert_eq!(refused.error(), (401, "invalid_token"), "{method} {token}");
            assert!(refused.header("www-authenticate").unwrap().starts_with("Bearer "));
        }
        let without = house.send(house.http.request(method.clone(), &mine.uri)).await;
        assert_eq!(without.error(), (401, "invalid_token"));
        let twice = house.http.request(method.clone(), &mine.uri).bearer_auth(&mine.token);
        assert_eq!(house.send(twice.header("authorization", "Bearer x")).await.status, 400);
    }
    assert_eq!(mine.get(&house).await.status, 200);
    // One that was added by hand has no token at all.
    let by_hand = house.http.get(house.url("/register/native")).bearer_auth(&mine.token);
    assert_eq!(house.send(by_hand).await.status, 401);
    let nul = house.http.get(house.url("/register/a%00b")).bearer_auth(&mine.token);
    assert_eq!(house.send(nul).await.status, 401);
}

#[tokio::test]
async fn a_change_takes_the_place_of_all_that_was_there() {
    let house = House::furnished().await;
    let known = Known::new(&house, &native()).await;
    let changed = known
        .put(
            &house,
            &json!({
                "redirect_uris": ["https://app.example/new"],
                "grant_types": ["authorization_code"],
                "token_endpoint_auth_method": "client_secret_post",
            }),
        )
        .await;
    assert_eq!(changed.status, 200, "{:?}", changed.json);
    assert_eq!(changed.json.get("client_name"), None, "left out, so it is gone");
    assert_eq!(changed.json["redirect_uris"], json!(["https://app.example/new"]));
    let known = Known::of(&changed);
    assert_eq!(known.get(&house).await.json["grant_types"], json!(["authorization_code"]));
    // It begins to have a secret, and needs it from now on.
    let secret = changed.text("client_secret").to_owned();
    let bare = [("client_id", known.id.as_str()), ("token", "x")];
    assert_eq!(house.post("/revoke", &bare).await.status, 401);
    let with = [bare[0], bare[1], ("client_secret", secret.as_str())];
    assert_eq!(house.post("/revoke", &with).await.status, 200);
    // The old redirect URI is one no longer.
    let mut request = house.request();
    set(&mut request, "client_id", &known.id);
    let page = hallpass_testkit::person::Person::new().open(house.authorize_url(&request)).await;
    assert_eq!((page.status().as_u16(), page.location()), (400, None));
    // The secret stays, sent back or not.
    let mut metadata = native();
    metadata["token_endpoint_auth_method"] = json!("client_secret_basic");
    metadata["client_secret"] = json!(secret);
    let kept = known.put(&house, &metadata).await;
    assert_eq!((kept.status, kept.json.get("client_secret")), (200, None));
    assert_eq!(house.post("/revoke", &with).await.status, 200);
    // As a public client it has none.
    let public = Known::of(&kept).put(&house, &native()).await;
    assert_eq!(public.status, 200);
    assert_eq!(house.post("/revoke", &bare).await.status, 200);
}

#[tokio::test]
async fn a_change_is_judged_as_a_registration_is() {
    let house = House::furnished_with(|settings| {
        settings.registration_redirects = vec!["127.0.0.1".parse().unwrap()];
    })
    .await;
    let known = Known::new(&house, &native()).await;
    for (member, value, error) in [
        ("redirect_uris", json!([]), "invalid_redirect_uri"),
        ("redirect_uris", json!(["https://evil.example/cb"]), "invalid_redirect_uri"),
        ("redirect_uris", json!(["javascript:alert(1)"]), "invalid_redirect_uri"),
        ("client_name", json!("a\u{0}b"), "invalid_client_metadata"),
        ("token_endpoint_auth_method", json!("private_key_jwt"), "invalid_client_metadata"),
        ("grant_types", json!(["password"]), "invalid_client_metadata"),
        ("client_id", json!("another"), "invalid_client_metadata"),
        ("client_id", json!(null), "invalid_client_metadata"),
        ("client_secret", json!("chosen by the client"), "invalid_client_metadata"),
        ("client_secret_expires_at", json!(0), "invalid_client_metadata"),
        ("client_id_issued_at", json!(0), "invalid_client_metadata"),
        ("registration_access_token", json!(known.token), "invalid_client_metadata"),
        ("registration_client_uri", json!(known.uri), "invalid_client_metadata"),
    ] {
        let mut metadata = native();
        metadata[member] = value.clone();
        assert_eq!(known.put(&house, &metadata).await.error(), (400, error), "{member}: {value}");
    }
    assert_eq!(known.get(&house).await.json["redirect_uris"], native()["redirect_uris"]);
}

#[tokio::test]
async fn the_token_changes_with_each_change_and_a_lost_answer_locks_nobody_out() {
    let house = House::furnished().await;
    let first = Known::new(&house, &native()).await;
    // The answer is lost: the client still has the first token.
    let lost = Known::of(&first.put(&house, &native()).await);
    assert_ne!(lost.token, first.token);
    assert_eq!(first.get(&house).await.status, 200);
    let second = Known::of(&first.put(&house, &native()).await);
    assert_eq!(lost.get(&house).await.status, 401, "replaced before it was used");
    // The answer arrived: from the first use of the new token on, the old one is dead.
    assert_eq!(second.get(&house).await.status, 200);
    assert_eq!(first.get(&house).await.status, 401);
    assert_eq!(first.put(&house, &native()).await.status, 401);
    assert_eq!(second.get(&house).await.status, 200);
    let stored = String::from_utf8_lossy(&house.everything_stored().await).into_owned();
    for token in [&first.token, &second.token] {
        assert!(!stored.contains(token), "hashed");
    }
}

#[tokio::test]
async fn a_client_that_removes_itself_takes_its_tokens_along() {
    let house = House::furnished().await;
    let known = Known::new(&house, &native()).await;
    let mut request = house.request();
    set(&mut request, "client_id", &known.id);
    let mut form = harness::redemption("");
    let code = house.code_for(&request).await;
    form[1].1 = &known.id;
    form[2].1 = &code;
    let tokens = house.post("/token", &form).await;
    let access = tokens.text("access_token");
    assert!(!house.is_revoked(access));
    assert_eq!(known.ask(&house, Method::DELETE, &known.token, None).await.status, 204);
    assert!(house.is_revoked(access));
    assert_eq!(house.refresh(&known.id, tokens.text("refresh_token")).await.error(), (401, "invalid_client"));
    assert_eq!(known.get(&house).await.status, 401);
}

#[tokio::test]
async fn who_is_switched_off_manages_nothing() {
    let house = House::furnished().await;
    let known = Known::new(&house, &native()).await;
    assert!(house.server.clients().disable(&known.id).await.unwrap());
    for (method, body) in [(Method::GET, None), (Method::PUT, Some(native())), (Method::DELETE, None)] {
        let refused = known.ask(&house, method, &known.token, body.as_ref()).await;
        assert_eq!(refused.error(), (403, "access_denied"));
    }
}

#[tokio::test]
async fn while_registration_is_off_a_client_reads_and_removes_and_changes_nothing() {
    let house = House::furnished().await;
    let known = Known::new(&house, &native()).await;
    let off = |settings: &mut hallpass_authorization_server::Settings| {
        settings.registration = RegistrationPolicy::Off;
    };
    let replica = house.replica_with(off).await;
    let there = Known { uri: format!("{}/register/{}", replica.address, known.id), ..known };
    assert_eq!(there.get(&house).await.status, 200);
    assert_eq!(there.put(&house, &native()).await.error(), (403, "access_denied"));
    assert_eq!(there.ask(&house, Method::DELETE, &there.token, None).await.status, 204);
}

#[tokio::test]
async fn with_a_token_of_the_operators_and_not_without() {
    let house = House::furnished_with(|settings| settings.registration = RegistrationPolicy::WithToken).await;
    let clients = house.server.clients();
    let hour = Duration::from_secs(60 * 60);
    assert_eq!(register(&house, &native(), None).await.error(), (401, "invalid_token"));
    assert_eq!(register(&house, &native(), Some("made up")).await.error(), (401, "invalid_token"));
    let (id, token) = clients.issue_initial_access_token("laptops", Some(2), hour).await.unwrap();
    // What is refused for another reason uses nothing up.
    assert_eq!(register(&house, &json!({}), Some(token.expose())).await.status, 400);
    for _ in 0..2 {
        assert_eq!(register(&house, &native(), Some(token.expose())).await.status, 201);
    }
    assert_eq!(register(&house, &native(), Some(token.expose())).await.error(), (401, "invalid_token"));
    let listed = clients.initial_access_tokens().await.unwrap();
    assert_eq!((listed[0].id.as_str(), listed[0].used, listed[0].uses), (id.as_str(), 2, Some(2)));
    // Revoked, and over.
    let (id, token) = clients.issue_initial_access_token("", None, hour).await.unwrap();
    assert_eq!(register(&house, &native(), Some(token.expose())).await.status, 201);
    assert!(clients.revoke_initial_access_token(&id).await.unwrap());
    assert!(!clients.revoke_initial_access_token(&id).await.unwrap());
    assert_eq!(register(&house, &native(), Some(token.expose())).await.status, 401);
    let (_, token) = clients.issue_initial_access_token("", None, hour).await.unwrap();
    house.advance(60 * 60);
    assert_eq!(register(&house, &native(), Some(token.expose())).await.status, 401);
    let stored = String::from_utf8_lossy(&house.everything_stored().await).into_owned();
    assert!(!stored.contains(token.expose()), "hashed");
    let metadata = house.send(house.http.get(house.url("/.well-known/oauth-authorization-server"))).await;
    assert_eq!(metadata.json["registration_endpoint"], house.url("/register"));
}

#[tokio::test]
async fn where_anyone_may_register_a_token_is_not_counted_and_has_to_be_good() {
    let house = House::furnished_with(|settings| {
        settings.registration = RegistrationPolicy::Open { per_hour: 1 };
    })
    .await;
    let (_, token) =
        house.server.clients().issue_initial_access_token("", None, Duration::from_secs(60)).await.unwrap();
    assert_eq!(register(&house, &native(), None).await.status, 201);
    assert_eq!(register(&house, &native(), None).await.status, 503);
    assert_eq!(register(&house, &native(), Some(token.expose())).await.status, 201);
    assert_eq!(register(&house, &native(), Some("made up")).await.error(), (401, "invalid_token"));
}

/// What was done counts, not what is left of it: whoever removes and registers in turns has no more than others.
#[tokio::test]
async fn removing_gives_no_registration_back_and_a_change_counts_as_one() {
    let house = House::furnished_with(|settings| {
        settings.registration = RegistrationPolicy::Open { per_hour: 3 };
    })
    .await;
    let first = Known::new(&house, &native()).await;
    assert_eq!(first.ask(&house, Method::DELETE, &first.token, None).await.status, 204);
    let second = Known::new(&house, &native()).await;
    let second = Known::of(&second.put(&house, &native()).await);
    assert_eq!(register(&house, &native(), None).await.error(), (503, "temporarily_unavailable"));
    assert_eq!(second.put(&house, &native()).await.error(), (503, "temporarily_unavailable"));
    assert_eq!(second.get(&house).await.status, 200, "reading costs nothing");
    assert_eq!(second.ask(&house, Method::DELETE, &second.token, None).await.status, 204);
    house.advance(60 * 60);
    assert_eq!(register(&house, &native(), None).await.status, 201);
}

#[tokio::test]
async fn a_client_registers_its_keys_and_signs() {
    let house = House::furnished().await;
    let key = hallpass_protocol::jose::SigningKey::generate_es256().unwrap();
    let mut metadata = native();
    metadata["token_endpoint_auth_method"] = json!("private_key_jwt");
    metadata["jwks"] = json!({"keys": [key.public_jwk()]});
    let made = register(&house, &metadata, None).await;
    let id = made.text("client_id");
    assert_eq!(made.json.get("client_secret"), None);
    assert_eq!(made.json["jwks"]["keys"][0]["kty"], "EC");
    let bare = [("client_id", id), ("token", "x")];
    assert_eq!(house.post("/revoke", &bare).await.error(), (401, "invalid_client"));
    let now = house.clock.now().unix();
    let claims = json!({
        "iss": id, "sub": id, "aud": house.issuer, "jti": "once", "iat": now, "exp": now + 60,
    });
    let assertion = key.sign("JWT", &claims).unwrap();
    let signed = [
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", assertion.as_str()),
        ("token", "x"),
    ];
    assert_eq!(house.post("/revoke", &signed).await.status, 200);
}
