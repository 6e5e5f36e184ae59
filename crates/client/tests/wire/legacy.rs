//! HTTP+SSE of MCP 2024-11-05, and which tools the local client sees.

use hallpass_client::connect::{Options, Tools, Transport};
use hallpass_testkit::upstream::{Events, Upstream, plain};
use http::StatusCode;
use serde_json::{Value, json};

use crate::{
    connect::Local,
    support::{Person, builder},
};

fn start(upstream: &Upstream, transport: Transport) -> Local {
    let client = hallpass_client::Client::builder(upstream.url("/sse").as_str()).unwrap();
    Local::start_with(client, Options { transport, ..Options::default() })
}

fn request(id: u64, method: &str) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": method, "params": {}})
}

fn event(message: &Value) -> String {
    format!("event: message\ndata: {message}\n\n")
}

fn answer(id: u64) -> String {
    event(&json!({"jsonrpc": "2.0", "id": id, "result": {"n": id}}))
}

/// A stream that names its endpoint, and 202 for so many messages.
fn stream(upstream: &Upstream, endpoint: &str, messages: usize) -> Events {
    let events = upstream.answer_with_events();
    events.release(format!("event: endpoint\ndata: {endpoint}\n\n"));
    for _ in 0..messages {
        upstream.answer(plain(StatusCode::ACCEPTED, ""));
    }
    events
}

/// MCP 2025-11-25, "Backwards Compatibility": POST first, then GET.
#[tokio::test]
async fn an_older_server_is_found_out() {
    for status in [400, 404, 405] {
        let upstream = Upstream::start().await;
        upstream.answer(plain(StatusCode::from_u16(status).unwrap(), ""));
        let events = stream(&upstream, "/messages?session=1", 2);
        let mut local = start(&upstream, Transport::Auto);
        local.say(&request(1, "initialize")).await;
        upstream.until_received(3).await;
        events.release(answer(1));
        assert_eq!(local.hear().await["result"]["n"], 1, "{status}");
        local.say(&request(2, "tools/list")).await;
        upstream.until_received(4).await;
        events.release(event(&json!({"jsonrpc": "2.0", "method": "notifications/x"})));
        events.release(answer(2));
        assert_eq!(local.hear().await["method"], "notifications/x");
        assert_eq!(local.hear().await["result"]["n"], 2);
        assert!(local.close().await.is_empty());
        let seen: Vec<_> = upstream.received().iter().map(|r| format!("{} {}", r.method, r.target)).collect();
        assert_eq!(
            seen,
            ["POST /sse", "GET /sse", "POST /messages?session=1", "POST /messages?session=1"],
            "{status}"
        );
    }
}

#[tokio::test]
async fn a_server_that_only_refuses_is_not_taken_for_an_older_one() {
    for transport in [Transport::Auto, Transport::Http] {
        let upstream = Upstream::start().await;
        upstream.answer(plain(StatusCode::NOT_FOUND, ""));
        upstream.answer(plain(StatusCode::METHOD_NOT_ALLOWED, ""));
        let mut local = start(&upstream, transport);
        local.say(&request(1, "initialize")).await;
        let message = local.hear().await["error"]["message"].to_string();
        assert!(message.contains("404"), "{message}");
        local.close().await;
        let gets = upstream.received().iter().filter(|r| r.method == http::Method::GET).count();
        assert_eq!(gets, usize::from(transport == Transport::Auto));
    }
}

/// A token goes to the server that it was issued for.
#[tokio::test]
async fn an_endpoint_of_another_origin_gets_nothing() {
    let (upstream, elsewhere) = (Upstream::start().await, Upstream::start().await);
    let _events = stream(&upstream, elsewhere.url("/messages").as_str(), 0);
    let mut local = start(&upstream, Transport::Sse);
    local.say(&request(1, "initialize")).await;
    assert!(local.hear().await["error"]["message"].as_str().unwrap().contains("another origin"));
    local.close().await;
    assert!(elsewhere.received().is_empty());
}

#[tokio::test]
async fn a_lost_stream_is_opened_anew_and_what_was_awaited_is_answered() {
    let upstream = Upstream::start().await;
    let events = stream(&upstream, "/messages?session=1", 2);
    let mut local = start(&upstream, Transport::Sse);
    local.say(&request(1, "initialize")).await;
    upstream.until_received(2).await;
    events.release(answer(1));
    local.hear().await;
    local.say(&request(2, "tools/list")).await;
    upstream.until_received(3).await;
    drop(events);
    assert!(local.hear().await["error"]["message"].as_str().unwrap().contains("lost"));
    // A new stream, `initialize`, `initialized`, then the request.
    let events = stream(&upstream, "/messages?session=2", 3);
    local.say(&request(3, "tools/list")).await;
    upstream.until_received(5).await;
    events.release(answer(1));
    upstream.until_received(7).await;
    events.release(answer(3));
    assert_eq!(local.hear().await["id"], 3, "the second answer to `initialize` is nobody's");
    local.close().await;
    assert!(upstream.received()[4..].iter().all(|r| r.target.query() == Some("session=2")));
}

/// MCP 2024-11-05, "Lifecycle".
#[tokio::test]
async fn a_session_that_is_not_granted_again_is_not_confirmed() {
    let upstream = Upstream::start().await;
    let events = stream(&upstream, "/messages?session=1", 2);
    let mut local = start(&upstream, Transport::Sse);
    local.say(&request(1, "initialize")).await;
    upstream.until_received(2).await;
    events.release(answer(1));
    local.hear().await;
    local.say(&request(2, "tools/list")).await;
    upstream.until_received(3).await;
    drop(events);
    local.hear().await;
    let events = stream(&upstream, "/messages?session=2", 2);
    local.say(&request(3, "tools/list")).await;
    upstream.until_received(5).await;
    events.release(event(&json!({"jsonrpc": "2.0", "id": 1, "error": {"code": -1, "message": "no"}})));
    upstream.until_received(6).await;
    events.release(answer(3));
    assert_eq!(local.hear().await["id"], 3);
    local.close().await;
    let bodies: Vec<_> =
        upstream.received().iter().map(|r| String::from_utf8_lossy(&r.body).into_owned()).collect();
    assert!(!bodies.iter().any(|body| body.contains("notifications/initialized")), "{bodies:?}");
}

#[tokio::test]
async fn hidden_tools_are_neither_listed_nor_called() {
    let upstream = Upstream::start().await;
    let listed =
        json!({"jsonrpc": "2.0", "id": 1, "result": {"tools": [{"name": "read"}, {"name": "write"}]}});
    upstream.answer(plain(StatusCode::OK, listed.to_string()));
    let options = Options { tools: Tools::new(vec![], vec!["wr*".into()]), ..Options::default() };
    let client = hallpass_client::Client::builder(upstream.url("/mcp").as_str()).unwrap();
    let mut local = Local::start_with(client, options);
    local.say(&request(1, "tools/list")).await;
    assert_eq!(local.hear().await["result"]["tools"], json!([{"name": "read"}]));
    local.call(2, "write").await;
    assert_eq!(local.hear().await["error"]["code"], -32602);
    local.call(1, "read").await;
    assert!(local.hear().await["result"].is_object());
    local.close().await;
    assert_eq!(upstream.received().len(), 2, "the call of a hidden tool is not carried");
}

#[tokio::test]
async fn fields_go_to_the_server_and_to_nobody_else() {
    let (peer, person) = (hallpass_testkit::authorization_server::Peer::start().await, Person::default());
    let headers = http::HeaderMap::from_iter([("x-tenant".parse().unwrap(), "blue".parse().unwrap())]);
    let mut local = Local::start_with(
        builder(&peer, &person).headers(headers).scopes("extra".parse().unwrap()),
        Options::default(),
    );
    local.handshake().await;
    local.close().await;
    let seen = peer.seen();
    assert!(seen.mcp.iter().all(|request| request.2.get("x-tenant").is_some_and(|value| value == "blue")));
    assert_eq!(seen.authorizations[0]["scope"], "extra read");
}
