//! A gateway before a stdio server whose process several sessions share (never-again 43).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // Tests fail by panicking.

mod support;

use std::collections::HashSet;
use std::time::Duration;

use futures_util::future::join_all;
use hallpass_gateway::{Limits, ProcessFor, StdioCommand, Upstream};
use http::StatusCode;
use serde_json::{Value, json};
use support::stdio::{Client, Events, INITIALIZE, freeze, pass, program, until_gone};
use support::{Protected, protect, soon, text};

fn gateway_with(process: ProcessFor, limits: Limits) -> Protected {
    protect(Upstream::stdio(StdioCommand { process, ..program() }, limits), false)
}

fn gateway(process: ProcessFor) -> Protected {
    gateway_with(process, Limits::default())
}

async fn pid(client: &Client<'_>) -> u64 {
    client.result(9, "pid", json!({})).await.as_u64().unwrap()
}

#[tokio::test]
async fn who_shares_a_process() {
    for (process, of_alice, of_bob) in [
        (ProcessFor::Session, false, false),
        (ProcessFor::User, true, false),
        (ProcessFor::Shared, true, true),
    ] {
        let gateway = gateway(process);
        let (one, two) = (Client::begin(&gateway).await, Client::begin(&gateway).await);
        let bob = Client::begin_as(&gateway, "bob").await;
        assert_ne!(one.session, two.session);
        let first = pid(&one).await;
        assert_eq!(first == pid(&two).await, of_alice, "{process:?}");
        assert_eq!(first == pid(&bob).await, of_bob, "{process:?}");
    }
}

/// A program is told whose process it is, and nothing that holds for one of several only.
#[tokio::test]
async fn a_program_hears_whose_process_it_is() {
    for (process, told) in [
        (ProcessFor::Session, [json!("alice"), json!("http://localhost:8080"), json!("test-client")]),
        (ProcessFor::User, [json!("alice"), json!("http://localhost:8080"), Value::Null]),
        (ProcessFor::Shared, [Value::Null, Value::Null, Value::Null]),
    ] {
        let gateway = gateway(process);
        let client = Client::begin(&gateway).await;
        for (name, value) in ["HALLPASS_SUBJECT", "HALLPASS_ISSUER", "HALLPASS_CLIENT"].iter().zip(told) {
            let said = client.result(1, "environment", json!({"name":name})).await;
            assert_eq!(said, value, "{name} {process:?}");
        }
    }
}

/// Row 43: a hundred clients with equal ids and equal progress tokens; the server answers in no order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_never_cross_sessions() {
    for process in [ProcessFor::Session, ProcessFor::User, ProcessFor::Shared] {
        let clients: usize = if process == ProcessFor::Session { 24 } else { 100 };
        let gateway = &gateway(process);
        // Four sessions of each user.
        let begin = |n: usize| async move { Client::begin_as(gateway, &format!("user-{}", n / 4)).await };
        let clients = join_all((0..clients).map(begin)).await;
        let rounds = clients.iter().enumerate().map(|(n, client)| async move {
            for round in 0..5 {
                let call = |id: i64| async move {
                    let canary = format!("{n}-{round}-{id}");
                    let params = json!({"canary":canary,"_meta":{"progressToken":id}});
                    let events = Events::of(client.call(id, "mixed", params).await).rest().await;
                    assert_eq!(events.len(), 2, "{events:?}");
                    let progress = &events[0]["params"];
                    assert_eq!(
                        (&progress["progressToken"], &progress["message"]),
                        (&json!(id), &json!(canary))
                    );
                    assert_eq!((&events[1]["id"], &events[1]["result"]), (&json!(id), &json!(canary)));
                };
                join_all((0..4).map(call)).await;
            }
        });
        join_all(rounds).await;
        gateway.gateway.close().await;
    }
}

#[tokio::test]
async fn a_session_that_ends_leaves_the_process_to_the_others() {
    let gateway = gateway(ProcessFor::Shared);
    let (alice, bob) = (Client::begin(&gateway).await, Client::begin_as(&gateway, "bob").await);
    let first = pid(&alice).await;
    assert_eq!(alice.end().await.status(), StatusCode::NO_CONTENT);
    assert_eq!(alice.call(1, "echo", json!({})).await.status(), StatusCode::NOT_FOUND);
    assert_eq!(pid(&bob).await, first);
}

/// A question in the middle of a call reaches the client that called, and nobody else.
#[tokio::test]
async fn a_question_in_mid_call_reaches_the_caller() {
    let gateway = gateway(ProcessFor::Shared);
    let token = gateway.token("notes:read");
    let initialize = json!({"jsonrpc":"2.0","id":0,"method":"initialize",
        "params":{"protocolVersion":"2025-11-25","capabilities":{"sampling":{}}}});
    let request = gateway.request_as(&token, "POST").body(initialize.to_string().into()).unwrap();
    let response = gateway.send(request).await;
    let session = response.headers()["mcp-session-id"].clone();
    Events::of(response).rest().await;
    let alice = Client { gateway: &gateway, token, session };
    let bob = Client::begin_as(&gateway, "bob").await;
    let mut of_bob = Events::of(bob.listen().await);
    let mut call = Events::of(alice.call(5, "asking", json!({"canary":"hers"})).await);
    let question = soon(call.next()).await.unwrap();
    assert_eq!(
        (&question["method"], &question["params"]["canary"]),
        (&json!("sampling/createMessage"), &json!("hers"))
    );
    // Somebody else answers first: it goes nowhere.
    let forged = json!({"jsonrpc":"2.0","id":question["id"],"result":"forged"});
    assert_eq!(bob.post(&forged).await.status(), StatusCode::ACCEPTED);
    alice.post(&json!({"jsonrpc":"2.0","id":question["id"],"result":"hers"})).await;
    assert_eq!(soon(call.next()).await.unwrap()["result"]["result"], "hers");
    // His client can do no sampling: the server hears so.
    let refused = bob.result(1, "asking", json!({})).await;
    assert_eq!(refused["error"]["code"], -32601);
    bob.result(2, "change", json!({})).await;
    assert_eq!(soon(of_bob.next()).await.unwrap()["method"], "notifications/tools/list_changed");
}

/// A server may go on with what was cancelled: whether a question is about that, nobody can see.
#[tokio::test]
async fn while_a_cancelled_call_may_go_on_nobody_else_is_asked() {
    let gateway = gateway(ProcessFor::Shared);
    let (alice, bob) = (Client::begin(&gateway).await, Client::begin_as(&gateway, "bob").await);
    // What is asked reaches his client, which has no such capability.
    assert_eq!(bob.result(1, "asking", json!({})).await["error"]["code"], -32601);
    let held = Events::of(alice.call(1, "hold", json!({})).await);
    let cancel = json!({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}});
    alice.post(&cancel).await;
    assert!(held.rest().await.is_empty());
    alice.result(2, "echo", json!({})).await;
    assert_eq!(bob.result(2, "asking", json!({})).await["error"]["code"], -32603);
}

#[tokio::test]
async fn what_changes_is_heard_by_whom_it_concerns() {
    let gateway = gateway(ProcessFor::Shared);
    let (alice, bob) = (Client::begin(&gateway).await, Client::begin_as(&gateway, "bob").await);
    let (mut of_alice, mut of_bob) = (Events::of(alice.listen().await), Events::of(bob.listen().await));
    alice.result(1, "resources/subscribe", json!({"uri":"notes://a"})).await;
    bob.result(1, "touch", json!({"uri":"notes://a"})).await;
    bob.result(2, "change", json!({})).await;
    assert_eq!(soon(of_alice.next()).await.unwrap()["params"]["uri"], "notes://a");
    for heard in [&mut of_alice, &mut of_bob] {
        assert_eq!(soon(heard.next()).await.unwrap()["method"], "notifications/tools/list_changed");
    }
}

/// Sessions outlive the process: the next request starts it again, and it is told what it has to know.
#[tokio::test]
async fn a_process_that_dies_is_started_again() {
    let gateway = gateway(ProcessFor::Shared);
    let (alice, bob) = (Client::begin(&gateway).await, Client::begin_as(&gateway, "bob").await);
    let first = pid(&alice).await;
    alice.result(1, "resources/subscribe", json!({"uri":"notes://a"})).await;
    let mut held = Events::of(bob.call(1, "hold", json!({})).await);
    let mut dying = Events::of(alice.call(1, "die", json!({})).await);
    for events in [&mut held, &mut dying] {
        let error = soon(events.next()).await.unwrap();
        assert_eq!((&error["id"], &error["error"]["code"]), (&json!(1), &json!(-32603)));
        assert!(error["error"]["message"].as_str().unwrap().contains("ended before it answered"));
    }
    let mut listening = Events::of(alice.listen().await);
    assert_eq!(bob.result(2, "touch", json!({"uri":"notes://a"})).await, "touched");
    assert_ne!(pid(&bob).await, first);
    assert_eq!(soon(listening.next()).await.unwrap()["params"]["uri"], "notes://a");
}

/// What ends again and again is left alone for longer and longer.
#[tokio::test(start_paused = true)]
async fn a_program_that_keeps_ending_is_left_to_rest() {
    let _frozen = freeze();
    let gateway = protect(
        Upstream::stdio(
            StdioCommand { process: ProcessFor::Shared, ..StdioCommand::new("true") },
            Limits::default(),
        ),
        false,
    );
    for status in [StatusCode::BAD_GATEWAY, StatusCode::BAD_GATEWAY, StatusCode::SERVICE_UNAVAILABLE] {
        let response = gateway.post(INITIALIZE).await;
        assert_eq!(response.status(), status);
        assert_eq!(response.headers().contains_key("retry-after"), status == StatusCode::SERVICE_UNAVAILABLE);
    }
    pass(Duration::from_secs(1)).await;
    let response = gateway.post(INITIALIZE).await;
    assert_eq!(response.status(), StatusCode::BAD_GATEWAY);
    assert!(text(response).await.contains("ends at once"));
    assert_eq!(gateway.post(INITIALIZE).await.headers()["retry-after"], "2");
}

/// Started when somebody comes, ended when nobody has come for long, started again.
#[tokio::test(start_paused = true)]
async fn a_process_that_nobody_needs_ends() {
    let _frozen = freeze();
    let gateway = gateway(ProcessFor::Shared);
    let client = Client::begin(&gateway).await;
    let first = pid(&client).await;
    pass(Duration::from_secs(20 * 60)).await;
    assert_eq!(pid(&client).await, first);
    pass(Duration::from_secs(31 * 60)).await;
    assert_eq!(client.call(2, "echo", json!({})).await.status(), StatusCode::NOT_FOUND);
    pass(Duration::from_secs(31 * 60)).await;
    until_gone(first).await;
    let client = Client::begin(&gateway).await;
    assert_ne!(pid(&client).await, first);
}

#[tokio::test]
async fn as_many_processes_as_are_allowed() {
    let gateway = gateway_with(ProcessFor::User, Limits { processes: 1, ..Limits::default() });
    let _alice = Client::begin(&gateway).await;
    let _too = Client::begin(&gateway).await;
    let token = gateway.token_for("bob", "notes:read");
    let request = gateway.request_as(&token, "POST").body(INITIALIZE.into()).unwrap();
    let response = gateway.send(request).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(text(response).await.contains("processes"));
}

/// In every arrangement a call has its time; the process is told that nobody waits any more.
#[tokio::test(start_paused = true)]
async fn a_call_that_takes_too_long_is_ended() {
    let _frozen = freeze();
    for process in [ProcessFor::Session, ProcessFor::User, ProcessFor::Shared] {
        let limits = Limits { call: Some(Duration::from_secs(90)), ..Limits::default() };
        let gateway = gateway_with(process, limits);
        let client = Client::begin(&gateway).await;
        let mut listening = Events::of(client.listen().await);
        let mut held = Events::of(client.call(7, "hold", json!({})).await);
        pass(Duration::from_secs(89)).await;
        assert_eq!(client.result(8, "echo", json!({"ok":0})).await, json!({"ok":0}));
        pass(Duration::from_secs(2)).await;
        let error = soon(held.next()).await.unwrap();
        assert_eq!((&error["id"], &error["error"]["code"]), (&json!(7), &json!(-32603)), "{process:?}");
        assert!(error["error"]["message"].as_str().unwrap().contains("time"));
        let heard = soon(listening.next()).await.unwrap();
        assert_eq!(heard["params"]["method"], "notifications/cancelled");
        assert_eq!(client.result(8, "echo", json!({"ok":1})).await, json!({"ok":1}));
    }
}

#[tokio::test]
async fn closing_the_gateway_ends_what_is_shared() {
    let gateway = gateway(ProcessFor::Shared);
    let (one, two) = (Client::begin(&gateway).await, Client::begin_as(&gateway, "bob").await);
    let first = pid(&one).await;
    let listening = Events::of(two.listen().await);
    soon(gateway.gateway.close()).await;
    until_gone(first).await;
    assert!(listening.rest().await.is_empty());
    assert_eq!(gateway.post(INITIALIZE).await.status(), StatusCode::SERVICE_UNAVAILABLE);
}

/// A session belongs to its user here as well: the process is shared, the sessions are not.
#[tokio::test]
async fn a_session_belongs_to_its_user() {
    let gateway = gateway(ProcessFor::Shared);
    let alice = Client::begin(&gateway).await;
    let thief = Client {
        gateway: &gateway,
        token: gateway.token_for("bob", "notes:read"),
        session: alice.session.clone(),
    };
    assert_eq!(thief.call(1, "echo", json!({})).await.status(), StatusCode::NOT_FOUND);
    assert_eq!(thief.listen().await.status(), StatusCode::NOT_FOUND);
    let ids: HashSet<_> = [alice.session.clone(), Client::begin(&gateway).await.session].into();
    assert_eq!(ids.len(), 2);
}
