//! The fields that authorize a request of somebody else's HTTP client.

use hallpass_client::{Error, Rule};
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
