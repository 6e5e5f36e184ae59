//! Tokens of third parties in the environment of a stdio server's process.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // Tests fail by panicking.

mod support;

use futures_util::future::join_all;
use hallpass_gateway::upstream::told::Told;
use hallpass_gateway::{Limits, ProcessFor, StdioCommand, Upstream};
use http::StatusCode;
use serde_json::{Value, json};
use support::stdio::{Client, Events, INITIALIZE, program, runs, until_gone};
use support::third_party::ThirdParty;
use support::{Protected, alone, protect};

const SCOPE: &str = "notes:read github";

fn gateway(process: ProcessFor, github: &ThirdParty) -> Protected {
    let token = github.in_variable("GITHUB_TOKEN").for_scope("github".parse().unwrap());
    let upstream = Upstream::stdio(StdioCommand { process, ..program() }, Limits::default());
    protect(upstream.telling(Told::default().with_third_party(token)), false)
}

async fn begin<'g>(gateway: &'g Protected, user: &str, scope: &str) -> Client<'g> {
    Client::begin_with(gateway, gateway.token_for(user, scope)).await
}

async fn token(client: &Client<'_>) -> Value {
    client.result(1, "environment", json!({"name":"GITHUB_TOKEN"})).await
}

async fn pid(client: &Client<'_>) -> u64 {
    client.result(2, "pid", json!({})).await.as_u64().unwrap()
}

/// Its user's own, and only with the scope that stands for it.
#[tokio::test]
async fn a_process_finds_its_users_token() {
    for process in [ProcessFor::Session, ProcessFor::User] {
        let github = ThirdParty::new("GitHub");
        let gateway = gateway(process, &github);
        github.gives_each_their_own();
        let alice = begin(&gateway, "alice", SCOPE).await;
        assert_eq!(token(&alice).await, "alice", "{process:?}");
        let bob = begin(&gateway, "bob", SCOPE).await;
        assert_eq!(token(&bob).await, "bob", "{process:?}");
        let without = begin(&gateway, "alice", "notes:read").await;
        assert_eq!(token(&without).await, Value::Null, "{process:?}");
        let (first, second) = (pid(&alice).await, pid(&without).await);
        assert_ne!(first, second, "{process:?}");
        assert_eq!(
            pid(&alice).await,
            first,
            "{process:?}: nobody's process is replaced by another's request"
        );
        // Nobody is in a session whose process has more, or less, than their own token lets them.
        for (client, scope) in [(&alice, "notes:read"), (&without, SCOPE)] {
            let other =
                Client { token: gateway.token(scope), session: client.session.clone(), gateway: &gateway };
            assert_eq!(other.call(3, "pid", json!({})).await.status(), StatusCode::NOT_FOUND);
            assert_eq!(other.listen().await.status(), StatusCode::NOT_FOUND);
            assert_eq!(other.end().await.status(), StatusCode::NOT_FOUND);
        }
    }
}

#[tokio::test]
async fn what_everybody_shares_has_nobodys_token() {
    let github = ThirdParty::new("GitHub");
    let gateway = gateway(ProcessFor::Shared, &github);
    assert_eq!(token(&begin(&gateway, "alice", SCOPE).await).await, Value::Null);
    assert_eq!(github.asked(), 0);
}

/// A session's own process lives as long as the session, and keeps what it was started with.
#[tokio::test]
async fn a_process_of_a_sessions_own_keeps_its_token() {
    let github = ThirdParty::new("GitHub");
    github.gives("old");
    let gateway = gateway(ProcessFor::Session, &github);
    let client = begin(&gateway, "alice", SCOPE).await;
    github.gives("new");
    assert_eq!(token(&client).await, "old");
    assert_eq!(token(&begin(&gateway, "alice", SCOPE).await).await, "new");
}

/// Where sessions share a process, another one takes its place once nothing is under way.
#[tokio::test]
async fn a_renewed_token_is_in_the_next_process() {
    let github = ThirdParty::new("GitHub");
    github.gives("old");
    let gateway = gateway(ProcessFor::User, &github);
    let client = begin(&gateway, "alice", SCOPE).await;
    let first = pid(&client).await;
    let params = json!({"_meta":{"progressToken":"p"}});
    let mut held = Events::of(client.call(10, "progress-and-hold", params).await);
    assert_eq!(held.next().await.unwrap()["method"], "notifications/progress");
    github.gives("new");
    assert_eq!((token(&client).await, pid(&client).await), (json!("old"), first), "a call is under way");
    let cancelled = json!({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":10}});
    client.post(&cancelled).await;
    assert_eq!(token(&client).await, "new");
    assert_ne!(pid(&client).await, first);
    until_gone(first).await;
    // A token that is the same changes nothing.
    let second = pid(&client).await;
    assert_eq!(pid(&begin(&gateway, "alice", SCOPE).await).await, second);
}

/// Clients of 2026-07-28 have a process for all their requests, which would else live with an old token for ever.
#[tokio::test]
async fn requests_that_stand_alone_find_a_renewed_token() {
    let github = ThirdParty::new("GitHub");
    let gateway = gateway(ProcessFor::Session, &github);
    let ask = async |scope: &str| {
        let fields = [("mcp-protocol-version", alone::NOW), ("mcp-method", "environment")];
        let message = alone::message(1, "environment", json!({"name":"GITHUB_TOKEN"}));
        let request = gateway.request_as(&gateway.token(scope), "POST");
        let request = fields.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let response = gateway.send(request.body(message.to_string().into()).unwrap()).await;
        alone::document(response).await.1["result"].clone()
    };
    github.gives("old");
    assert_eq!(ask(SCOPE).await, "old");
    github.gives("new");
    assert_eq!(ask(SCOPE).await, "new");
    assert_eq!(ask("notes:read").await, Value::Null);
    github.is_linked_anew("another's");
    assert_eq!(ask(SCOPE).await, "another's");
}

/// Whose account is not linked any more has no process with its token, and nothing can be asked of it; a session can be ended.
#[tokio::test]
async fn an_account_that_is_unlinked_takes_its_processes_with_it() {
    for process in [ProcessFor::Session, ProcessFor::User] {
        let github = ThirdParty::new("GitHub");
        let gateway = gateway(process, &github);
        github.gives("good");
        let (alice, bob) = (begin(&gateway, "alice", SCOPE).await, begin(&gateway, "bob", SCOPE).await);
        let without = begin(&gateway, "alice", "notes:read").await;
        let (of_alice, of_bob, none) = (pid(&alice).await, pid(&bob).await, pid(&without).await);
        github.is_unlinked();
        assert_eq!(alice.call(3, "pid", json!({})).await.status(), StatusCode::FORBIDDEN);
        until_gone(of_alice).await;
        assert!(runs(of_bob) && runs(none), "{process:?}");
        let request = gateway.request_as(&gateway.token(SCOPE), "POST");
        assert_eq!(
            gateway.send(request.body(INITIALIZE.into()).unwrap()).await.status(),
            StatusCode::FORBIDDEN
        );
        let count = github.asked();
        assert_eq!(bob.end().await.status(), StatusCode::NO_CONTENT);
        assert_eq!(github.asked(), count);
        github.gives("again");
        // Linked again: a session that has had its own process begins anew, others go on.
        match process {
            ProcessFor::Session => {
                assert_eq!(alice.call(3, "pid", json!({})).await.status(), StatusCode::NOT_FOUND);
            }
            _ => assert_eq!(token(&alice).await, "again"),
        }
    }
}

/// What was renewed does not become the old one again, whoever comes late with what they had been given.
#[tokio::test]
async fn an_old_token_takes_no_new_ones_place() {
    let github = ThirdParty::new("GitHub");
    let gateway = gateway(ProcessFor::User, &github);
    github.gives_version(1, "old");
    let (one, other) = (begin(&gateway, "alice", SCOPE).await, begin(&gateway, "alice", SCOPE).await);
    github.gives_version(2, "new");
    assert_eq!(token(&one).await, "new");
    let second = pid(&one).await;
    github.gives_version(1, "old");
    assert_eq!((token(&other).await, pid(&other).await), (json!("new"), second));
    assert_eq!(pid(&begin(&gateway, "alice", SCOPE).await).await, second);
}

/// However many come with a renewed token at once: none of their calls is lost with the process whose place is taken, and there is
/// one that takes it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_who_come_with_a_renewed_token_have_one_process() {
    let github = ThirdParty::new("GitHub");
    let gateway = gateway(ProcessFor::User, &github);
    let (gateway, github) = (&gateway, &github);
    github.gives("0");
    let clients = join_all((0..8).map(|_| begin(gateway, "alice", SCOPE))).await;
    for round in 1..6 {
        github.gives(&round.to_string());
        // Nothing is under way, so whoever comes first replaces the process.
        let pids = join_all(clients.iter().map(pid)).await;
        assert!(pids.iter().all(|other| *other == pids[0]), "{pids:?}");
        assert_eq!(token(&clients[0]).await, round.to_string());
    }
}

/// What is another account's is another process's, also for a client that has unlinked and linked meanwhile; the one with the token
/// of before ends.
#[tokio::test]
async fn another_link_is_another_process() {
    for process in [ProcessFor::Session, ProcessFor::User] {
        for comes_back in [true, false] {
            let github = ThirdParty::new("GitHub");
            let gateway = gateway(process, &github);
            github.gives("first");
            let (alice, bob) = (begin(&gateway, "alice", SCOPE).await, begin(&gateway, "bob", SCOPE).await);
            let idle = begin(&gateway, "alice", SCOPE).await;
            let without = begin(&gateway, "alice", "notes:read").await;
            let (of_alice, of_bob, none) = (pid(&alice).await, pid(&bob).await, pid(&without).await);
            github.is_linked_anew("second");
            if comes_back {
                for response in [alice.call(3, "pid", json!({})).await, alice.listen().await] {
                    assert_eq!(response.status(), StatusCode::NOT_FOUND, "{process:?}");
                }
            }
            let anew = begin(&gateway, "alice", SCOPE).await;
            assert_eq!(token(&anew).await, "second", "{process:?}");
            assert_eq!(token(&anew).await, "second", "{process:?}: and stays it");
            until_gone(of_alice).await;
            assert!(runs(of_bob) && runs(none), "{process:?}");
            assert_eq!(idle.call(3, "pid", json!({})).await.status(), StatusCode::NOT_FOUND);
        }
    }
}

/// Whoever ends a session is asked about no account.
#[tokio::test]
async fn a_session_of_another_link_can_be_ended() {
    let github = ThirdParty::new("GitHub");
    let gateway = gateway(ProcessFor::Session, &github);
    github.gives("first");
    let alice = begin(&gateway, "alice", SCOPE).await;
    let first = pid(&alice).await;
    github.is_linked_anew("second");
    assert_eq!(alice.end().await.status(), StatusCode::NO_CONTENT);
    until_gone(first).await;
}

/// Its session says whether a client of 2025-11-25 can be led to a page.
#[tokio::test]
async fn a_client_that_can_be_led_is_led() {
    let github = ThirdParty::new("GitHub");
    let gateway = gateway(ProcessFor::User, &github);
    let able = json!({"protocolVersion":"2025-11-25","capabilities":{"elicitation":{"url":{}}}});
    let initialize = json!({"jsonrpc":"2.0","id":0,"method":"initialize","params":able}).to_string();
    let begin = gateway.request_as(&gateway.token(SCOPE), "POST").body(initialize.into()).unwrap();
    let session = gateway.send(begin).await.headers()["mcp-session-id"].clone();
    github.is_unlinked();
    let client = Client { token: gateway.token(SCOPE), session, gateway: &gateway };
    let response = client.call(5, "pid", json!({})).await;
    let (status, said) = alone::document(response).await;
    assert_eq!((status, &said["error"]["code"], &said["id"]), (StatusCode::OK, &json!(-32042), &json!(5)));
}
