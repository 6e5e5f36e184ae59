//! The fields that authorize a request of somebody else's HTTP client.

use hallpass_client::{Error, Mode, Rule, SecretSource, store::MemoryStore};
use hallpass_testkit::authorization_server::Peer;
use http::Method;

use crate::support::{Person, builder};

#[tokio::test]
async fn they_let_another_client_in_and_ask_nobody() {
    let (peer, person) = (Peer::start().await, Person::default());
    let client = builder(&peer, &person).build().unwrap();
    let url = client.server().url().clone();
    let refused = client.headers(&Method::POST, &url).await.unwrap_err();
    assert!(matches!(refused, Error::LoginNeeded { .. }), "{refused}");
    assert_eq!(person.logins(), 0);

    client.login().await.unwrap();
    let headers = client.headers(&Method::POST, &url).await.unwrap();
    assert!(headers["authorization"].is_sensitive());
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
    let request =
        reqwest::Client::new().post(url).headers(headers).header("content-type", "application/json");
    assert_eq!(request.body(body).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn they_are_for_this_server_alone() {
    let (peer, person) = (Peer::start().await, Person::default());
    let client = builder(&peer, &person).build().unwrap();
    client.login().await.unwrap();
    for foreign in ["https://evil.example/mcp", "http://127.0.0.1:1/mcp", &format!("{}/other", peer.origin)] {
        let refused = client.headers(&Method::GET, &foreign.parse().unwrap()).await.unwrap_err();
        assert!(matches!(refused, Error::Misconfigured { rule: Rule::ForeignRequest(_), .. }), "{foreign}");
    }
}

/// What the caller names comes before what is stored.
#[tokio::test]
async fn they_follow_the_mode() {
    let (peer, person, store) = (Peer::start().await, Person::default(), MemoryStore::new());
    builder(&peer, &person).store(store.clone()).build().unwrap().login().await.unwrap();
    let fields = async |mode| {
        let client = builder(&peer, &person).store(store.clone()).mode(mode).build().unwrap();
        client.headers(&Method::GET, client.server().url()).await.unwrap()
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "given").unwrap();
    assert_eq!(fields(Mode::Bearer(SecretSource::File(file))).await["authorization"], "Bearer given");
    assert!(fields(Mode::None).await.is_empty());
    assert!(fields(Mode::Auto).await["authorization"].to_str().unwrap().starts_with("Bearer "));
}
