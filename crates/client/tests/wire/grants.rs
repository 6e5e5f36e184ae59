use std::{sync::Arc, time::Duration};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use hallpass_client::{
    BuildError, Client, ClientAuthentication, ClientCredentials, EnterpriseManaged, Error, IdentityProvider,
    MachineClient, Mode, PrivateKey, Rule, SecretSource, Step, WorkloadIdentity,
    store::{MemoryStore, TokenStore as _},
};
use hallpass_protocol::{issuer::Issuer, jose::SigningKey, scope::ScopeSet, secret::Secret};
use hallpass_testkit::authorization_server::Peer;
use serde_json::{Value, json};

use crate::support::{clock, list};

const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

fn machine(authentication: ClientAuthentication) -> MachineClient {
    MachineClient { client_id: "robot".into(), authentication }
}

fn credentials(authentication: ClientAuthentication, issuer: Option<&str>) -> Mode {
    Mode::ClientCredentials(ClientCredentials {
        client: machine(authentication),
        issuer: issuer.map(|issuer| Issuer::parse(issuer).unwrap()),
        scope: None,
    })
}

fn secret() -> ClientAuthentication {
    ClientAuthentication::Secret(Secret::new("robot's secret"))
}

fn client(peer: &Peer, mode: Mode) -> Client {
    Client::builder(&peer.url()).unwrap().mode(mode).clock(clock().clock()).build().unwrap()
}

fn misconfigured(error: &Error) -> &Rule {
    match error {
        Error::Misconfigured { rule, .. } => rule,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_program_gets_its_token_without_a_person_and_renews_it() {
    let peer = Peer::start().await;
    peer.script(|s| s.metadata = json!({"token_endpoint_auth_methods_supported": ["client_secret_post"]}));
    let (clock, store) = (clock(), MemoryStore::new());
    let client = Client::builder(&peer.url())
        .unwrap()
        .mode(credentials(secret(), Some(&peer.origin)))
        .store(store.clone())
        .clock(clock.clock())
        .build()
        .unwrap();
    client.send(list(&client)).await.unwrap();
    let first = client.token().await.unwrap().token;
    clock.advance(Duration::from_secs(3580));
    assert_eq!(client.send(list(&client)).await.unwrap().status(), 200);
    assert_ne!(client.token().await.unwrap().token, first, "renewed before it ends");
    peer.expire_access_tokens();
    assert_eq!(client.send(list(&client)).await.unwrap().status(), 200);
    let seen = peer.seen();
    assert_eq!(
        (seen.grants("client_credentials"), seen.grants("refresh_token"), seen.registrations.len()),
        (3, 0, 0)
    );
    let asked = &seen.token_requests[0];
    assert_eq!(
        (asked["client_id"].as_str(), asked["client_secret"].as_str(), asked["scope"].as_str()),
        ("robot", "robot's secret", "read")
    );
    assert_eq!(asked["resource"], peer.url());
    assert!(store.read().unwrap().accounts().is_empty(), "nothing of it is written down");
}

/// For scripts, which send nothing before they ask.
#[tokio::test]
async fn a_program_asks_for_its_token_before_it_sends_anything() {
    let peer = Peer::start().await;
    peer.script(|s| s.metadata = json!({"token_endpoint_auth_methods_supported": ["client_secret_post"]}));
    let clock = clock();
    let mode = credentials(secret(), Some(&peer.origin));
    let client = Client::builder(&peer.url()).unwrap().mode(mode).clock(clock.clock()).build().unwrap();
    let first = client.token().await.unwrap().token;
    assert_eq!(client.token().await.unwrap().token, first, "one is enough");
    clock.advance(Duration::from_secs(3601));
    assert_ne!(client.token().await.unwrap().token, first, "it had ended");
    let url = client.server().url().clone();
    assert!(client.headers(&http::Method::POST, &url).await.unwrap().contains_key("authorization"));
    assert_eq!(peer.seen().grants("client_credentials"), 2);

    peer.script(|script| script.protected = false);
    let mode = credentials(secret(), Some(&peer.origin));
    let open = Client::builder(&peer.url()).unwrap().mode(mode).build().unwrap();
    assert!(matches!(open.token().await, Err(Error::LoginNeeded { .. })), "no token is good for nothing");
    assert_eq!(peer.seen().grants("client_credentials"), 2);
}

#[tokio::test]
async fn sixty_tasks_make_one_request_for_a_token() {
    let peer = Peer::start().await;
    let client = client(&peer, credentials(secret(), Some(&peer.origin)));
    peer.script(|s| s.metadata = json!({"token_endpoint_auth_methods_supported": ["client_secret_basic"]}));
    let calls = (0..60).map(|_| {
        let client = client.clone();
        tokio::spawn(async move { client.send(list(&client)).await.unwrap().status() })
    });
    for call in calls.collect::<Vec<_>>() {
        assert_eq!(call.await.unwrap(), 200);
    }
    assert_eq!(peer.seen().grants("client_credentials"), 1);
}

/// An MCP server can name any authorization server. It must not get a secret that is for another.
#[tokio::test]
async fn credentials_go_to_the_issuer_that_they_are_for() {
    let peer = Peer::start().await;
    let client = client(&peer, credentials(secret(), Some("https://as.example")));
    let error = client.send(list(&client)).await.unwrap_err();
    assert!(matches!(misconfigured(&error), Rule::ClientOfAnotherIssuer { .. }), "{error}");
    assert!(peer.seen().token_requests.is_empty());
}

/// Without a name, whatever server the MCP server names would get the secret.
#[tokio::test]
async fn a_secret_is_for_a_named_issuer() {
    let peer = Peer::start().await;
    let build = |mode| Client::builder(&peer.url()).unwrap().mode(mode);
    let refused = build(credentials(secret(), None)).build().unwrap_err();
    assert!(matches!(refused, BuildError::IssuerNeeded), "{refused}");
    let issuer = Issuer::parse("https://as.example").unwrap();
    let client = build(credentials(secret(), None)).authorization_server(issuer).build().unwrap();
    let error = client.send(list(&client)).await.unwrap_err();
    assert!(matches!(misconfigured(&error), Rule::NotOffered { .. }), "{error}");
    assert!(peer.seen().token_requests.is_empty());
    assert!(build(credentials(ClientAuthentication::None, None)).build().is_ok(), "nothing to lose");
}

/// Never again, row 48.
#[tokio::test]
async fn an_assertion_is_for_the_issuer_alone_and_for_one_use() {
    let peer = Peer::start().await;
    peer.script(|s| {
        s.metadata = json!({
            "token_endpoint_auth_methods_supported": ["private_key_jwt"],
            "token_endpoint_auth_signing_alg_values_supported": ["ES256"],
        });
    });
    let key = SigningKey::generate_es256().unwrap();
    let pem = format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
        base64::prelude::BASE64_STANDARD.encode(key.to_pkcs8().expose())
    );
    let signer = Arc::new(PrivateKey::from_pem(&Secret::new(pem), None, Some("k1".into())).unwrap());
    let client = client(&peer, credentials(ClientAuthentication::Assertion(signer), None));
    client.send(list(&client)).await.unwrap();
    peer.expire_access_tokens();
    client.send(list(&client)).await.unwrap();
    let seen = peer.seen();
    let claims: Vec<Value> =
        seen.token_requests.iter().map(|form| claims(&form["client_assertion"])).collect();
    for claims in &claims {
        assert_eq!(claims["aud"], json!(peer.origin), "one text: the issuer, not the token endpoint");
        assert_eq!((&claims["iss"], &claims["sub"]), (&json!("robot"), &json!("robot")));
        assert_eq!(claims["exp"], json!(1_000_060));
    }
    assert_ne!(claims[0]["jti"], claims[1]["jti"]);
    let asked = &seen.token_requests[0];
    assert_eq!(asked["client_assertion_type"], "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
    assert!(!asked.contains_key("client_id") && !asked.contains_key("client_secret"));
}

fn claims(jwt: &str) -> Value {
    let claims = jwt.split('.').nth(1).unwrap();
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap()
}

#[tokio::test]
async fn a_key_of_an_algorithm_that_is_not_taken_signs_nothing() {
    let peer = Peer::start().await;
    peer.script(|s| {
        s.metadata = json!({
            "token_endpoint_auth_methods_supported": ["private_key_jwt"],
            "token_endpoint_auth_signing_alg_values_supported": ["RS256"],
        });
    });
    let key = SigningKey::generate_es256().unwrap();
    let pem = format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
        base64::prelude::BASE64_STANDARD.encode(key.to_pkcs8().expose())
    );
    let signer = Arc::new(PrivateKey::from_pem(&Secret::new(pem), None, None).unwrap());
    let client = client(&peer, credentials(ClientAuthentication::Assertion(signer), None));
    let error = client.send(list(&client)).await.unwrap_err();
    assert!(matches!(misconfigured(&error), Rule::NoTokenEndpointAuth(_)), "{error}");
    assert!(peer.seen().token_requests.is_empty());
}

#[tokio::test]
async fn a_step_up_asks_for_more_by_the_same_grant() {
    let peer = Peer::start().await;
    let client = client(&peer, credentials(ClientAuthentication::None, None));
    let write = crate::support::call(&client, "tools/call", &json!({"name": "write"}));
    assert_eq!(client.send(write).await.unwrap().status(), 200);
    let scopes: Vec<_> = peer.seen().token_requests.iter().map(|form| form["scope"].clone()).collect();
    assert_eq!(scopes, ["read", "read write"]);
}

fn workload(assertion: SecretSource) -> Mode {
    Mode::WorkloadIdentity(WorkloadIdentity {
        client: machine(ClientAuthentication::None),
        assertion,
        issuer: None,
        scope: Some(ScopeSet::parse("jobs").unwrap()),
    })
}

fn jwt(audience: &str, id: u32) -> String {
    let claims = json!({"iss": "https://platform.example", "sub": "job", "aud": audience, "jti": id});
    format!("e30.{}.c2ln", BASE64_URL_SAFE_NO_PAD.encode(claims.to_string()))
}

#[tokio::test]
async fn a_workload_shows_the_assertion_that_its_platform_last_wrote() {
    let peer = Peer::start().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    let client = client(&peer, workload(SecretSource::File(path.clone())));
    for id in [1, 2] {
        std::fs::write(&path, jwt(&peer.origin, id) + "\n").unwrap();
        assert_eq!(client.send(list(&client)).await.unwrap().status(), 200);
        let sent = peer.seen().token_requests.pop().unwrap();
        assert_eq!(
            (sent["grant_type"].as_str(), sent["assertion"].as_str()),
            (JWT_BEARER, jwt(&peer.origin, id).as_str())
        );
        assert_eq!((sent["client_id"].as_str(), sent["scope"].as_str()), ("robot", "jobs"));
        peer.expire_access_tokens();
    }
}

#[tokio::test]
async fn a_refused_assertion_is_not_repeated_and_no_other_grant_is_tried() {
    for error in ["invalid_grant", "invalid_scope", "unauthorized_client", "unsupported_grant_type"] {
        let peer = Peer::start().await;
        peer.script(|script| script.grant = Some((400, json!({"error": error}))));
        let client = client(&peer, workload(SecretSource::Value(Secret::new(jwt(&peer.origin, 1)))));
        let refused = client.send(list(&client)).await.unwrap_err();
        assert!(matches!(&refused, Error::Denied { error: named, .. } if named == error), "{refused}");
        let seen = peer.seen();
        assert_eq!(
            (seen.token_requests.len(), seen.authorizations.len(), seen.registrations.len()),
            (1, 0, 0)
        );
    }
}

#[tokio::test]
async fn an_assertion_for_another_server_is_not_sent() {
    let peer = Peer::start().await;
    let foreign = SecretSource::Value(Secret::new(jwt("https://real.example", 1)));
    let client = client(&peer, workload(foreign));
    let error = client.send(list(&client)).await.unwrap_err();
    assert!(matches!(misconfigured(&error), Rule::ForeignAssertion { .. }), "{error}");
    assert!(peer.seen().token_requests.is_empty());
}

fn enterprise(provider: &Peer, peer: &Peer) -> Mode {
    Mode::EnterpriseManaged(EnterpriseManaged {
        identity_provider: IdentityProvider {
            issuer: Issuer::parse(&provider.origin).unwrap(),
            token_endpoint: None,
            client: MachineClient { client_id: "sso".into(), authentication: ClientAuthentication::None },
        },
        id_token: SecretSource::Value(Secret::new("the person's ID token")),
        client: machine(ClientAuthentication::None),
        issuer: Some(Issuer::parse(&peer.origin).unwrap()),
        scope: None,
    })
}

#[tokio::test]
async fn an_id_token_becomes_an_assertion_and_that_a_token() {
    let (provider, peer) = (Peer::start().await, Peer::start().await);
    let client = client(&peer, enterprise(&provider, &peer));
    assert_eq!(client.send(list(&client)).await.unwrap().status(), 200);
    let exchange = &provider.seen().token_requests[0];
    for (name, value) in [
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("requested_token_type", "urn:ietf:params:oauth:token-type:id-jag"),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:id_token"),
        ("subject_token", "the person's ID token"),
        ("audience", peer.origin.as_str()),
        ("resource", peer.url().as_str()),
        ("client_id", "sso"),
        ("scope", "read"),
    ] {
        assert_eq!(exchange[name], value);
    }
    let seen = peer.seen();
    let redeemed = &seen.token_requests[0];
    assert_eq!(redeemed["grant_type"], JWT_BEARER);
    assert_eq!(redeemed["assertion"], format!("assertion for {}", peer.origin));
    assert!(seen.token_requests.iter().all(|form| !form.contains_key("subject_token")));
}

#[tokio::test]
async fn what_is_no_identity_assertion_is_not_passed_on() {
    let (provider, peer) = (Peer::start().await, Peer::start().await);
    provider.script(|script| script.issued_token_type = "urn:ietf:params:oauth:token-type:access_token");
    let client = client(&peer, enterprise(&provider, &peer));
    let error = client.send(list(&client)).await.unwrap_err();
    assert!(matches!(misconfigured(&error), Rule::NotAnIdentityAssertion(_)), "{error}");
    assert!(peer.seen().token_requests.is_empty());
}

#[tokio::test]
async fn an_employer_that_says_no_is_heard() {
    let (provider, peer) = (Peer::start().await, Peer::start().await);
    provider.script(|script| script.grant = Some((400, json!({"error": "invalid_grant"}))));
    let client = client(&peer, enterprise(&provider, &peer));
    let error = client.send(list(&client)).await.unwrap_err();
    assert!(matches!(&error, Error::Denied { issuer, .. } if *issuer == provider.origin), "{error}");
    assert!(peer.seen().token_requests.is_empty());
    provider.script(|script| script.grant = Some((503, json!({}))));
    let error = client.send(list(&client)).await.unwrap_err();
    assert!(matches!(error, Error::Transient { step: Step::Exchange, .. }), "{error}");
}
