//! Clients that are not any more what they were when they were granted something.

use crate::harness;
use std::sync::{Arc, Mutex};

use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use harness::{Answer, CALLBACK, House, NATIVE, VERIFIER, set};
use serde_json::{Value, json};

/// A client that has registered itself, and changes its mind (RFC 7592 §2.2).
struct Registered {
    id: String,
    uri: String,
    token: String,
}

fn native() -> Value {
    json!({"redirect_uris": ["http://127.0.0.1/callback"], "token_endpoint_auth_method": "none"})
}

impl Registered {
    async fn new(house: &House, metadata: &Value) -> Self {
        let answer = house.send(house.http.post(house.url("/register")).json(metadata)).await;
        assert_eq!(answer.status, 201, "{:?}", answer.json);
        let text = |member| answer.text(member).to_owned();
        Self {
            id: text("client_id"),
            uri: text("registration_client_uri"),
            token: text("registration_access_token"),
        }
    }

    /// The answer; it may hold a secret.
    async fn change(&mut self, house: &House, members: Value) -> Answer {
        let mut metadata = native();
        metadata["client_id"] = json!(self.id);
        metadata.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        let answer = house.send(house.http.put(&self.uri).bearer_auth(&self.token).json(&metadata)).await;
        assert_eq!(answer.status, 200, "{:?}", answer.json);
        self.token = answer.text("registration_access_token").to_owned();
        answer
    }

    async fn code(&self, house: &House) -> String {
        let mut request = house.request();
        set(&mut request, "client_id", &self.id);
        house.code_for(&request).await
    }

    async fn redeem(&self, house: &House, code: &str) -> Answer {
        let form = [
            ("grant_type", "authorization_code"),
            ("client_id", self.id.as_str()),
            ("code", code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
        ];
        house.post("/token", &form).await
    }

    /// A refresh token of the whole way.
    async fn granted(&self, house: &House) -> String {
        let tokens = self.redeem(house, &self.code(house).await).await;
        assert_eq!(tokens.status, 200, "{:?}", tokens.json);
        tokens.text("refresh_token").to_owned()
    }

    async fn refresh_with(&self, house: &House, token: &str, secret: &str) -> Answer {
        let mut form =
            vec![("grant_type", "refresh_token"), ("client_id", self.id.as_str()), ("refresh_token", token)];
        if !secret.is_empty() {
            form.push(("client_secret", secret));
        }
        house.post("/token", &form).await
    }
}

#[tokio::test]
async fn without_the_grant_a_refresh_token_is_of_no_use() {
    let house = House::furnished().await;
    let mut client = Registered::new(&house, &native()).await;
    let token = client.granted(&house).await;
    let code = client.code(&house).await;
    client.change(&house, json!({"grant_types": ["authorization_code"]})).await;
    assert_eq!(house.refresh(&client.id, &token).await.error(), (400, "unauthorized_client"));
    let redeemed = client.redeem(&house, &code).await;
    assert_eq!((redeemed.status, redeemed.json.get("refresh_token")), (200, None), "nor is there a new one");
    // Nothing was consumed: the client may take the grant up again.
    client.change(&house, json!({"grant_types": ["authorization_code", "refresh_token"]})).await;
    assert_eq!(house.refresh(&client.id, &token).await.status, 200);
}

#[tokio::test]
async fn what_a_client_has_to_show_now_is_what_counts() {
    let house = House::furnished().await;
    let mut client = Registered::new(&house, &native()).await;
    let token = client.granted(&house).await;
    let changed = client.change(&house, json!({"token_endpoint_auth_method": "client_secret_post"})).await;
    let secret = changed.text("client_secret").to_owned();
    assert_eq!(house.refresh(&client.id, &token).await.error(), (401, "invalid_client"), "an id alone");
    assert_eq!(client.refresh_with(&house, &token, "wrong").await.error(), (401, "invalid_client"));
    let next = client.refresh_with(&house, &token, &secret).await;
    assert_eq!(next.status, 200, "{:?}", next.json);
    // What was granted to a client with a secret is never given to one without.
    let mut request = house.request();
    set(&mut request, "client_id", &client.id);
    let code = house.code_for(&request).await;
    client.change(&house, json!({})).await;
    assert_eq!(client.redeem(&house, &code).await.error(), (401, "invalid_client"));
}

#[tokio::test]
async fn a_code_that_went_to_a_redirect_uri_that_was_given_up_is_of_no_use() {
    let house = House::furnished().await;
    let mut client = Registered::new(&house, &native()).await;
    let (token, code) = (client.granted(&house).await, client.code(&house).await);
    client.change(&house, json!({"redirect_uris": ["http://127.0.0.1/other"]})).await;
    assert_eq!(client.redeem(&house, &code).await.error(), (400, "invalid_grant"));
    // The app itself has not changed: what it has it keeps.
    assert_eq!(house.refresh(&client.id, &token).await.status, 200);
    client.change(&house, json!({})).await;
    assert_eq!(client.redeem(&house, &code).await.status, 200, "it was not consumed");
}

#[tokio::test]
async fn a_code_needs_its_grant() {
    let house = House::furnished().await;
    let mut client = Registered::new(&house, &native()).await;
    let code = client.code(&house).await;
    let device = "urn:ietf:params:oauth:grant-type:device_code";
    client.change(&house, json!({"grant_types": [device]})).await;
    assert_eq!(client.redeem(&house, &code).await.error(), (400, "unauthorized_client"));
    let id = client.id.clone();
    let form = [("client_id", id.as_str()), ("scope", "notes:read")];
    let begun = house.post("/device_authorization", &form).await;
    let poll = [("grant_type", device), ("client_id", &id), ("device_code", begun.text("device_code"))];
    assert_eq!(house.post("/token", &poll).await.error(), (400, "authorization_pending"));
    client.change(&house, json!({"grant_types": ["authorization_code"]})).await;
    assert_eq!(house.post("/token", &poll).await.error(), (400, "unauthorized_client"));
}

#[tokio::test]
async fn scopes_that_a_client_may_not_have_any_more_are_not_granted() {
    let house = House::furnished().await;
    let token = house.tokens().await.text("refresh_token").to_owned();
    let code = house.code().await;
    let refresh = async |token: &str, scope: &str| {
        let form = [
            ("grant_type", "refresh_token"),
            ("client_id", NATIVE),
            ("refresh_token", token),
            ("scope", scope),
        ];
        house.post("/token", if scope.is_empty() { &form[..3] } else { &form }).await
    };
    house.sql("UPDATE clients SET scopes = 'else' WHERE id = 'native'").await;
    assert_eq!(refresh(&token, "").await.error(), (400, "invalid_grant"), "nothing is left");
    assert_eq!(house.redeem(&code).await.error(), (400, "invalid_grant"));
    house.sql("UPDATE clients SET scopes = 'notes:read' WHERE id = 'native'").await;
    assert_eq!(refresh(&token, "notes:write").await.error(), (400, "invalid_scope"));
    let next = refresh(&token, "").await;
    assert_eq!((next.status, next.text("scope")), (200, "notes:read"));
    assert_eq!(house.verify(next.text("access_token")).scope.unwrap().to_string(), "notes:read");
    assert_eq!(house.redeem(&code).await.text("scope"), "notes:read");
    // Given back, they are there again: the person had agreed to them.
    house.sql("UPDATE clients SET scopes = NULL WHERE id = 'native'").await;
    assert_eq!(refresh(next.text("refresh_token"), "").await.text("scope"), "notes:read notes:write");
}

#[tokio::test]
async fn a_resource_that_is_gone_gets_no_tokens() {
    let house = House::furnished().await;
    let mut request = house.request();
    let second = format!("{}/second", house.issuer);
    set(&mut request, "resource", &second);
    let tokens = house.redeem(&house.code_for(&request).await).await;
    let token = tokens.text("refresh_token");
    let without = house.replica_with(|settings| drop(settings.resources.pop())).await;
    let form = [("grant_type", "refresh_token"), ("client_id", NATIVE), ("refresh_token", token)];
    let refused = house.send(house.http.post(format!("{}/token", without.address)).form(&form)).await;
    assert_eq!(refused.error(), (400, "invalid_target"));
    house.sql(r#"UPDATE clients SET details = '{"resources":["https://else.example/mcp"]}' WHERE id = 'native'"#).await;
    assert_eq!(house.refresh(NATIVE, token).await.error(), (400, "invalid_target"));
    house.sql("UPDATE clients SET details = NULL WHERE id = 'native'").await;
    assert_eq!(house.refresh(NATIVE, token).await.status, 200);
}

/// A web server whose one document may change, and may be away.
async fn publish() -> (String, Arc<Mutex<Option<Value>>>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let id = format!("http://{}/client.json", listener.local_addr().unwrap());
    let document: Arc<Mutex<Option<Value>>> = Arc::default();
    let shown = Arc::clone(&document);
    let answer = async move || {
        let document = shown.lock().unwrap().clone();
        document.map(Json).ok_or(StatusCode::BAD_GATEWAY)
    };
    let router = Router::new().route("/client.json", get(answer));
    tokio::spawn(axum::serve(listener, router).into_future());
    (id, document)
}

/// Of a client that is a metadata document, the document is looked at, as far as it can be had.
#[tokio::test]
async fn a_metadata_document_that_has_changed_is_what_counts() {
    let house = House::furnished().await;
    let (id, document) = publish().await;
    let plain = json!({
        "client_id": id, "client_name": "An app", "redirect_uris": ["http://127.0.0.1/callback"],
        "token_endpoint_auth_method": "none",
    });
    let show = |members: Value| {
        let mut shown = plain.clone();
        shown.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        *document.lock().unwrap() = Some(shown);
    };
    show(json!({}));
    let client = Registered { id: id.clone(), uri: String::new(), token: String::new() };
    let mut token = client.granted(&house).await;
    // What was fetched lately counts for five minutes.
    for (members, error) in [
        (json!({"grant_types": ["authorization_code"]}), (400, "unauthorized_client")),
        (json!({"grant_types": ["client_credentials"]}), (400, "invalid_grant")),
        (json!({"token_endpoint_auth_method": "client_secret_post"}), (400, "invalid_grant")),
        (
            json!({"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": "https://app.example/jwks"}),
            (401, "invalid_client"),
        ),
        (json!({"dpop_bound_access_tokens": true}), (400, "invalid_dpop_proof")),
    ] {
        show(members.clone());
        house.advance(300);
        assert_eq!(house.refresh(&id, &token).await.error(), error, "{members}");
        house.advance(300);
        show(json!({}));
        let next = house.refresh(&id, &token).await;
        assert_eq!(next.status, 200, "{members}: {:?}", next.json);
        token = next.text("refresh_token").to_owned();
    }
    // No refresh fails because its web server is down, or answers something else.
    for away in [None, Some(json!("a page"))] {
        *document.lock().unwrap() = away;
        house.advance(300);
        let next = house.refresh(&id, &token).await;
        assert_eq!(next.status, 200, "{:?}", next.json);
        token = next.text("refresh_token").to_owned();
    }
}
