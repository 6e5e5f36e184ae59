//! A stdio server that knows 2026-07-28 alone, and sessions of clients that know `initialize`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // Tests fail by panicking.

mod support;

use futures_util::future::join_all;
use hallpass_gateway::{Limits, ProcessFor, StdioCommand, Upstream};
use http::StatusCode;
use serde_json::{Value, json};
use support::alone::{call, document};
use support::stdio::{Client, Events, modern};
use support::{Protected, protect, soon, text};

const EVERY: [ProcessFor; 3] = [ProcessFor::Session, ProcessFor::User, ProcessFor::Shared];
const META: &str = "io.modelcontextprotocol/";

fn gateway_of(kind: &str, process: ProcessFor) -> Protected {
    protect(Upstream::stdio(StdioCommand { process, ..modern(kind) }, Limits::default()), false)
}

fn gateway(process: ProcessFor) -> Protected {
    gateway_of("", process)
}

/// Begins a session with that `initialize`; what it was answered with.
async fn begin<'g>(gateway: &'g Protected, user: &str, params: Value) -> (Client<'g>, Value) {
    let token = gateway.token_for(user, "notes:read");
    let body = json!({"jsonrpc":"2.0","id":0,"method":"initialize","params":params});
    let response =
        gateway.send(gateway.request_as(&token, "POST").body(body.to_string().into()).unwrap()).await;
    let session = response.headers()["mcp-session-id"].clone();
    let answer = Events::of(response).rest().await.remove(0);
    (Client { gateway, token, session }, answer)
}

async fn capable<'g>(gateway: &'g Protected, user: &str) -> Client<'g> {
    let capabilities = json!({"sampling":{},"roots":{},"elicitation":{"url":{}}});
    begin(gateway, user, json!({"protocolVersion":"2025-11-25","capabilities":capabilities})).await.0
}

#[tokio::test]
async fn initialize_says_what_was_discovered() {
    for process in EVERY {
        let gateway = gateway(process);
        for (asked, heard) in
            [("2025-03-26", "2025-03-26"), ("2026-07-28", "2025-11-25"), ("x", "2025-11-25")]
        {
            let (_, answer) = begin(&gateway, "alice", json!({"protocolVersion":asked})).await;
            let said = &answer["result"];
            assert_eq!(said["protocolVersion"], heard);
            assert_eq!(said["serverInfo"]["name"], "echo");
            assert_eq!(said["instructions"], "Do.");
            assert_eq!(said["capabilities"]["extensions"], json!({"x":{}}));
            assert_eq!(said["capabilities"]["resources"]["subscribe"], true);
        }
    }
}

/// The server hears of each request whose it is; what a client writes there by itself does not count.
#[tokio::test]
async fn a_request_says_what_its_session_said() {
    for process in EVERY {
        let gateway = gateway(process);
        let client = json!({"name":"t","version":"1"});
        let params = json!({"protocolVersion":"2025-11-25","clientInfo":client,"capabilities":{"roots":{}}});
        let (session, _) = begin(&gateway, "alice", params).await;
        let forged = json!({"a":1,"_meta":{"b":2,format!("{META}clientCapabilities"):{"sampling":{}}}});
        let heard = session.result(1, "echo", forged).await;
        let meta = json!({
            "b":2, format!("{META}protocolVersion"):"2026-07-28", format!("{META}clientInfo"):client,
            format!("{META}clientCapabilities"):{"roots":{}},
        });
        assert_eq!(heard, json!({"sent":{"a":1,"_meta":meta}}));
        assert_eq!(session.result(2, "tools/list", json!({})).await, json!({"tools":[],"nextCursor":"2"}));
        assert_eq!(session.result(3, "ping", json!({})).await, json!({}));
        for method in ["server/discover", "subscriptions/listen", "tasks/get"] {
            let answer = Events::of(session.call(4, method, json!({})).await).rest().await.remove(0);
            assert_eq!(answer["error"]["code"], -32601, "{method}");
        }
        // Tasks that nobody asked for.
        let answer = Events::of(session.call(5, "start", json!({})).await).rest().await.remove(0);
        assert_eq!(answer["error"]["code"], -32603);
        // Requests that stand alone go to the same process.
        let own = session.result(6, "pid", json!({})).await;
        assert_eq!(document(call(&gateway, 1, "pid", json!({})).await).await.1["result"]["pid"], own["pid"]);
    }
}

#[tokio::test]
async fn log_messages_have_the_level_of_the_session() {
    let gateway = gateway(ProcessFor::User);
    let session = Client::begin(&gateway).await;
    assert_eq!(Events::of(session.call(1, "log", json!({})).await).rest().await.len(), 1);
    session.result(2, "logging/setLevel", json!({"level":"error"})).await;
    let events = Events::of(session.call(3, "log", json!({})).await).rest().await;
    assert_eq!(events[0]["params"]["level"], "error");
    assert_eq!(events.len(), 2);
    let answer = Events::of(session.call(4, "logging/setLevel", json!({"level":"loud"})).await).rest().await;
    assert_eq!(answer[0]["error"]["code"], -32602);
}

#[tokio::test]
async fn what_a_session_subscribes_to_it_hears_of_and_nobody_else() {
    for process in EVERY {
        let gateway = gateway(process);
        let (one, other) = (Client::begin(&gateway).await, Client::begin_as(&gateway, "bob").await);
        let (mut of_one, mut of_other) = (Events::of(one.listen().await), Events::of(other.listen().await));
        one.result(1, "resources/subscribe", json!({"uri":"notes://a"})).await;
        other.result(1, "resources/subscribe", json!({"uri":"notes://b"})).await;
        let refused = one.call(2, "resources/subscribe", json!({"uri":"none:a"})).await;
        assert_eq!(Events::of(refused).rest().await[0]["error"]["code"], -32602);
        let shared = process == ProcessFor::Shared;
        let touch = async || {
            for (n, session) in [&one, &other].into_iter().enumerate().skip(usize::from(shared)) {
                for uri in ["none:a", "notes://b", "notes://a"] {
                    session.result(10 + n as i64, "touch", json!({"uri":uri})).await;
                }
                session.result(10, "change", json!({})).await;
            }
        };
        for round in 0..2 {
            touch().await;
            for (events, uri) in [(&mut of_one, "notes://a"), (&mut of_other, "notes://b")] {
                let heard = soon(events.next()).await.unwrap();
                assert_eq!(heard["params"], json!({"uri":uri,"_meta":{}}), "{process:?}");
                assert_eq!(soon(events.next()).await.unwrap()["method"], "notifications/tools/list_changed");
            }
            if round == 0 {
                // The next process is told again.
                for session in [&one, &other].into_iter().skip(usize::from(shared)) {
                    drop(session.call(20, "die", json!({})).await);
                }
                for session in [&one, &other] {
                    let mut turns = 0;
                    loop {
                        let answer =
                            Events::of(session.call(21, "heard", json!({})).await).rest().await.remove(0);
                        let listening = answer["result"]["listening"].as_array().map_or(0, Vec::len);
                        if listening == if shared { 4 } else { 2 } {
                            break;
                        }
                        turns += 1;
                        assert!(turns < 10_000, "{answer}");
                    }
                }
            }
        }
        one.result(30, "resources/unsubscribe", json!({"uri":"notes://a"})).await;
        touch().await;
        assert_eq!(soon(of_one.next()).await.unwrap()["method"], "notifications/tools/list_changed");
        // Who ends listens for nothing any more.
        one.end().await;
        if shared {
            let mut turns = 0;
            while other.result(31, "heard", json!({})).await["listening"].as_array().unwrap().len() > 2 {
                turns += 1;
                assert!(turns < 10_000);
            }
        }
    }
}

/// A server asks by its answer; the client is asked in mid-call, and the call goes on with what it says.
#[tokio::test]
async fn a_question_by_an_answer_is_one_in_mid_call() {
    for process in EVERY {
        let gateway = gateway(process);
        let (session, bob) = (capable(&gateway, "alice").await, capable(&gateway, "bob").await);
        let questions = json!({
            "a":{"method":"elicitation/create","params":{"mode":"url","url":"https://a.example","message":"m"}},
            "b":{"method":"roots/list"},
        });
        let params = json!({"rounds":2,"questions":questions,"_meta":{"progressToken":"p"}});
        let mut events = Events::of(session.call(1, "prompts/get", params).await);
        for _ in 0..2 {
            for _ in 0..2 {
                let asked = soon(events.next()).await.unwrap();
                let id = &asked["id"];
                let said = match asked["method"].as_str().unwrap() {
                    "roots/list" => json!({"roots":[]}),
                    method => {
                        assert_eq!(method, "elicitation/create");
                        assert_eq!(asked["params"]["elicitationId"], *id);
                        json!({"action":"accept"})
                    }
                };
                // Somebody else's answer is none.
                bob.post(&json!({"jsonrpc":"2.0","id":id,"result":{"forged":true}})).await;
                session.post(&json!({"jsonrpc":"2.0","id":id,"result":said})).await;
            }
        }
        let answer = soon(events.next()).await.unwrap();
        let expected = json!({"answers":{"a":{"action":"accept"},"b":{"roots":[]}},"state":"2"});
        assert_eq!((&answer["id"], &answer["result"]), (&json!(1), &expected));
        assert!(soon(events.next()).await.is_none());
    }
}

#[tokio::test]
async fn what_cannot_be_asked_ends_the_call() {
    let gateway = gateway(ProcessFor::User);
    let session = capable(&gateway, "alice").await;
    let poor = Client::begin(&gateway).await;
    let many: serde_json::Map<String, Value> =
        (0..17).map(|n| (n.to_string(), json!({"method":"roots/list"}))).collect();
    let asks = |questions: Value| json!({"rounds":1,"questions":questions});
    for (n, (client, method, params)) in [
        (&poor, "prompts/get", asks(json!({"a":{"method":"roots/list"}}))),
        (&session, "prompts/get", asks(json!({"a":{"method":"tools/call"}}))),
        (&session, "prompts/get", asks(json!({"a":{}}))),
        (&session, "prompts/get", asks(many.into())),
        // The server would have to be asked for ever.
        (&session, "prompts/get", json!({"rounds":1000,"questions":{}})),
        // Only some requests may ask.
        (&session, "ask", asks(json!({"a":{"method":"roots/list"}}))),
    ]
    .into_iter()
    .enumerate()
    {
        let answers = Events::of(client.call(n as i64, method, params).await).rest().await;
        assert_eq!((answers.len(), &answers[0]["error"]["code"]), (1, &json!(-32603)), "{n} {answers:?}");
    }
    // The client has no answer.
    let asks = asks(json!({"a":{"method":"roots/list"},"b":{"method":"roots/list"}}));
    let mut events = Events::of(session.call(20, "prompts/get", asks.clone()).await);
    let (first, second) = (soon(events.next()).await.unwrap(), soon(events.next()).await.unwrap());
    session.post(&json!({"jsonrpc":"2.0","id":first["id"],"error":{"code":-1,"message":"no"}})).await;
    let mut rest = events.rest().await;
    assert_eq!(rest.pop().unwrap()["error"]["code"], -32603);
    assert_eq!(rest[0]["params"]["requestId"], second["id"]);
    // The call is cancelled while it waits: a late answer changes nothing.
    let mut events = Events::of(session.call(21, "prompts/get", asks).await);
    let first = soon(events.next()).await.unwrap();
    soon(events.next()).await.unwrap();
    session
        .post(&json!({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":21}}))
        .await;
    assert!(events.rest().await.iter().all(|event| event["method"] == "notifications/cancelled"));
    session.post(&json!({"jsonrpc":"2.0","id":first["id"],"result":{"roots":[]}})).await;
    assert_eq!(session.result(22, "heard", json!({})).await["heard"], json!([]));
}

/// Row 43: sessions with equal ids and tokens, and requests that stand alone among them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_never_cross() {
    for process in EVERY {
        let gateway = &gateway(process);
        let users = ["alice", "bob", "carol"];
        let sessions = join_all(users.map(|user| Client::begin_as(gateway, user))).await;
        let calls = (0..60_i64).map(|n| {
            let session = &sessions[usize::try_from(n % 3).unwrap()];
            async move {
                let params =
                    json!({"canary":format!("canary-{n}"),"steps":2,"_meta":{"progressToken":n / 3}});
                let events = Events::of(session.call(n / 3, "progress", params).await).rest().await;
                assert_eq!(events.len(), 3);
                for event in &events[..2] {
                    assert_eq!(event["params"]["message"], format!("canary-{n}"));
                    assert_eq!(event["params"]["progressToken"], n / 3);
                }
                assert_eq!(events[2]["id"], n / 3);
                assert_eq!(events[2]["result"], json!({"canary":format!("canary-{n}")}));
            }
        });
        join_all(calls).await;
    }
}

/// What a program knows is not for its clients to say.
#[tokio::test]
async fn a_client_that_begins_wrongly_changes_nothing_for_others() {
    let gateway = gateway_of("both", ProcessFor::Session);
    let (_, answer) = begin(&gateway, "mallory", json!({})).await;
    assert_eq!(answer["error"]["code"], -32602);
    let session = Client::begin(&gateway).await;
    // In a process of its own, as it was sent.
    assert_eq!(session.result(1, "echo", json!({"a":1})).await, json!({"sent":{"a":1}}));
    let other = Client::begin(&gateway).await;
    assert_ne!(session.result(2, "pid", json!({})).await, other.result(2, "pid", json!({})).await);
}

/// Clients of these revisions notify of what 2026-07-28 does not know, and answer what nobody asked.
#[tokio::test]
async fn what_the_revision_has_not_reaches_nobody() {
    let gateway = gateway(ProcessFor::Shared);
    let session = capable(&gateway, "alice").await;
    for body in [
        json!({"jsonrpc":"2.0","method":"notifications/initialized"}),
        json!({"jsonrpc":"2.0","method":"notifications/custom"}),
        json!({"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1}}),
        json!({"jsonrpc":"2.0","id":"d","result":{}}),
    ] {
        let response = session.post(&body).await;
        assert_eq!(response.status(), StatusCode::ACCEPTED, "{}", text(response).await);
    }
    assert_eq!(session.result(1, "heard", json!({})).await["heard"], json!([]));
}
