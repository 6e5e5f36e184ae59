//! Opaque access tokens: what a JWT says, by asking alone.

use crate::harness;
use hallpass_authorization_server::{ClientDetails, ExchangeRule, NewClient, OpaqueTokens, TokenForm};
use hallpass_protocol::dpop::Proof;
use hallpass_protocol::jose::SigningKey;
use hallpass_protocol::scope::ScopeSet;
use hallpass_protocol::secret::Secret;
use hallpass_testkit::person::Person;
use harness::{Answer, House, NATIVE, OTHER, PASSWORD, USER, redemption, set};
use serde_json::{Value, json};

/// The client of the resource servers.
const RS: &str = "rs";
const DEVICE: &str = "urn:ietf:params:oauth:grant-type:device_code";
const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";

/// Tokens of the first resource are opaque, those of the second are JWTs. [`RS`] may exchange the ones for the others.
async fn furnished() -> House {
    let house = House::furnished_with(|settings| {
        settings.resources[0].access_tokens = TokenForm::Opaque;
        let [first, second] = ["/mcp", "/second"].map(|path| format!("{}{path}", settings.issuer));
        settings.exchange = [(&first, &second), (&second, &first), (&first, &first)]
            .map(|(from, to)| ExchangeRule {
                client_id: RS.to_owned(),
                from: from.clone(),
                to: to.clone(),
                scopes: ScopeSet::parse("notes:read").unwrap(),
            })
            .to_vec();
    })
    .await;
    let resources = vec![house.resource(), second(&house)];
    let client = NewClient {
        id: RS.to_owned(),
        secret: Some(Secret::new("s")),
        grant_types: vec!["client_credentials".to_owned(), EXCHANGE.to_owned()],
        details: ClientDetails { resources: Some(resources), ..ClientDetails::default() },
        ..NewClient::default()
    };
    house.server.clients().add(client).await.unwrap();
    house
}

fn second(house: &House) -> String {
    format!("{}/second", house.issuer)
}

fn is_opaque(token: &str) -> bool {
    token.len() == 47 && token.starts_with(OpaqueTokens::PREFIX) && !token.contains('.')
}

/// With the secret of [`RS`].
async fn ask(house: &House, path: &str, form: &[(&str, &str)]) -> Answer {
    house.post(path, &[&[("client_id", RS), ("client_secret", "s")], form].concat()).await
}

async fn told(house: &House, token: &str) -> Value {
    ask(house, "/introspect", &[("token", token)]).await.json
}

async fn exchange(house: &House, token: &str, to: &str, wanted: &str) -> Answer {
    let form = [
        ("grant_type", EXCHANGE),
        ("subject_token", token),
        ("subject_token_type", ACCESS_TOKEN),
        ("requested_token_type", wanted),
        ("resource", to),
    ];
    ask(house, "/token", &form).await
}

/// As a resource server in the same process judges it, which hears of revocations within a second.
async fn is_good_here(house: &House, token: &str) -> bool {
    house.server.keep_house().await.unwrap();
    let found = house.server.opaque_tokens().find(token).await.unwrap();
    found.is_some_and(|claims| {
        house.clock.now() < claims.exp && !house.server.revocations().is_revoked(&claims.jti).unwrap()
    })
}

#[tokio::test]
async fn says_what_a_jwt_would_and_to_those_who_ask() {
    let house = furnished().await;
    let tokens = house.tokens().await;
    let token = tokens.text("access_token");
    assert!(is_opaque(token), "{token}");
    assert_eq!((tokens.text("token_type"), tokens.json["expires_in"].as_u64()), ("Bearer", Some(600)));
    assert_eq!(tokens.text("scope"), "notes:read notes:write");
    let mut request = house.request();
    set(&mut request, "resource", &second(&house));
    let jwt = house.redeem(&house.code_for(&request).await).await;
    assert!(!is_opaque(jwt.text("access_token")));
    // But for its name and its audience, it is the same.
    let (mut opaque, mut signed) = (told(&house, token).await, told(&house, jwt.text("access_token")).await);
    assert_eq!((&opaque["active"], &opaque["aud"]), (&json!(true), &json!(house.resource())));
    assert!(opaque["jti"].as_str().unwrap().contains('.') && opaque["auth_time"].is_i64());
    for told in [&mut opaque, &mut signed] {
        told.as_object_mut().unwrap().retain(|name, _| !["aud", "jti"].contains(&name.as_str()));
    }
    assert_eq!(opaque, signed);
    // Nobody else's business.
    assert_eq!(house.server.clients().list().await.unwrap().len(), 4);
    let web = [("client_id", harness::WEB), ("client_secret", harness::WEB_SECRET), ("token", token)];
    assert_eq!(house.post("/introspect", &web).await.json, json!({"active": false}));
    let stored = house.everything_stored().await;
    assert!(!stored.windows(40).any(|bytes| bytes == &token.as_bytes()[4..44]));
}

#[tokio::test]
async fn every_grant_gives_them() {
    let house = furnished().await;
    let client = NewClient {
        id: "tv".to_owned(),
        grant_types: vec![DEVICE.to_owned(), "refresh_token".to_owned()],
        ..NewClient::default()
    };
    house.server.clients().add(client).await.unwrap();
    let good = async |tokens: &Answer, subject: Option<&str>| {
        assert_eq!(tokens.status, 200, "{:?}", tokens.json);
        let token = tokens.text("access_token");
        assert!(is_opaque(token), "{token}");
        let told = told(&house, token).await;
        assert_eq!(told["active"], true, "{told}");
        assert!(subject.is_none_or(|subject| told["sub"] == subject), "{told}");
        assert!(is_good_here(&house, token).await);
    };
    let tokens = house.tokens().await;
    good(&tokens, None).await;
    good(&house.refresh(NATIVE, tokens.text("refresh_token")).await, None).await;
    good(&ask(&house, "/token", &[("grant_type", "client_credentials")]).await, Some(RS)).await;
    let begun = house.post("/device_authorization", &[("client_id", "tv")]).await;
    let login = Person::new().open(begun.text("verification_uri_complete")).await;
    let consent = login.form().set("username", USER).set("password", PASSWORD).submit().await;
    consent.form().press("decision", "allow").submit().await;
    let poll = [("grant_type", DEVICE), ("client_id", "tv"), ("device_code", begun.text("device_code"))];
    let first = house.post("/token", &poll).await;
    good(&first, None).await;
    // An answer that was lost: another access token, the same refresh token.
    house.advance(5);
    let again = house.post("/token", &poll).await;
    good(&again, None).await;
    assert_eq!(again.text("refresh_token"), first.text("refresh_token"));
    // Exchanged from a JWT, and for one.
    let jwt = exchange(&house, tokens.text("access_token"), &second(&house), JWT).await;
    assert!(jwt.status == 200 && !is_opaque(jwt.text("access_token")), "{:?}", jwt.json);
    let back = exchange(&house, jwt.text("access_token"), &house.resource(), ACCESS_TOKEN).await;
    good(&back, None).await;
    let told = told(&house, back.text("access_token")).await;
    assert_eq!((&told["act"]["sub"], &told["client_id"]), (&json!(RS), &json!(RS)));
}

#[tokio::test]
async fn an_exchange_takes_what_is_alive_and_gives_no_jwt_for_an_opaque_resource() {
    let house = furnished().await;
    let shown = house.tokens().await.text("access_token").to_owned();
    let refused = exchange(&house, &shown, &house.resource(), JWT).await;
    assert_eq!(refused.error(), (400, "invalid_request"));
    let mut other = shown.clone();
    other.replace_range(10..11, if &shown[10..11] == "A" { "B" } else { "A" });
    assert_eq!(exchange(&house, &other, &second(&house), JWT).await.error(), (400, "invalid_grant"));
    let got = exchange(&house, &shown, &house.resource(), ACCESS_TOKEN).await;
    assert!(is_opaque(got.text("access_token")));
    // What came of it ends with it.
    let form = [("client_id", NATIVE), ("token", shown.as_str())];
    assert_eq!(house.post("/revoke", &form).await.status, 200);
    assert_eq!(told(&house, got.text("access_token")).await, json!({"active": false}));
    assert_eq!(exchange(&house, &shown, &second(&house), JWT).await.error(), (400, "invalid_grant"));
    let late = house.tokens().await.text("access_token").to_owned();
    house.advance(600);
    assert_eq!(exchange(&house, &late, &second(&house), JWT).await.error(), (400, "invalid_grant"));
}

#[tokio::test]
async fn of_several_resources_one_is_enough() {
    let house = furnished().await;
    let mut request = house.request();
    request.push(("resource", second(&house)));
    let tokens = house.redeem(&house.code_for(&request).await).await;
    let token = tokens.text("access_token");
    assert!(is_opaque(token));
    let audience = json!([house.resource(), second(&house)]);
    assert_eq!(told(&house, token).await["aud"], audience);
    // Narrowed to the one with JWTs it is a JWT, and nothing of the other is in it.
    let (refresh, second) = (tokens.text("refresh_token"), second(&house));
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", NATIVE),
        ("refresh_token", refresh),
        ("resource", &second),
    ];
    let narrowed = house.post("/token", &form).await;
    assert!(!is_opaque(narrowed.text("access_token")));
    assert_eq!(told(&house, narrowed.text("access_token")).await["aud"], second);
}

#[tokio::test]
async fn the_key_that_it_is_bound_to_is_told() {
    let house = furnished().await;
    let key = SigningKey::generate_es256().unwrap();
    let code = house.code().await;
    let send = async |nonce: Option<&str>, jti: &str| {
        let url = house.url("/token").parse().unwrap();
        let now = house.clock.now();
        let proof = Proof { method: &http::Method::POST, url: &url, access_token: None, nonce, jti, now };
        let request = house.http.post(house.url("/token")).header("dpop", proof.sign(&key).unwrap());
        house.send(request.form(&redemption(&code))).await
    };
    let nonce = send(None, "1").await.header("dpop-nonce").unwrap().to_owned();
    let tokens = send(Some(&nonce), "2").await;
    assert_eq!(tokens.text("token_type"), "DPoP");
    assert!(is_opaque(tokens.text("access_token")));
    let told = told(&house, tokens.text("access_token")).await;
    assert_eq!((&told["token_type"], &told["cnf"]["jkt"]), (&json!("DPoP"), &json!(key.thumbprint())));
}

// Row 23 of never-again.
#[tokio::test]
async fn every_truncation_extension_and_flip_is_inactive() {
    let house = furnished().await;
    let token = house.tokens().await.text("access_token").to_owned();
    let mut others: Vec<String> = (1..token.len()).map(|length| token[..length].to_owned()).collect();
    others.extend((1..token.len()).map(|from| token[from..].to_owned()));
    others.extend(["A", "=", "-", " ", "."].map(|more| format!("{token}{more}")));
    for at in 0..token.len() {
        for bit in 0..7 {
            let mut other = token.as_bytes().to_vec();
            other[at] ^= 1 << bit;
            others.extend(String::from_utf8(other));
        }
    }
    others.push(token.to_ascii_uppercase());
    others.push(token.repeat(2));
    for other in others.iter().filter(|other| !other.chars().any(char::is_control)) {
        assert_eq!(told(&house, other).await, json!({"active": false}), "{other}");
        assert_eq!(house.server.opaque_tokens().find(other).await.unwrap(), None, "{other}");
    }
    assert_eq!(told(&house, &token).await["active"], true);
}

/// What can happen to a token, each of it alone.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Nothing,
    AnotherClientRevokes,
    Expires,
    IsRevoked,
    GrantIsRevoked,
    ClientIsDisabled,
    ClientIsRemoved,
    UserIsDisabled,
    UserIsRemoved,
    AllIsEnded,
}

// Row 32 of never-again: one truth, for every layer, also from another process.
#[tokio::test]
async fn introspection_and_the_resource_server_agree() {
    use Fate::*;
    for fate in [
        Nothing,
        AnotherClientRevokes,
        Expires,
        IsRevoked,
        GrantIsRevoked,
        ClientIsDisabled,
        ClientIsRemoved,
        UserIsDisabled,
        UserIsRemoved,
        AllIsEnded,
    ] {
        let house = furnished().await;
        let tokens = house.tokens().await;
        let token = tokens.text("access_token").to_owned();
        let elsewhere = house.store().await;
        let revoke = async |client: &str, token: &str| {
            assert_eq!(house.post("/revoke", &[("client_id", client), ("token", token)]).await.status, 200);
        };
        match fate {
            Nothing => {}
            AnotherClientRevokes => revoke(OTHER, &token).await,
            Expires => house.advance(600),
            IsRevoked => revoke(NATIVE, &token).await,
            GrantIsRevoked => revoke(NATIVE, tokens.text("refresh_token")).await,
            ClientIsDisabled => drop(elsewhere.clients().disable(NATIVE).await.unwrap()),
            ClientIsRemoved => drop(elsewhere.clients().remove(NATIVE).await.unwrap()),
            UserIsDisabled => drop(elsewhere.users().disable(USER).await.unwrap()),
            UserIsRemoved => drop(elsewhere.users().remove(USER).await.unwrap()),
            AllIsEnded => drop(elsewhere.end_all_grants().await.unwrap()),
        }
        let told = told(&house, &token).await["active"].as_bool().unwrap();
        assert_eq!(told, is_good_here(&house, &token).await, "{fate:?}");
        assert_eq!(told, matches!(fate, Nothing | AnotherClientRevokes), "{fate:?}");
    }
}

#[tokio::test]
async fn a_token_of_a_client_itself_ends_with_it() {
    let house = furnished().await;
    let client = NewClient {
        id: "robot".to_owned(),
        secret: Some(Secret::new("beep")),
        grant_types: vec!["client_credentials".to_owned()],
        ..NewClient::default()
    };
    house.server.clients().add(client).await.unwrap();
    let form = [("grant_type", "client_credentials"), ("client_id", "robot"), ("client_secret", "beep")];
    let tokens = house.post("/token", &form).await;
    assert_eq!(told(&house, tokens.text("access_token")).await["sub"], "robot");
    assert!(house.server.clients().disable("robot").await.unwrap());
    assert_eq!(told(&house, tokens.text("access_token")).await, json!({"active": false}));
    assert!(!is_good_here(&house, tokens.text("access_token")).await);
}

#[tokio::test]
async fn another_replica_knows_them_and_hears_of_their_end() {
    let house = furnished().await;
    let replica = house.replica().await;
    let token = house.tokens().await.text("access_token").to_owned();
    let there = replica.server.opaque_tokens();
    let claims = there.find(&token).await.unwrap().unwrap();
    assert_eq!(claims.client_id, NATIVE);
    assert_eq!(house.post("/revoke", &[("client_id", NATIVE), ("token", &token)]).await.status, 200);
    let heard = async {
        while replica.server.revocations().is_revoked(&claims.jti) != Ok(true) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(15), heard).await.unwrap();
    house.advance(600);
    house.server.keep_house().await.unwrap();
    assert_eq!(there.find(&token).await.unwrap(), None, "swept");
}

/// A change of the settings, or another name of the server: what was issued says what it said.
#[tokio::test]
async fn what_was_issued_counts_for_what_it_was_issued_for() {
    let house = furnished().await;
    let token = house.tokens().await.text("access_token").to_owned();
    let ask_at = async |address: &str| {
        let form = [("client_id", RS), ("client_secret", "s"), ("token", token.as_str())];
        house.send(house.http.post(format!("{address}/introspect")).form(&form)).await.json["active"].clone()
    };
    assert_eq!(ask_at(&house.replica().await.address).await, true, "this resource has JWTs by now");
    let other = house.replica_with(|settings| drop(settings.resources.remove(0))).await;
    assert_eq!(ask_at(&other.address).await, false, "this resource is gone");
    let other = house.replica_with(|settings| {
        settings.issuer = hallpass_protocol::issuer::Issuer::parse("http://127.0.0.1:1").unwrap();
    });
    assert_eq!(ask_at(&other.await.address).await, false, "another issuer");
}

#[tokio::test]
async fn where_it_cannot_be_kept_nothing_is_consumed() {
    let house = furnished().await;
    let (tokens, code) = (house.tokens().await, house.code().await);
    house.sql("ALTER TABLE access_tokens RENAME TO gone").await;
    assert_eq!(house.redeem(&code).await.error(), (503, "temporarily_unavailable"));
    let refresh = tokens.text("refresh_token");
    assert_eq!(house.refresh(NATIVE, refresh).await.error(), (503, "temporarily_unavailable"));
    let form = [("client_id", NATIVE), ("token", tokens.text("access_token"))];
    assert_eq!(house.post("/revoke", &form).await.error(), (503, "temporarily_unavailable"));
    let asked = ask(&house, "/introspect", &[("token", tokens.text("access_token"))]).await;
    assert_eq!(asked.error(), (503, "temporarily_unavailable"));
    assert!(house.server.opaque_tokens().find(tokens.text("access_token")).await.is_err());
    house.sql("ALTER TABLE gone RENAME TO access_tokens").await;
    assert_eq!(house.redeem(&code).await.status, 200);
    let next = house.refresh(NATIVE, refresh).await;
    assert_eq!(next.status, 200);
    assert_eq!(house.number("SELECT COUNT(*) FROM refresh_tokens WHERE used_at IS NOT NULL").await, 1);
}
