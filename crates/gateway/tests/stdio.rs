//! A gateway before a stdio server: streamable HTTP on one side, a process a session on the other.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // Tests fail by panicking.

mod support;

use std::time::Duration;

use axum::body::Body;
use futures_util::future::join_all;
use hallpass_gateway::{Limits, StdioCommand, Upstream};
use http::{HeaderValue, StatusCode};
use serde_json::{Value, json};
use support::stdio::{Client, Events, INITIALIZE, program, runs, until_gone};
use support::{Protected, protect, soon, text};

fn with_limits(limits: Limits) -> Protected {
    protect(Upstream::stdio(program(), limits), false)
}

/// Paused time runs ahead of the processes: no call ends by its own time here.
fn gateway() -> Protected {
    with_limits(Limits { call: None, ..Limits::default() })
}

#[tokio::test]
async fn a_session_from_beginning_to_end() {
    let gateway = gateway();
    let client = Client::begin(&gateway).await;
    let initialized = json!({"jsonrpc":"2.0","method":"notifications/initialized"});
    let response = client.post(&initialized).await;
    assert_eq!(response.status(), StatusCode::ACCEPTED);
    assert_eq!(text(response).await, "");
    assert_eq!(client.result(1, "echo", json!({"a":"b\nc"})).await, json!({"a":"b\nc"}));
    let pid = client.result(2, "pid", json!({})).await.as_u64().unwrap();
    assert_eq!(client.end().await.status(), StatusCode::NO_CONTENT);
    assert_eq!(client.call(3, "echo", json!({})).await.status(), StatusCode::NOT_FOUND);
    soon(until_gone(pid)).await;
}

#[tokio::test]
async fn a_client_that_takes_no_stream_gets_a_document() {
    let gateway = gateway();
    let client = Client::begin(&gateway).await;
    for accept in ["application/json", "*/*"] {
        let mut request =
            client.request("POST").body(Body::from(r#"{"jsonrpc":"2.0","id":1,"method":"notify"}"#)).unwrap();
        request.headers_mut().insert("accept", HeaderValue::from_static(accept));
        let response = gateway.send(request).await;
        assert_eq!(response.headers()["content-type"], "application/json");
        assert_eq!(text(response).await, r#"{"id":1,"jsonrpc":"2.0","result":"notified"}"#);
    }
    // What belonged to no answer waited for a stream.
    let mut events = Events::of(client.listen().await);
    for _ in 0..2 {
        assert_eq!(soon(events.next()).await.unwrap()["method"], "notifications/message");
    }
    for accept in ["text/html", "image/*"] {
        let mut request = client.request("POST").body(Body::from(INITIALIZE)).unwrap();
        request.headers_mut().insert("accept", HeaderValue::from_static(accept));
        assert_eq!(gateway.send(request).await.status(), StatusCode::NOT_ACCEPTABLE);
    }
}

/// Progress goes to the request that owns it, though another is open.
#[tokio::test]
async fn progress_goes_to_its_request() {
    let gateway = gateway();
    let client = Client::begin(&gateway).await;
    let mut held = Events::of(client.call(1, "hold", json!({"_meta":{"progressToken":"t1"}})).await);
    let params = json!({"steps":3,"_meta":{"progressToken":"t2"}});
    let events = Events::of(client.call(2, "progress", params).await).rest().await;
    let steps: Vec<_> = events.iter().map(|event| &event["params"]["progress"]).collect();
    assert_eq!(steps, [&json!(1), &json!(2), &json!(3), &Value::Null]);
    // The held request has seen nothing of it: the first it hears is its own end.
    client.end().await;
    assert_eq!(soon(held.next()).await.unwrap()["error"]["code"], -32603);
}

#[tokio::test]
async fn the_server_asks_and_the_client_answers() {
    let gateway = gateway();
    let client = Client::begin(&gateway).await;
    let mut listening = Events::of(client.listen().await);
    assert_eq!(client.result(1, "ask", json!({})).await, "asked");
    let question = soon(listening.next()).await.unwrap();
    assert_eq!(question["id"], "from-server");
    let answer = json!({"jsonrpc":"2.0","id":"from-server","result":{"roots":[]}});
    assert_eq!(client.post(&answer).await.status(), StatusCode::ACCEPTED);
    assert_eq!(soon(listening.next()).await.unwrap()["params"], answer);
}

/// "Multiple Connections", 2: each message goes into one stream only.
#[tokio::test]
async fn without_a_listener_messages_go_to_an_open_request() {
    let gateway = gateway();
    let client = Client::begin(&gateway).await;
    let events = Events::of(client.call(1, "notify", json!({"count":3})).await).rest().await;
    assert_eq!(events.len(), 4);
    assert_eq!(events[3]["result"], "notified");
}

#[tokio::test]
async fn messages_wait_in_a_queue_that_has_an_end() {
    let gateway = with_limits(Limits { queue: 5, ..Limits::default() });
    let client = Client::begin(&gateway).await;
    let mut request = client
        .request("POST")
        .body(Body::from(r#"{"jsonrpc":"2.0","id":1,"method":"notify","params":{"count":9}}"#))
        .unwrap();
    request.headers_mut().insert("accept", HeaderValue::from_static("application/json"));
    gateway.send(request).await;
    let mut listening = Events::of(client.listen().await);
    client.post(&json!({"jsonrpc":"2.0","method":"notifications/last"})).await;
    for number in 0..5 {
        assert_eq!(soon(listening.next()).await.unwrap()["params"]["number"], number);
    }
    assert_eq!(soon(listening.next()).await.unwrap()["method"], "notifications/heard");
}

/// A client that has lost its stream asks again before this side knows of the loss.
#[tokio::test]
async fn a_new_listening_stream_takes_the_place_of_the_old() {
    let gateway = gateway();
    let client = Client::begin(&gateway).await;
    let first = Events::of(client.listen().await);
    let mut second = Events::of(client.listen().await);
    assert!(soon(first.rest()).await.is_empty());
    client.post(&json!({"jsonrpc":"2.0","method":"notifications/last"})).await;
    assert_eq!(soon(second.next()).await.unwrap()["method"], "notifications/heard");
}

/// MCP 2025-03-26 has batches; a stdio server gets them one by one.
#[tokio::test]
async fn a_batch_is_answered_in_full() {
    let gateway = gateway();
    let client = Client::begin(&gateway).await;
    let batch = json!([
        {"jsonrpc":"2.0","id":1,"method":"echo","params":{"n":1}},
        {"jsonrpc":"2.0","method":"notifications/x"},
        {"jsonrpc":"2.0","id":"1","method":"echo","params":{"n":2}},
    ]);
    let events = Events::of(client.post(&batch).await).rest().await;
    let answers: Vec<_> = events.iter().filter(|event| !event["result"].is_null()).collect();
    assert_eq!(answers.len(), 2);
    assert_eq!(answers[1]["id"], "1");
    let mut request = client.request("POST").body(Body::from(batch.to_string())).unwrap();
    request.headers_mut().insert("accept", HeaderValue::from_static("application/json"));
    let answers: Value = serde_json::from_str(&text(gateway.send(request).await).await).unwrap();
    assert_eq!(answers.as_array().unwrap().len(), 2);
}

/// A process that says more than anybody has read yet takes no more input; the client still gets its
/// stream, and reads.
#[tokio::test]
async fn a_talkative_batch_does_not_block_itself() {
    let gateway = gateway();
    let client = Client::begin(&gateway).await;
    let call = |id: i64| {
        let params = json!({"steps":5_000,"_meta":{"progressToken":id}});
        json!({"jsonrpc":"2.0","id":id,"method":"progress","params":params,"padding":"x".repeat(5_000)})
    };
    let batch = Value::from((0..100).map(call).collect::<Vec<_>>());
    let mut events = Events::of(soon(client.post(&batch)).await);
    assert_eq!(soon(events.next()).await.unwrap()["params"]["progress"], 1);
}

#[tokio::test]
async fn an_id_is_under_way_once() {
    let gateway = gateway();
    let client = Client::begin(&gateway).await;
    let _held = client.call(1, "hold", json!({})).await;
    let response = client.call(1, "echo", json!({})).await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    assert!(text(response).await.contains("under way"));
    let twice = json!([{"jsonrpc":"2.0","id":2,"method":"echo"},{"jsonrpc":"2.0","id":2,"method":"echo"}]);
    assert_eq!(client.post(&twice).await.status(), StatusCode::BAD_REQUEST);
    assert_eq!(client.result(2, "echo", json!({"ok":1})).await, json!({"ok":1}));
}

/// basic/utilities/cancellation: no answer will come, so the stream ends, and the id is free.
#[tokio::test]
async fn a_cancelled_request_is_not_waited_for() {
    let gateway = gateway();
    let client = Client::begin(&gateway).await;
    let held = Events::of(client.call(1, "hold", json!({})).await);
    let cancelled = json!({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}});
    assert_eq!(client.post(&cancelled).await.status(), StatusCode::ACCEPTED);
    soon(held.rest()).await;
    assert_eq!(client.result(1, "echo", json!({"ok":1})).await, json!({"ok":1}));
}

/// The same for a client that takes no stream: nothing is said, and a document of nothing would be none.
#[tokio::test]
async fn a_cancelled_request_gets_no_document() {
    let gateway = gateway();
    let client = Client::begin(&gateway).await;
    let mut request =
        client.request("POST").body(Body::from(r#"{"jsonrpc":"2.0","id":1,"method":"hold"}"#)).unwrap();
    request.headers_mut().insert("accept", HeaderValue::from_static("application/json"));
    let cancelled = json!({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}});
    let (held, _) = soon(async { tokio::join!(gateway.send(request), client.post(&cancelled)) }).await;
    assert_eq!(held.status(), StatusCode::ACCEPTED);
}

/// A child of the server holds its output open.
#[cfg(unix)]
#[tokio::test]
async fn death_is_seen_though_the_output_stays_open() {
    let mut command = StdioCommand::new("sh");
    command.arguments = ["-c", "sleep 900 & exit 0"].map(Into::into).into();
    let limits = Limits { grace: Duration::from_millis(10), ..Limits::default() };
    let gateway = protect(Upstream::stdio(command, limits), false);
    let events = Events::of(gateway.post(INITIALIZE).await);
    assert_eq!(soon(events.rest()).await[0]["error"]["code"], -32603);
}

#[tokio::test]
async fn death_in_mid_call_answers_every_waiting_request() {
    let gateway = gateway();
    let client = Client::begin(&gateway).await;
    let mut held = Events::of(client.call(1, "hold", json!({})).await);
    let mut dying = Events::of(client.call(2, "die", json!({})).await);
    for (events, id) in [(&mut held, 1), (&mut dying, 2)] {
        let error = soon(events.next()).await.unwrap();
        assert_eq!((&error["id"], &error["error"]["code"]), (&json!(id), &json!(-32603)));
        assert!(soon(events.next()).await.is_none());
    }
    assert_eq!(client.call(3, "echo", json!({})).await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn noise_on_stdout_is_no_message() {
    let gateway = gateway();
    let client = Client::begin(&gateway).await;
    let events = Events::of(client.call(1, "noise", json!({})).await).rest().await;
    assert_eq!(events, [json!({"jsonrpc":"2.0","id":1,"result":"noisy"})]);
}

#[tokio::test]
async fn messages_are_bounded_in_both_directions() {
    let gateway = with_limits(Limits { message: 10_000, answer: 10_000, ..Limits::default() });
    let client = Client::begin(&gateway).await;
    let long = client.call(1, "echo", json!({"x":"y".repeat(10_000)})).await;
    assert_eq!(long.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(client.result(1, "long", json!({"bytes":9_000})).await.as_str().unwrap().len(), 9_000);
    let events = Events::of(client.call(2, "long", json!({"bytes":10_000})).await).rest().await;
    assert_eq!(events[0]["error"]["code"], -32603);
}

#[tokio::test]
async fn a_session_belongs_to_subject_and_client() {
    let gateway = gateway();
    let alice = Client::begin(&gateway).await;
    let mut claims = gateway.issuer.claims(support::RESOURCE, "notes:read", support::NOW);
    claims["client_id"] = "other-client".into();
    for token in [gateway.token_for("mallory", "notes:read"), gateway.issuer.sign(&claims)] {
        let thief = Client { gateway: &gateway, token, session: alice.session.clone() };
        assert_eq!(thief.call(1, "echo", json!({})).await.status(), StatusCode::NOT_FOUND);
        assert_eq!(thief.listen().await.status(), StatusCode::NOT_FOUND);
        assert_eq!(thief.end().await.status(), StatusCode::NOT_FOUND);
    }
    assert_eq!(alice.result(1, "echo", json!({"ok":1})).await, json!({"ok":1}));
}

/// Row 43: many clients, equal ids, and a canary each.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_never_cross_sessions() {
    let gateway = &gateway();
    let clients =
        join_all((0..32).map(|n| async move { Client::begin_as(gateway, &format!("user-{n}")).await })).await;
    let rounds = clients.iter().enumerate().map(|(n, client)| async move {
        for id in 0..20 {
            let canary = json!({"canary":format!("{n}-{id}")});
            let steps = json!({"steps":2,"_meta":{"progressToken":1}});
            let (echo, progress) = tokio::join!(
                client.result(id, "echo", canary.clone()),
                client.call(id + 1000, "progress", steps)
            );
            assert_eq!(echo, canary);
            assert_eq!(Events::of(progress).rest().await.len(), 3);
            let me = client.result(id, "environment", json!({"name":"HALLPASS_SUBJECT"})).await;
            assert_eq!(me, format!("user-{n}"));
        }
    });
    join_all(rounds).await;
    gateway.gateway.close().await;
}

#[tokio::test]
async fn without_a_session_there_is_only_initialize() {
    let gateway = gateway();
    for (body, code, id) in [
        // What a client of 2026-07-28 sends. Its own errors would make it believe the server to be of that revision.
        (r#"{"jsonrpc":"2.0","id":"a","method":"server/discover"}"#, -32601, json!("a")),
        (r#"{"jsonrpc":"2.0","id":5,"method":"tools/list"}"#, -32600, json!(5)),
        (r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#, -32600, Value::Null),
        (
            r#"[{"jsonrpc":"2.0","id":1,"method":"initialize"},{"jsonrpc":"2.0","id":2,"method":"ping"}]"#,
            -32600,
            Value::Null,
        ),
        ("{", -32700, Value::Null),
        (r#"{"id":1,"id":2,"method":"initialize"}"#, -32600, Value::Null),
    ] {
        let response = gateway.post(body).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{body}");
        let error: Value = serde_json::from_str(&text(response).await).unwrap();
        assert_eq!((&error["error"]["code"], &error["id"]), (&json!(code), &id), "{body}");
    }
    for session in ["", "nonsense", "0000000000000000000000000000000000000000000000000000000000000000"] {
        let request =
            gateway.request("POST").header("mcp-session-id", session).body(INITIALIZE.into()).unwrap();
        assert_eq!(gateway.send(request).await.status(), StatusCode::NOT_FOUND);
    }
    let client = Client::begin(&gateway).await;
    assert_eq!(
        client.post(&serde_json::from_str(INITIALIZE).unwrap()).await.status(),
        StatusCode::BAD_REQUEST
    );
}

#[tokio::test]
async fn as_many_sessions_as_are_allowed() {
    let gateway = with_limits(Limits { sessions: 2, ..Limits::default() });
    let first = Client::begin(&gateway).await;
    let _second = Client::begin(&gateway).await;
    let response = gateway.post(INITIALIZE).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(response.headers().contains_key("retry-after"));
    let pid = first.result(1, "pid", json!({})).await.as_u64().unwrap();
    first.end().await;
    soon(until_gone(pid)).await;
    // The place is free a moment after the process is gone.
    soon(async {
        while gateway.post(INITIALIZE).await.status() != StatusCode::OK {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// Whoever begins one more loses the one that lay unused for longest, and nobody else does.
#[tokio::test]
async fn a_client_has_only_so_many_sessions() {
    let gateway = with_limits(Limits { sessions_of_a_client: 2, ..Limits::default() });
    let bob = Client::begin_as(&gateway, "bob").await;
    let one = Client::begin(&gateway).await;
    let two = Client::begin(&gateway).await;
    one.result(1, "echo", json!({})).await;
    let three = Client::begin(&gateway).await;
    assert_eq!(two.call(1, "echo", json!({})).await.status(), StatusCode::NOT_FOUND);
    for client in [&bob, &one, &three] {
        assert_eq!(client.result(2, "echo", json!({"ok":1})).await, json!({"ok":1}));
    }
}

/// Through whatever clients: those are registered by whoever likes.
#[tokio::test]
async fn a_user_has_only_so_many_processes() {
    let gateway = with_limits(Limits { sessions_of_a_user: 2, ..Limits::default() });
    let (_one, _two) = (Client::begin(&gateway).await, Client::begin(&gateway).await);
    let mut claims = gateway.issuer.claims(support::RESOURCE, "notes:read", support::NOW);
    claims["client_id"] = "other-client".into();
    let request = gateway.request_as(&gateway.issuer.sign(&claims), "POST").body(INITIALIZE.into()).unwrap();
    let response = gateway.send(request).await;
    assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(response.headers().contains_key("retry-after"));
    Client::begin_as(&gateway, "bob").await;
}

/// It has never seen the session's id, or has not cared to.
#[tokio::test]
async fn a_session_that_nobody_waited_for_ends() {
    let gateway = gateway();
    let response = gateway.post(INITIALIZE).await;
    let session = response.headers()["mcp-session-id"].clone();
    drop(response);
    let client = Client { gateway: &gateway, token: gateway.token("notes:read"), session };
    assert_eq!(client.call(1, "echo", json!({})).await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_program_that_does_not_start_is_a_502() {
    let missing = StdioCommand::new("/nowhere/at/all");
    let gateway = protect(Upstream::stdio(missing, Limits::default()), false);
    let response = gateway.post(INITIALIZE).await;
    assert_eq!(response.status(), StatusCode::BAD_GATEWAY);
    assert!(!text(response).await.contains("nowhere"));
}

/// Children of the process end with it, and a process that does not end by itself is made to.
#[tokio::test]
async fn nothing_is_left_behind() {
    let gateway = with_limits(Limits { grace: Duration::from_millis(10), ..Limits::default() });
    let client = Client::begin(&gateway).await;
    client.result(1, "stubborn", json!({})).await;
    let child = client.result(2, "child", json!({})).await.as_u64().unwrap();
    let pid = client.result(3, "pid", json!({})).await.as_u64().unwrap();
    assert!(runs(child) && runs(pid));
    client.end().await;
    soon(until_gone(pid)).await;
    soon(until_gone(child)).await;
}

/// A process that ends as it should may leave children behind.
#[tokio::test]
async fn children_end_with_a_process_that_ends_by_itself() {
    let gateway = gateway();
    let client = Client::begin(&gateway).await;
    let child = client.result(1, "child", json!({})).await.as_u64().unwrap();
    client.end().await;
    soon(gateway.gateway.close()).await;
    soon(until_gone(child)).await;
}

#[tokio::test]
async fn closing_the_gateway_ends_every_process() {
    let gateway = gateway();
    let (one, two) = (Client::begin(&gateway).await, Client::begin_as(&gateway, "bob").await);
    let listening = Events::of(one.listen().await);
    let mut pids = Vec::new();
    for client in [&one, &two] {
        pids.push(client.result(1, "pid", json!({})).await.as_u64().unwrap());
    }
    soon(gateway.gateway.close()).await;
    assert!(!pids.into_iter().any(runs));
    assert!(listening.rest().await.is_empty());
    assert_eq!(gateway.post(INITIALIZE).await.status(), StatusCode::SERVICE_UNAVAILABLE);
}

/// Time is tokio's here: it goes on whenever everything else waits.
#[tokio::test(start_paused = true)]
async fn an_idle_session_ends() {
    let gateway = gateway();
    let client = Client::begin(&gateway).await;
    let pid = client.result(1, "pid", json!({})).await.as_u64().unwrap();
    tokio::time::sleep(Duration::from_secs(31 * 60)).await;
    assert_eq!(client.call(2, "echo", json!({})).await.status(), StatusCode::NOT_FOUND);
    until_gone(pid).await;
}

#[tokio::test(start_paused = true)]
async fn a_session_with_an_open_stream_is_not_idle() {
    let gateway = gateway();
    let client = Client::begin(&gateway).await;
    let listening = client.listen().await;
    tokio::time::sleep(Duration::from_secs(10 * 60 * 60)).await;
    assert_eq!(client.result(1, "echo", json!({"ok":1})).await, json!({"ok":1}));
    drop(listening);
}

/// What a server says beside the protocol may be its users' data: at level debug only.
#[tokio::test]
async fn noise_on_stdout_is_not_logged_as_it_is() {
    let (log, _guard) = support::logged();
    let gateway = gateway();
    let client = Client::begin(&gateway).await;
    client.result(1, "noise", json!({})).await;
    let log = log.lock().unwrap();
    assert!(log.contains("on stdout"), "{log}");
    assert!(!log.contains("Server listening"), "{log}");
}

/// A server's answers hold files: they may be longer than a client's body.
#[tokio::test]
async fn an_answer_may_be_longer_than_a_body() {
    let gateway = with_limits(Limits { message: 10_000, ..Limits::default() });
    let client = Client::begin(&gateway).await;
    assert_eq!(client.result(1, "long", json!({"bytes":20_000})).await.as_str().unwrap().len(), 20_000);
}

/// What was said before the end is still heard, within the grace.
#[cfg(unix)]
#[tokio::test]
async fn the_last_words_of_a_process_are_heard() {
    let mut command = StdioCommand::new("sh");
    let script = r#"read line; (sleep 0.3; echo '{"jsonrpc":"2.0","id":0,"result":{}}') & exit 0"#;
    command.arguments = ["-c", script].map(Into::into).into();
    let limits = Limits { grace: Duration::from_secs(20), ..Limits::default() };
    let gateway = protect(Upstream::stdio(command, limits), false);
    let events = Events::of(gateway.post(INITIALIZE).await);
    assert_eq!(soon(events.rest()).await[0]["result"], json!({}));
}

/// A session that is over, and whose process is not yet, takes no other's place.
#[tokio::test]
async fn a_session_that_has_ended_costs_no_other() {
    let limits = Limits { sessions_of_a_client: 2, grace: Duration::from_secs(20), ..Limits::default() };
    let gateway = with_limits(limits);
    let one = Client::begin(&gateway).await;
    let two = Client::begin(&gateway).await;
    two.result(1, "stubborn", json!({})).await;
    two.end().await;
    Client::begin(&gateway).await;
    assert_eq!(one.result(2, "echo", json!({"ok":1})).await, json!({"ok":1}));
}

#[tokio::test]
async fn what_does_not_start_takes_no_place() {
    let limits = Limits { sessions: 1, sessions_of_a_user: 1, ..Limits::default() };
    let gateway = protect(Upstream::stdio(StdioCommand::new("/nowhere/at/all"), limits), false);
    for _ in 0..2 {
        assert_eq!(gateway.post(INITIALIZE).await.status(), StatusCode::BAD_GATEWAY);
    }
}

/// The idle time begins when the stream closes, not when it was opened.
#[tokio::test(start_paused = true)]
async fn a_session_whose_stream_has_closed_is_idle_from_then_on() {
    let gateway = gateway();
    let client = Client::begin(&gateway).await;
    let listening = client.listen().await;
    tokio::time::sleep(Duration::from_secs(20 * 60)).await;
    drop(listening);
    tokio::time::sleep(Duration::from_secs(20 * 60)).await;
    assert_eq!(client.result(1, "echo", json!({"ok":1})).await, json!({"ok":1}));
}
