//! What waits for what between stdio and a server, and what does not.

use hallpass_client::{
    Client,
    connect::{Options, Transport},
};
use hallpass_testkit::upstream::{Upstream, plain};
use http::StatusCode;
use serde_json::{Value, json};

use crate::connect::{Local, stateless};

fn start(upstream: &Upstream, transport: Transport) -> Local {
    let client = Client::builder(upstream.url("/mcp").as_str()).unwrap();
    Local::start_with(client, Options { transport, ..Options::default() })
}

fn request(id: u64, method: &str) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": method, "params": {}})
}

fn initialized() -> Value {
    json!({"jsonrpc": "2.0", "method": "notifications/initialized"})
}

fn agreed(id: u64) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "result": {"protocolVersion": "2025-11-25"}})
}

fn event(message: &Value) -> String {
    format!("id: 1\ndata: {message}\n\n")
}

/// HTTP and JSON-RPC methods, as they came.
fn seen(upstream: &Upstream) -> Vec<String> {
    let method = |body: &[u8]| {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        body["method"].as_str().unwrap_or_default().to_owned()
    };
    upstream.received().iter().map(|r| format!("{} {}", r.method, method(&r.body))).collect()
}

/// MCP 2025-11-25, "Initialization": whoever pipes everything at once has said nothing wrong.
#[tokio::test]
async fn nothing_overtakes_the_answer_to_initialize() {
    let upstream = Upstream::start().await;
    let opening = upstream.answer_with_events();
    for (status, body) in [
        (StatusCode::OK, json!({"jsonrpc": "2.0", "id": 9, "result": {}}).to_string()),
        (StatusCode::ACCEPTED, String::new()),
        (StatusCode::METHOD_NOT_ALLOWED, String::new()),
        (StatusCode::OK, json!({"jsonrpc": "2.0", "id": 2, "result": {}}).to_string()),
    ] {
        upstream.answer(plain(status, body));
    }
    let mut local = start(&upstream, Transport::Http);
    let first = [request(1, "initialize"), initialized(), request(2, "tools/list"), stateless(9, "alone")];
    for (said, message) in first.iter().enumerate() {
        local.say(message).await;
        if said == 0 {
            // What stands alone may come first, and the upstream answers in turn.
            upstream.until_received(1).await;
        }
    }
    // What stands alone needs nothing that is settled there.
    assert_eq!(local.hear().await["id"], 9);
    opening.release(event(&agreed(1)));
    assert_eq!(local.hear().await["id"], 1);
    assert_eq!(local.hear().await["id"], 2);
    local.close().await;
    let expected =
        ["POST initialize", "POST tools/call", "POST notifications/initialized", "GET ", "POST tools/list"];
    assert_eq!(seen(&upstream), expected);
    assert_eq!(upstream.received()[4].headers["mcp-protocol-version"], "2025-11-25");
}

#[tokio::test]
async fn nor_does_anything_over_the_older_transport() {
    let upstream = Upstream::start().await;
    let events = upstream.answer_with_events();
    events.release("event: endpoint\ndata: /messages\n\n".to_owned());
    (0..4).for_each(|_| upstream.answer(plain(StatusCode::ACCEPTED, "")));
    let mut local = start(&upstream, Transport::Sse);
    local.say(&request(1, "initialize")).await;
    upstream.until_received(2).await;
    for message in [request(2, "tools/list"), stateless(9, "alone")] {
        local.say(&message).await;
    }
    let answer = |id: u64| event(&json!({"jsonrpc": "2.0", "id": id, "result": {}}));
    for (id, next) in [(9, Some(10)), (10, None)] {
        upstream.until_received(3 + usize::from(next.is_none())).await;
        events.release(answer(id));
        assert_eq!(local.hear().await["id"], id);
        if let Some(next) = next {
            local.say(&stateless(next, "alone")).await;
        }
    }
    let mut expected = vec!["GET ", "POST initialize", "POST tools/call", "POST tools/call"];
    assert_eq!(seen(&upstream), expected);
    events.release(event(&agreed(1)));
    upstream.until_received(5).await;
    events.release(answer(2));
    let rest: Vec<_> = local.close().await.iter().map(|message| message["id"].clone()).collect();
    assert_eq!(rest, [1, 2]);
    expected.push("POST tools/list");
    assert_eq!(seen(&upstream), expected);
}

/// The official suite's own server does so, where the stream for what it says by itself comes late.
#[tokio::test]
async fn an_answer_on_another_stream_is_an_answer() {
    let upstream = Upstream::start().await;
    upstream.answer(plain(StatusCode::OK, agreed(0).to_string()));
    upstream.answer(plain(StatusCode::ACCEPTED, ""));
    let (own, calls) = (upstream.answer_with_events(), upstream.answer_with_events());
    let mut local = start(&upstream, Transport::Http);
    local.handshake().await;
    upstream.until_received(3).await;
    local.call(1, "echo").await;
    upstream.until_received(4).await;
    own.release(event(&json!({"jsonrpc": "2.0", "id": 1, "result": {}})));
    assert!(local.hear().await["result"].is_object());
    let closed = tokio::time::timeout(std::time::Duration::from_secs(20), local.close()).await;
    assert!(closed.expect("nobody waits for the stream of the call").is_empty());
    drop(calls);
}

#[tokio::test]
async fn the_reason_of_a_refusal_is_handed_on() {
    let upstream = Upstream::start().await;
    let own = json!({"jsonrpc": "2.0", "id": null, "error": {"code": -32600, "message": "no session"}});
    for (body, expected) in [
        ("no session".to_owned(), json!([-32000, "the server answered 400 Bad Request: no session"])),
        (own.to_string(), json!([-32600, "no session"])),
    ] {
        upstream.answer(plain(StatusCode::BAD_REQUEST, body));
        let mut local = start(&upstream, Transport::Http);
        local.say(&request(7, "tools/list")).await;
        let answer = local.hear().await;
        assert_eq!(answer["id"], 7);
        assert_eq!(json!([answer["error"]["code"], answer["error"]["message"]]), expected);
        local.close().await;
    }
}
