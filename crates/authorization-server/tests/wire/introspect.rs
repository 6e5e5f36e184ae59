//! `/introspect` (RFC 7662).

use crate::harness;
use hallpass_authorization_server::{ClientDetails, NewClient};
use hallpass_protocol::secret::Secret;
use harness::{Answer, House, NATIVE, WEB, WEB_SECRET};

/// The client of the resource server that the harness's tokens are for.
const RS: &str = "rs";

async fn furnished() -> House {
    let house = House::furnished().await;
    let details = ClientDetails { resources: Some(vec![house.resource()]), ..ClientDetails::default() };
    let client = NewClient {
        id: RS.to_owned(),
        secret: Some(Secret::new("s")),
        grant_types: vec!["client_credentials".to_owned()],
        details,
        ..NewClient::default()
    };
    house.server.clients().add(client).await.unwrap();
    house
}

async fn ask(house: &House, token: &str) -> Answer {
    house.post("/introspect", &[("client_id", RS), ("client_secret", "s"), ("token", token)]).await
}

/// The same as [`WEB`].
async fn ask_as_web(house: &House, token: &str) -> Answer {
    house.post("/introspect", &[("client_id", WEB), ("client_secret", WEB_SECRET), ("token", token)]).await
}

#[tokio::test]
async fn a_client_without_resources_learns_of_its_own_tokens_alone() {
    let house = House::furnished().await;
    let tokens = house.tokens().await;
    assert_eq!(
        ask_as_web(&house, tokens.text("access_token")).await.json,
        serde_json::json!({"active": false})
    );
}

#[tokio::test]
async fn a_good_token_is_told_with_its_claims() {
    let house = furnished().await;
    let tokens = house.tokens().await;
    let answer = ask(&house, tokens.text("access_token")).await;
    let claims = house.verify(tokens.text("access_token"));
    assert_eq!(answer.json["active"], true);
    assert_eq!(answer.text("sub"), claims.sub);
    assert_eq!(answer.text("client_id"), NATIVE);
    assert_eq!(answer.text("aud"), house.resource());
    assert_eq!(answer.text("scope"), "notes:read notes:write");
    assert_eq!(answer.text("token_type"), "Bearer");
    assert_eq!(answer.json["exp"], claims.exp.unix());
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

#[tokio::test]
async fn who_asks_is_a_client_that_can_show_it() {
    let house = House::furnished().await;
    let tokens = house.tokens().await;
    let token = ("token", tokens.text("access_token"));
    let public = house.post("/introspect", &[("client_id", NATIVE), token]).await;
    assert_eq!(public.error(), (401, "invalid_client"));
    assert_eq!(house.post("/introspect", &[token]).await.error(), (401, "invalid_client"));
    let none = house.post("/introspect", &[("client_id", WEB), ("client_secret", WEB_SECRET)]).await;
    assert_eq!(none.error(), (400, "invalid_request"));
}

#[tokio::test]
async fn a_resource_server_learns_of_its_own_tokens_alone() {
    let house = House::furnished().await;
    let second = format!("{}/second", house.issuer);
    for (id, resource) in [("rs-one", house.resource()), ("rs-two", second)] {
        let details = ClientDetails { resources: Some(vec![resource]), ..ClientDetails::default() };
        let client = NewClient {
            id: id.to_owned(),
            secret: Some(Secret::new("s")),
            grant_types: vec!["client_credentials".to_owned()],
            details,
            ..NewClient::default()
        };
        house.server.clients().add(client).await.unwrap();
    }
    let tokens = house.tokens().await;
    let active = async |id: &str, token: &str| {
        let form = [("client_id", id), ("client_secret", "s"), ("token", token)];
        house.post("/introspect", &form).await.json["active"].as_bool().unwrap()
    };
    assert!(active("rs-one", tokens.text("access_token")).await);
    assert!(!active("rs-two", tokens.text("access_token")).await);
    // A refresh token is its client's business alone.
    assert!(!active("rs-one", tokens.text("refresh_token")).await);
}

#[tokio::test]
async fn a_refresh_token_is_told_to_its_client_while_it_is_unused() {
    let house = House::furnished().await;
    let code = house.code_for(&house.web_request()).await;
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", WEB),
        ("client_secret", WEB_SECRET),
        ("code", &code),
        ("code_verifier", harness::VERIFIER),
    ];
    let tokens = house.post("/token", &form).await;
    assert_eq!(ask_as_web(&house, tokens.text("access_token")).await.json["active"], true);
    let token = tokens.text("refresh_token");
    assert_eq!(ask_as_web(&house, token).await.json["active"], true);
    let refresh = [
        ("grant_type", "refresh_token"),
        ("client_id", WEB),
        ("client_secret", WEB_SECRET),
        ("refresh_token", token),
    ];
    assert_eq!(house.post("/token", &refresh).await.status, 200);
    assert_eq!(ask_as_web(&house, token).await.json["active"], false);
}

/// What can happen to a token, each of it alone.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Nothing,
    Expires,
    IsRevoked,
    GrantIsRevoked,
    ClientIsDisabled,
    ClientIsRemoved,
    UserIsDisabled,
    UserIsRemoved,
    OneBitFlips,
    IsCut,
}

// Row 32 of never-again: the same as a resource server's own judgement, for every layer, also from another process.
#[tokio::test]
async fn introspection_and_the_resource_server_agree() {
    use Fate::*;
    for fate in [
        Nothing,
        Expires,
        IsRevoked,
        GrantIsRevoked,
        ClientIsDisabled,
        ClientIsRemoved,
        UserIsDisabled,
        UserIsRemoved,
        OneBitFlips,
        IsCut,
    ] {
        let house = furnished().await;
        let tokens = house.tokens().await;
        let mut token = tokens.text("access_token").to_owned();
        // As the command line does it, past the memory of the server.
        let elsewhere = house.store().await;
        match fate {
            Nothing => {}
            Expires => house.advance(600),
            IsRevoked => drop(house.post("/revoke", &[("client_id", NATIVE), ("token", &token)]).await),
            GrantIsRevoked => {
                let form = [("client_id", NATIVE), ("token", tokens.text("refresh_token"))];
                house.post("/revoke", &form).await;
            }
            ClientIsDisabled => drop(elsewhere.clients().disable(NATIVE).await.unwrap()),
            ClientIsRemoved => drop(elsewhere.clients().remove(NATIVE).await.unwrap()),
            UserIsDisabled => drop(elsewhere.users().disable(harness::USER).await.unwrap()),
            UserIsRemoved => drop(elsewhere.users().remove(harness::USER).await.unwrap()),
            OneBitFlips => {
                let last = token.pop().unwrap();
                token.push(if last == 'A' { 'B' } else { 'A' });
            }
            IsCut => drop(token.pop()),
        }
        // Introspection asks the database itself; a resource server hears of it within a second.
        let told = ask(&house, &token).await.json["active"].as_bool().unwrap();
        house.server.keep_house().await.unwrap();
        assert_eq!(told, is_good_offline(&house, &token), "{fate:?}");
        assert_eq!(told, matches!(fate, Nothing), "{fate:?}");
    }
}

fn is_good_offline(house: &House, token: &str) -> bool {
    use hallpass_protocol::jose::{Expected, UnverifiedJwt};
    let issuer = hallpass_protocol::issuer::Issuer::parse(&house.issuer).unwrap();
    let audience = house.resource();
    let expected = Expected {
        issuer: &issuer,
        audience: &[&audience],
        typ: &["at+jwt"],
        now: house.clock.now(),
        leeway: std::time::Duration::ZERO,
    };
    let jwt = UnverifiedJwt::parse(token).ok();
    let jwt = jwt.and_then(|jwt| jwt.verify(&house.server.verifying_keys().current(), &expected).ok());
    jwt.is_some_and(|jwt| {
        let id = jwt.claims().id.clone().unwrap();
        !house.server.revocations().is_revoked(&id).unwrap()
    })
}
