//! Clients of MCP 2026-07-28 before a stdio server that knows `initialize` only.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // Tests fail by panicking.

mod support;

use std::time::Duration;

use futures_util::future::join_all;
use hallpass_gateway::{Limits, ProcessFor, StdioCommand, Upstream};
use http::StatusCode;
use serde_json::{Value, json};
use support::alone::{NOW, call, call_as, document, message, post_as};
use support::stdio::{Client, Events, freeze, pass, program};
use support::{Protected, protect, soon, text};

const EVERY: [ProcessFor; 3] = [ProcessFor::Session, ProcessFor::User, ProcessFor::Shared];

fn gateway_with(process: ProcessFor, limits: Limits) -> Protected {
    protect(Upstream::stdio(StdioCommand { process, ..program() }, limits), false)
}

fn gateway(process: ProcessFor) -> Protected {
    gateway_with(process, Limits::default())
}

#[tokio::test]
async fn what_initialize_said_is_discovered() {
    for process in EVERY {
        let gateway = gateway(process);
        let (status, answer) = document(call(&gateway, 7, "server/discover", json!({})).await).await;
        assert_eq!((status, &answer["id"]), (StatusCode::OK, &json!(7)));
        let result = &answer["result"];
        assert_eq!(result["resultType"], "complete");
        assert_eq!(result["supportedVersions"], json!([NOW, "2025-11-25", "2025-06-18", "2025-03-26"]));
        assert_eq!(result["capabilities"]["tools"]["listChanged"], true);
        assert_eq!(result["_meta"]["io.modelcontextprotocol/serverInfo"]["name"], "echo");
        assert_eq!((&result["ttlMs"], &result["cacheScope"]), (&json!(0), &json!("private")));
    }
}

/// The server hears nothing of this revision, and the client hears an answer of it.
#[tokio::test]
async fn a_request_that_stands_alone_is_answered() {
    for process in EVERY {
        let gateway = gateway(process);
        let params = json!({"a":[1,"b\nc"],"_meta":{"traceparent":"00-1-2-01"}});
        let (status, answer) = document(call(&gateway, 1, "echo", params.clone()).await).await;
        assert_eq!(status, StatusCode::OK);
        let result = &answer["result"];
        assert_eq!((&result["a"], &result["resultType"]), (&params["a"], &json!("complete")));
        let meta = &result["_meta"];
        assert_eq!(meta["traceparent"], "00-1-2-01");
        assert_eq!(meta["io.modelcontextprotocol/serverInfo"]["name"], "echo");
        assert_eq!(meta.as_object().unwrap().len(), 2, "{meta}");
    }
}

#[tokio::test]
async fn progress_comes_before_the_answer() {
    let gateway = gateway(ProcessFor::Session);
    let params = json!({"steps":2,"_meta":{"progressToken":"t"}});
    let events = Events::of(call(&gateway, 1, "progress", params).await).rest().await;
    assert_eq!(events.len(), 3);
    assert_eq!(events[0]["params"]["progressToken"], "t");
    assert_eq!(events[2]["result"], "done");
}

/// Row 43: such requests of all users, with equal ids, between sessions of an earlier revision.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_never_cross() {
    for process in EVERY {
        let gateway = &gateway(process);
        let earlier = &Client::begin(gateway).await;
        let calls = (0..60).map(|n| async move {
            let params = json!({"canary":format!("canary-{n}"),"_meta":{"progressToken":1}});
            let events = if n % 4 == 0 {
                // Within a session, ids and tokens are different.
                let params = json!({"canary":format!("canary-{n}"),"_meta":{"progressToken":n}});
                Events::of(earlier.call(100 + n, "mixed", params).await).rest().await
            } else {
                let user = format!("user-{}", n % 3);
                Events::of(call_as(gateway, &user, 1, "mixed", params).await).rest().await
            };
            assert_eq!(events[0]["params"]["message"], format!("canary-{n}"));
            assert_eq!(events[1]["result"], format!("canary-{n}"));
        });
        join_all(calls).await;
    }
}

/// "Cancellation": who goes away does not want the answer any more.
#[tokio::test]
async fn the_end_of_the_stream_cancels() {
    let gateway = gateway(ProcessFor::Shared);
    let watcher = Client::begin(&gateway).await;
    let mut listening = Events::of(watcher.listen().await);
    let params = json!({"steps":1,"_meta":{"progressToken":"t"}});
    let mut held = Events::of(call(&gateway, 1, "progress-and-hold", params).await);
    assert_eq!(soon(held.next()).await.unwrap()["method"], "notifications/progress");
    drop(held);
    let heard = soon(listening.next()).await.unwrap();
    assert_eq!(heard["params"]["method"], "notifications/cancelled");
}

#[tokio::test(start_paused = true)]
async fn a_call_has_its_time() {
    let _frozen = freeze();
    let limits = Limits { call: Some(Duration::from_secs(90)), ..Limits::default() };
    let gateway = gateway_with(ProcessFor::User, limits);
    // The process is there before time passes.
    call(&gateway, 1, "echo", json!({})).await;
    let mut response = std::pin::pin!(call(&gateway, 1, "hold", json!({})));
    // First it gets under way, then time passes.
    for time in [1, 19_000] {
        tokio::select! {
            biased;
            _ = &mut response => panic!("nothing was said yet"),
            () = pass(Duration::from_millis(time)) => {}
        }
    }
    // A stream has begun, so that nothing on the way takes the request for dead.
    let (response, ()) = tokio::join!(soon(response), pass(Duration::from_secs(2)));
    let mut events = Events::of(response);
    pass(Duration::from_secs(70)).await;
    let error = soon(events.next()).await.unwrap();
    assert_eq!((&error["id"], &error["error"]["code"]), (&json!(1), &json!(-32603)));
}

#[tokio::test]
async fn each_rule_of_the_revision_holds() {
    let gateway = gateway(ProcessFor::User);
    let right = message(1, "tools/call", json!({"name":"echo"}));
    let fields = [("mcp-protocol-version", NOW), ("mcp-method", "tools/call"), ("mcp-name", "echo")];
    let with = |change: &dyn Fn(&mut Value)| {
        let mut changed = right.clone();
        change(&mut changed);
        changed
    };
    let meta = |message: &mut Value, name: &str, value: Value| {
        message["params"]["_meta"][format!("io.modelcontextprotocol/{name}")] = value;
    };
    for (message, fields, status, code) in [
        (right.clone(), &fields[..], 200, 0),
        (right.clone(), &fields[..2], 400, -32020),
        (right.clone(), &[fields[0], fields[2]], 400, -32020),
        (right.clone(), &fields[1..], 400, -32020),
        (right.clone(), &[fields[0], ("mcp-method", "tools/list"), fields[2]], 400, -32020),
        (right.clone(), &[fields[0], fields[1], ("mcp-name", "other")], 400, -32020),
        (right.clone(), &[("mcp-protocol-version", "2025-11-25"), fields[1], fields[2]], 400, -32020),
        (
            with(&|m| meta(m, "protocolVersion", "2099-01-01".into())),
            &[("mcp-protocol-version", "2099-01-01"), fields[1], fields[2]],
            400,
            -32022,
        ),
        (with(&|m| meta(m, "clientCapabilities", Value::Null)), &fields, 400, -32602),
        (with(&|m| meta(m, "clientCapabilities", json!([]))), &fields, 400, -32602),
        (with(&|m| meta(m, "logLevel", "loud".into())), &fields, 400, -32602),
        (with(&|m| m["params"]["_meta"] = json!({})), &fields, 400, -32602),
        (with(&|m| m["params"] = json!({"name":"echo"})), &fields, 400, -32602),
        (Value::from(vec![right.clone()]), &fields, 400, -32600),
    ] {
        let response = post_as(&gateway, "alice", &message, fields).await;
        assert_eq!(response.status().as_u16(), status, "{message} {fields:?}");
        let answer: Value = serde_json::from_str(&text(response).await).unwrap();
        assert_eq!(answer["error"]["code"].as_i64().unwrap_or_default(), code, "{message} {fields:?}");
        if code == -32022 {
            assert_eq!(answer["error"]["data"]["requested"], "2099-01-01");
            assert_eq!(answer["error"]["data"]["supported"][0], NOW);
        }
    }
    // What the revision has not, though the server has it.
    for method in ["ping", "resources/subscribe", "logging/setLevel", "tasks/list"] {
        let (status, answer) = document(call(&gateway, 1, method, json!({})).await).await;
        assert_eq!((status, &answer["error"]["code"]), (StatusCode::NOT_FOUND, &json!(-32601)), "{method}");
    }
    // What the server has not.
    let (status, _) = document(call(&gateway, 1, "unknown", json!({})).await).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    // There is nothing that a notification could be about.
    let cancelled = json!({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}});
    let response = post_as(&gateway, "alice", &cancelled, &[("mcp-protocol-version", NOW)]).await;
    assert_eq!(response.status(), StatusCode::ACCEPTED);
}

/// A question of the server in mid-call is not of this revision: the server hears that it can ask nobody.
#[tokio::test]
async fn a_question_of_the_server_is_refused() {
    let gateway = gateway(ProcessFor::User);
    let (_, answer) = document(call(&gateway, 1, "asking", json!({})).await).await;
    assert_eq!(answer["result"]["error"]["code"], -32601);
}

#[tokio::test]
async fn changes_are_heard_by_listening() {
    for process in EVERY {
        let gateway = gateway(process);
        let wanted =
            json!({"toolsListChanged":true,"promptsListChanged":true,"resourceSubscriptions":["notes://a"]});
        let mut listening =
            Events::of(call(&gateway, 5, "subscriptions/listen", json!({"notifications":wanted})).await);
        let mut others =
            Events::of(call(&gateway, 6, "subscriptions/listen", json!({"notifications":{}})).await);
        let subscription =
            |event: &Value| event["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"].clone();
        let first = soon(listening.next()).await.unwrap();
        assert_eq!(first["method"], "notifications/subscriptions/acknowledged");
        assert_eq!(subscription(&first), 5);
        // The server has no prompts.
        let agreed = json!({"toolsListChanged":true,"resourceSubscriptions":["notes://a"]});
        assert_eq!(first["params"]["notifications"], agreed);
        assert_eq!(soon(others.next()).await.unwrap()["params"]["notifications"], json!({}));
        for uri in ["notes://b", "notes://a"] {
            call(&gateway, 1, "touch", json!({"uri":uri})).await;
        }
        call(&gateway, 1, "change", json!({})).await;
        let updated = soon(listening.next()).await.unwrap();
        assert_eq!((&updated["params"]["uri"], subscription(&updated)), (&json!("notes://a"), json!(5)));
        let changed = soon(listening.next()).await.unwrap();
        assert_eq!(changed["method"], "notifications/tools/list_changed");
        assert_eq!(subscription(&changed), 5);
        // The end of the server ends both, in words.
        call(&gateway, 1, "die", json!({})).await;
        for (events, id) in [(&mut listening, 5), (&mut others, 6)] {
            let end = soon(events.next()).await.unwrap();
            assert_eq!((&end["id"], &end["result"]["resultType"]), (&json!(id), &json!("complete")));
            assert!(soon(events.next()).await.is_none());
        }
    }
}

/// Log messages are heard by requests that ask for them.
#[tokio::test]
async fn log_messages_are_for_those_who_ask() {
    let gateway = gateway(ProcessFor::User);
    let response = call(&gateway, 1, "notify", json!({"level":"error"})).await;
    assert_eq!(document(response).await.0, StatusCode::OK);
    let meta = json!({"io.modelcontextprotocol/logLevel":"warning"});
    let events =
        Events::of(call(&gateway, 2, "notify", json!({"level":"error","_meta":meta})).await).rest().await;
    assert_eq!(events[0]["method"], "notifications/message");
    let response = call(&gateway, 3, "notify", json!({"level":"info","_meta":meta})).await;
    assert_eq!(document(response).await.0, StatusCode::OK);
}

/// Where each session has a process, each client of a user's has one for such requests.
#[tokio::test]
async fn requests_of_one_client_have_one_process() {
    let gateway = gateway(ProcessFor::Session);
    let pid = async |user: &str| {
        document(call_as(&gateway, user, 1, "pid", json!({})).await).await.1["result"].clone()
    };
    let first = pid("alice").await;
    assert_eq!(first, pid("alice").await);
    assert_ne!(first, pid("bob").await);
    let session = Client::begin(&gateway).await;
    assert_ne!(first, session.result(1, "pid", json!({})).await);
}

#[tokio::test]
async fn only_so_many_requests_are_under_way() {
    let gateway = gateway_with(ProcessFor::Shared, Limits { requests: 2, ..Limits::default() });
    let listen = async |user: &str| {
        call_as(&gateway, user, 1, "subscriptions/listen", json!({"notifications":{}})).await
    };
    let (_one, _two) = (listen("alice").await, listen("alice").await);
    assert_eq!(listen("alice").await.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(listen("bob").await.status(), StatusCode::OK);
}

/// What a client listens for is kept until it goes: so much, however many streams it has.
#[tokio::test]
async fn a_client_listens_for_so_many_resources() {
    let gateway = gateway(ProcessFor::User);
    let uris: Vec<String> = (0..1030).map(|number| format!("notes://{number}")).collect();
    let listen = async |user: &str, id: i64, uris: &[String]| {
        let filter = json!({"notifications":{"resourceSubscriptions":uris}});
        let mut events = Events::of(call_as(&gateway, user, id, "subscriptions/listen", filter).await);
        let agreed = soon(events.next()).await.unwrap()["params"]["notifications"].clone();
        (events, agreed["resourceSubscriptions"].as_array().map_or(0, Vec::len))
    };
    let (_first, agreed) = listen("alice", 1, &uris[..1000]).await;
    assert_eq!(agreed, 1000);
    let (second, agreed) = listen("alice", 2, &uris[1000..]).await;
    assert_eq!(agreed, 24);
    assert_eq!(listen("alice", 3, &uris[..1]).await.1, 0);
    assert_eq!(listen("bob", 1, &uris[..1]).await.1, 1);
    drop(second);
    let mut turns = 0;
    while listen("alice", 4, &uris[..1]).await.1 == 0 {
        turns += 1;
        assert!(turns < 10_000);
    }
}
