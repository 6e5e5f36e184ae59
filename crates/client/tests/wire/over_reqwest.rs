//! Requests over somebody else's reqwest client.

use bytes::Bytes;
use hallpass_client::Error;
use hallpass_testkit::authorization_server::Peer;

use crate::support::{Person, builder, call, list};

#[tokio::test]
async fn it_logs_in_refreshes_and_steps_up_over_the_callers_client() {
    let (peer, person) = (Peer::start().await, Person::default());
    let client = builder(&peer, &person).build().unwrap();
    let http = reqwest::Client::builder().user_agent("the caller's").build().unwrap();
    assert_eq!(client.execute(&http, list(&client)).await.unwrap().status(), 200);
    peer.expire_access_tokens();
    assert_eq!(client.execute(&http, list(&client)).await.unwrap().status(), 200);
    let write = call(&client, "tools/call", &serde_json::json!({"name": "write"}));
    assert_eq!(client.execute(&http, write).await.unwrap().status(), 200);
    let seen = peer.seen();
    assert_eq!((person.logins(), seen.grants("refresh_token")), (2, 1));
    assert!(seen.mcp.iter().all(|(.., headers)| headers["user-agent"] == "the caller's"));
}

#[tokio::test]
async fn a_streamed_body_is_not_sent_twice() {
    let (peer, person) = (Peer::start().await, Person::default());
    let client = builder(&peer, &person).build().unwrap();
    let http = reqwest::Client::new();
    let streamed = || {
        let mut request = list(&client);
        let body = Bytes::copy_from_slice(request.body().unwrap().as_bytes().unwrap());
        let chunks = futures_util::stream::iter([Ok::<_, std::io::Error>(body)]);
        *request.body_mut() = Some(reqwest::Body::wrap_stream(chunks));
        request
    };
    assert!(matches!(client.execute(&http, streamed()).await, Err(Error::NotRepeatable)));
    assert_eq!((peer.seen().mcp.len(), person.logins()), (1, 1), "the token is there");
    assert_eq!(client.execute(&http, streamed()).await.unwrap().status(), 200);
}
