//! The tower layer, over hyper-util's client and over services that only count.

use bytes::Bytes;
use hallpass_client::{
    Error, Rule,
    tower::{AuthorizeError, AuthorizeLayer},
};
use hallpass_testkit::authorization_server::Peer;
use http::{Request, Response};
use http_body_util::Full;
use hyper_util::{client::legacy, rt::TokioExecutor};
use serde_json::json;
use tower::{Layer as _, ServiceExt as _, service_fn};

use crate::support::{Person, builder};

type Http = legacy::Client<legacy::connect::HttpConnector, Full<Bytes>>;

fn http() -> Http {
    legacy::Client::builder(TokioExecutor::new()).build_http()
}

fn call(url: &str, tool: &str) -> Request<Full<Bytes>> {
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool}});
    let request = Request::post(url).header("content-type", "application/json");
    request.body(Full::from(body.to_string())).unwrap()
}

#[tokio::test]
async fn it_logs_in_refreshes_and_steps_up() {
    let (peer, person) = (Peer::start().await, Person::default());
    let service = AuthorizeLayer::new(builder(&peer, &person).build().unwrap()).layer(http());
    let status = async |tool| service.clone().oneshot(call(&peer.url(), tool)).await.unwrap().status();
    assert_eq!((status("echo").await.as_u16(), person.logins()), (200, 1));
    peer.expire_access_tokens();
    assert_eq!((status("echo").await.as_u16(), person.logins()), (200, 1));
    assert_eq!(peer.seen().grants("refresh_token"), 1);
    assert_eq!((status("write").await.as_u16(), person.logins()), (200, 2));
}

#[tokio::test]
async fn a_body_without_a_copy_is_not_sent_twice() {
    let (peer, person) = (Peer::start().await, Person::default());
    let client = builder(&peer, &person).build().unwrap();
    let service = AuthorizeLayer::copying(client, |_| None).layer(http());
    let refused = service.clone().oneshot(call(&peer.url(), "echo")).await.unwrap_err();
    assert!(matches!(refused, AuthorizeError::Authorization(Error::NotRepeatable)), "{refused}");
    assert_eq!((peer.seen().mcp.len(), person.logins()), (1, 1), "the token is there");
    assert_eq!(service.oneshot(call(&peer.url(), "echo")).await.unwrap().status(), 200);
    assert_eq!(peer.seen().mcp.len(), 2);
}

#[tokio::test]
async fn it_is_for_one_server_alone() {
    let (peer, person) = (Peer::start().await, Person::default());
    let client = builder(&peer, &person).build().unwrap();
    client.login().await.unwrap();
    let unreachable = service_fn(|_: Request<String>| async {
        panic!("nothing is sent elsewhere");
        #[allow(unreachable_code)]
        Ok::<Response<()>, std::io::Error>(Response::new(()))
    });
    let service = AuthorizeLayer::new(client).layer(unreachable);
    for foreign in ["http://127.0.0.1:1/mcp", "https://evil.example/mcp", "/mcp"] {
        let refused = service.clone().oneshot(Request::post(foreign).body(String::new()).unwrap()).await;
        assert!(
            matches!(
                refused,
                Err(AuthorizeError::Authorization(Error::Misconfigured {
                    rule: Rule::ForeignRequest(_),
                    ..
                }))
            ),
            "{foreign}"
        );
    }
}

#[tokio::test]
async fn a_failure_below_is_passed_on() {
    let (peer, person) = (Peer::start().await, Person::default());
    let client = builder(&peer, &person).build().unwrap();
    let failing =
        service_fn(|_: Request<String>| async { Err::<Response<()>, _>(std::io::Error::other("down")) });
    let request = Request::post(peer.url()).body(String::new()).unwrap();
    let failed = AuthorizeLayer::new(client).layer(failing).oneshot(request).await.unwrap_err();
    assert!(matches!(failed, AuthorizeError::Service(ref error) if error.to_string() == "down"), "{failed}");
}
