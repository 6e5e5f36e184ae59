//! stdio on one side, a guarded MCP server on the other.

use std::{io, time::Duration};

use hallpass_client::{Builder, connect};
use hallpass_testkit::authorization_server::Peer;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream, Lines, ReadHalf, WriteHalf},
    task::JoinHandle,
};

use crate::support::{Person, builder};

const STATELESS: &str = "2026-07-28";

/// The local MCP client's end of the bridge.
pub(crate) struct Local {
    lines: Lines<BufReader<ReadHalf<DuplexStream>>>,
    out: WriteHalf<DuplexStream>,
    bridge: JoinHandle<io::Result<()>>,
}

impl Local {
    fn start(builder: Builder) -> Self {
        Self::start_with(builder, connect::Options::default())
    }

    pub(crate) fn start_with(builder: Builder, options: connect::Options) -> Self {
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let (input, output) = tokio::io::split(theirs);
        let bridge = tokio::spawn(connect::run_with(builder.build().unwrap(), options, input, output));
        let (lines, out) = tokio::io::split(ours);
        Self { lines: BufReader::new(lines).lines(), out, bridge }
    }

    pub(crate) async fn say(&mut self, message: &Value) {
        self.out.write_all(format!("{message}\n").as_bytes()).await.unwrap();
    }

    pub(crate) async fn hear(&mut self) -> Value {
        let line = tokio::time::timeout(Duration::from_secs(20), self.lines.next_line()).await;
        serde_json::from_str(&line.expect("an answer").unwrap().expect("an open bridge")).unwrap()
    }

    pub(crate) async fn call(&mut self, id: u64, tool: &str) {
        self.say(&json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": tool}}))
            .await;
    }

    pub(crate) async fn handshake(&mut self) {
        let params = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
        self.say(&json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params})).await;
        assert_eq!(self.hear().await["result"]["protocolVersion"], "2025-11-25");
        self.say(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"})).await;
    }

    /// Closes the local side, and returns what still came.
    pub(crate) async fn close(mut self) -> Vec<Value> {
        self.out.shutdown().await.unwrap();
        let mut rest = Vec::new();
        while let Some(line) = self.lines.next_line().await.unwrap() {
            rest.push(serde_json::from_str(&line).unwrap());
        }
        self.bridge.await.unwrap().unwrap();
        rest
    }
}

async fn until(condition: impl Fn() -> bool) {
    let met = async {
        while !condition() {
            tokio::task::yield_now().await
        }
    };
    tokio::time::timeout(Duration::from_secs(20), met).await.expect("the condition is met in the end");
}

fn header<'a>(request: &'a (String, String, http::HeaderMap), name: &str) -> Option<&'a str> {
    request.2.get(name).map(|value| value.to_str().unwrap())
}

#[tokio::test]
async fn a_session_from_login_to_end() {
    let (peer, person) = (Peer::start().await, Person::default());
    let mut local = Local::start(builder(&peer, &person));
    local.handshake().await;
    assert_eq!(person.logins(), 1);
    local.call(1, "echo").await;
    assert_eq!(local.hear().await["result"]["params"]["name"], "echo");
    until(|| peer.seen().mcp.iter().any(|request| request.0 == "GET")).await;
    assert!(local.close().await.is_empty());

    let seen = peer.seen().mcp;
    let accepted: Vec<_> = seen.iter().filter(|r| r.2.contains_key("authorization")).collect();
    let (first, later) = accepted.split_first().unwrap();
    assert_eq!((first.1.as_str(), header(first, "mcp-session-id")), ("initialize", None));
    assert_eq!(header(first, "mcp-protocol-version"), None);
    for request in later {
        assert_eq!(header(request, "mcp-session-id"), Some("session-1"), "{request:?}");
        assert_eq!(header(request, "mcp-protocol-version"), Some("2025-11-25"), "{request:?}");
        assert_eq!(header(request, "mcp-method"), None);
    }
    let methods: Vec<_> = later.iter().map(|r| r.0.as_str()).collect();
    assert!(methods.contains(&"GET"), "the server's own stream is asked for, and 405 is taken for an answer");
    assert_eq!(methods.last(), Some(&"DELETE"));
}

#[tokio::test]
async fn a_slow_call_does_not_hold_up_others() {
    let (peer, person) = (Peer::start().await, Person::default());
    let mut local = Local::start(builder(&peer, &person));
    local.handshake().await;
    local.call(1, "slow").await;
    local.call(2, "echo").await;
    assert_eq!(local.hear().await["id"], 2);
    until(|| peer.seen().mcp.iter().filter(|r| r.1 == "tools/call").count() == 2).await;
    peer.release();
    assert_eq!(local.hear().await["id"], 1);
    local.close().await;
}

#[tokio::test]
async fn what_is_in_flight_when_stdin_closes_is_still_answered() {
    let (peer, person) = (Peer::start().await, Person::default());
    let mut local = Local::start(builder(&peer, &person));
    local.handshake().await;
    local.call(1, "slow").await;
    local.call(2, "stream").await;
    let releasing = peer.clone();
    let release = tokio::spawn(async move {
        loop {
            releasing.release();
            tokio::task::yield_now().await;
        }
    });
    let rest = local.close().await;
    release.abort();
    for id in [1, 2] {
        assert!(rest.iter().any(|message| message["id"] == id && message["result"].is_object()), "{rest:?}");
    }
}

#[tokio::test]
async fn streams_bring_notifications_and_are_taken_up_again() {
    let (peer, person) = (Peer::start().await, Person::default());
    let mut local = Local::start(builder(&peer, &person));
    local.handshake().await;
    local.call(1, "stream").await;
    assert_eq!(local.hear().await["method"], "notifications/progress");
    assert_eq!(local.hear().await["result"]["tool"], "stream");
    local.call(2, "broken").await;
    let answer = local.hear().await;
    assert_eq!((&answer["id"], &answer["result"]["tool"]), (&json!(2), &json!("broken")), "{answer}");
    local.close().await;
}

#[tokio::test]
async fn http_errors_answer_the_request_that_met_them() {
    let (peer, person) = (Peer::start().await, Person::default());
    let mut local = Local::start(builder(&peer, &person));
    local.handshake().await;
    local.call(7, "fails").await;
    let answer = local.hear().await;
    assert_eq!((&answer["id"], answer["error"]["code"].is_i64()), (&json!(7), true), "{answer}");
    local.out.write_all(b"not json\n\n").await.unwrap();
    assert_eq!(local.hear().await["error"]["code"], -32700);
    local.call(8, "echo").await;
    assert_eq!(local.hear().await["id"], 8, "and the bridge goes on");
    local.close().await;
}

#[tokio::test]
async fn unknown_messages_are_carried_as_they_are() {
    let (peer, person) = (Peer::start().await, Person::default());
    let mut local = Local::start(builder(&peer, &person));
    local.handshake().await;
    local
        .say(&json!({"jsonrpc": "2.0", "id": "x/1", "method": "vendor/thing", "params": {"deep": [1, null]}}))
        .await;
    let answer = local.hear().await;
    assert_eq!((&answer["id"], &answer["result"]["params"]["deep"]), (&json!("x/1"), &json!([1, null])));
    local.say(&json!({"jsonrpc": "2.0", "id": 5, "result": {"mine": true}})).await;
    local.close().await;
    assert!(
        peer.seen().mcp.iter().any(|r| r.0 == "POST" && r.1.is_empty()),
        "a response of the client arrives too"
    );
}

#[tokio::test]
async fn a_step_up_happens_within_a_call() {
    let (peer, person) = (Peer::start().await, Person::default());
    let mut local = Local::start(builder(&peer, &person));
    local.handshake().await;
    local.call(1, "write").await;
    assert!(local.hear().await["result"].is_object());
    assert_eq!(person.logins(), 2);
    local.close().await;
}

#[tokio::test]
async fn a_session_that_the_server_lost_is_opened_anew() {
    let (peer, person) = (Peer::start().await, Person::default());
    let mut local = Local::start(builder(&peer, &person));
    local.handshake().await;
    local.call(1, "echo").await;
    local.hear().await;
    peer.forget_session();
    for id in 2..6 {
        local.call(id, "echo").await;
    }
    let mut answered = Vec::new();
    for _ in 2..6 {
        let answer = local.hear().await;
        assert!(answer["result"].is_object(), "{answer}");
        answered.push(answer["id"].as_u64().unwrap());
    }
    answered.sort_unstable();
    assert_eq!(answered, [2, 3, 4, 5]);
    local.close().await;
    let seen = peer.seen().mcp;
    let count =
        |method: &str| seen.iter().filter(|r| r.1 == method && r.2.contains_key("authorization")).count();
    assert_eq!(
        (count("initialize"), count("notifications/initialized")),
        (2, 2),
        "one new session for all four"
    );
    assert_eq!(header(seen.last().unwrap(), "mcp-session-id"), Some("session-3"));
}

#[tokio::test]
async fn a_session_is_opened_anew_though_the_first_try_failed() {
    let error = json!({"jsonrpc": "2.0", "error": {"code": -32603, "message": "starting"}});
    for refusal in [(503, json!({})), (200, error)] {
        let (peer, person) = (Peer::start().await, Person::default());
        let mut local = Local::start(builder(&peer, &person));
        local.handshake().await;
        peer.forget_session();
        peer.script(|script| script.initialize = Some(refusal.clone()));
        local.call(1, "echo").await;
        assert!(local.hear().await["error"].is_object(), "{refusal:?}");
        peer.script(|script| script.initialize = None);
        local.call(2, "echo").await;
        assert!(local.hear().await["result"].is_object(), "{refusal:?}");
        local.close().await;
        assert_eq!(header(peer.seen().mcp.last().unwrap(), "mcp-session-id"), Some("session-3"));
    }
}

/// What a server sends is held in memory until it is whole.
#[tokio::test]
async fn a_message_without_end_is_not_read_to_the_end() {
    let (peer, person) = (Peer::start().await, Person::default());
    let mut local = Local::start(builder(&peer, &person));
    local.handshake().await;
    for (id, tool) in [(1, "long"), (2, "long event")] {
        local.call(id, tool).await;
        let answer = local.hear().await;
        assert_eq!((&answer["id"], answer["error"]["code"].is_i64()), (&json!(id), true), "{tool}");
    }
    local.call(3, "many events").await;
    for _ in 0..2 {
        assert_eq!(local.hear().await["method"], "x");
    }
    assert_eq!(local.hear().await["result"]["tool"], "many events", "the limit is for each message");
    local.close().await;
}

#[tokio::test]
async fn a_failed_login_is_told_to_the_local_client() {
    let (peer, person) = (Peer::start().await, Person::default());
    peer.script(|script| script.resource = Some("https://evil.example/mcp".into()));
    let mut local = Local::start(builder(&peer, &person));
    local.call(1, "echo").await;
    let answer = local.hear().await;
    assert_eq!(answer["id"], 1);
    assert!(answer["error"]["message"].as_str().unwrap().contains("https://evil.example/mcp"), "{answer}");
    local.close().await;
}

pub(crate) fn stateless(id: u64, tool: &str) -> Value {
    let meta = json!({"io.modelcontextprotocol/protocolVersion": STATELESS});
    json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": tool, "_meta": meta}})
}

#[tokio::test]
async fn stateless_messages_carry_their_own_headers() {
    let (peer, person) = (Peer::start().await, Person::default());
    let mut local = Local::start(builder(&peer, &person));
    local.say(&stateless(1, "wétter")).await;
    local.hear().await;
    local.close().await;
    let seen = peer.seen().mcp;
    let request = seen.last().unwrap();
    assert_eq!(header(request, "mcp-protocol-version"), Some(STATELESS));
    assert_eq!(header(request, "mcp-method"), Some("tools/call"));
    assert_eq!(header(request, "mcp-name"), Some("=?base64?d8OpdHRlcg==?="));
    assert!(seen.iter().all(|r| r.0 == "POST"), "no session: no stream, no DELETE");
}

#[tokio::test]
async fn a_stateless_request_is_cancelled_by_closing_and_a_session_is_told() {
    let (peer, person) = (Peer::start().await, Person::default());
    let cancel =
        |id: u64| json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id}});
    let calls = |peer: &Peer, method: &str| peer.seen().mcp.iter().filter(|r| r.1 == method).count();

    let mut local = Local::start(builder(&peer, &person));
    local.say(&stateless(1, "slow")).await;
    until(|| calls(&peer, "tools/call") == 2).await; // the 401, and the call
    local.say(&cancel(1)).await;
    assert!(local.close().await.is_empty(), "the bridge does not wait for it, and delivers nothing");
    assert_eq!(calls(&peer, "notifications/cancelled"), 0);

    let mut local = Local::start(builder(&peer, &person));
    local.handshake().await;
    local.call(1, "slow").await;
    until(|| calls(&peer, "tools/call") == 3).await;
    local.say(&cancel(1)).await;
    assert!(local.close().await.is_empty(), "nor here, though the server never answers");
    assert_eq!(calls(&peer, "notifications/cancelled"), 1);
}

/// A web server of another kind, or another address of it.
#[tokio::test]
async fn where_no_mcp_server_is_the_first_answer_says_where_to_look() {
    for status in [404, 501] {
        let (peer, person) = (Peer::start().await, Person::default());
        peer.script(|script| script.status = Some(status));
        let mut local = Local::start(builder(&peer, &person));
        local.say(&json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {}})).await;
        let message = local.hear().await["error"]["message"].as_str().unwrap().to_owned();
        assert!(message.contains(&status.to_string()) && message.contains("at /mcp"), "{message}");
        local.close().await;
    }
}
