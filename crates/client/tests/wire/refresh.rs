//! Refreshes: one for many, nothing lost, nothing deleted but on proof.

use std::time::Duration;

use hallpass_client::{
    Client, Error,
    interaction::Never,
    store::{FileStore, MemoryStore, TokenStore as _},
};
use hallpass_testkit::authorization_server::Peer;
use serde_json::json;

use crate::support::{Person, builder, clock, list};

/// A store with a login whose access token is no longer good at the server.
async fn stale(peer: &Peer) -> MemoryStore {
    let store = MemoryStore::new();
    let client = builder(peer, &Person::default()).store(store.clone()).build().unwrap();
    client.send(list(&client)).await.unwrap();
    peer.expire_access_tokens();
    store
}

pub(crate) fn unattended(peer: &Peer, store: MemoryStore) -> Client {
    Client::builder(&peer.url())
        .unwrap()
        .interaction(Never)
        .store(store)
        .clock(clock().clock())
        .build()
        .unwrap()
}

#[tokio::test]
async fn sixty_concurrent_401s_make_one_refresh() {
    let peer = Peer::start().await;
    let client = unattended(&peer, stale(&peer).await);
    let calls = (0..60).map(|_| {
        let client = client.clone();
        tokio::spawn(async move { client.send(list(&client)).await.unwrap().status() })
    });
    for call in calls.collect::<Vec<_>>() {
        assert_eq!(call.await.unwrap(), 200);
    }
    assert_eq!(peer.seen().grants("refresh_token"), 1);
}

#[tokio::test]
async fn an_ending_token_is_refreshed_before_it_is_sent() {
    let (peer, person, time) = (Peer::start().await, Person::default(), clock());
    let client = builder(&peer, &person).clock(time.clock()).build().unwrap();
    client.send(list(&client)).await.unwrap();
    time.advance(Duration::from_secs(3599));
    let before = peer.seen().mcp.len();
    let calls = (0..60).map(|_| {
        let client = client.clone();
        tokio::spawn(async move { client.send(list(&client)).await.unwrap().status() })
    });
    for call in calls.collect::<Vec<_>>() {
        assert_eq!(call.await.unwrap(), 200);
    }
    let seen = peer.seen();
    assert_eq!((seen.grants("refresh_token"), seen.mcp.len() - before, person.logins()), (1, 60, 1));
    assert_eq!(seen.token_requests[1]["resource"], peer.url());
}

/// Two clients that share nothing but a file stand for two processes.
#[tokio::test]
async fn two_processes_make_one_refresh() {
    let peer = Peer::start().await;
    let folder = tempfile::tempdir().unwrap();
    let file = || FileStore::new(folder.path().join("tokens.json"));
    let first = builder(&peer, &Person::default()).store(file()).build().unwrap();
    first.send(list(&first)).await.unwrap();
    let second = unattended_file(&peer, file());
    second.send(list(&second)).await.unwrap();
    peer.expire_access_tokens();
    peer.script(|script| script.delay = Duration::from_millis(100));
    let calls = [first.clone(), second.clone(), first, second]
        .map(|client| tokio::spawn(async move { client.send(list(&client)).await.unwrap().status() }));
    for call in calls {
        assert_eq!(call.await.unwrap(), 200);
    }
    assert_eq!(peer.seen().grants("refresh_token"), 1);
}

fn unattended_file(peer: &Peer, store: FileStore) -> Client {
    Client::builder(&peer.url())
        .unwrap()
        .interaction(Never)
        .store(store)
        .clock(clock().clock())
        .build()
        .unwrap()
}

#[tokio::test]
async fn trouble_at_the_server_loses_nothing() {
    let peer = Peer::start().await;
    let store = stale(&peer).await;
    let before = store.read().unwrap();
    let client = unattended(&peer, store.clone());
    for (status, body) in [
        (500, json!({"error": "invalid_grant"})),
        (503, json!({})),
        (429, json!({"error": "slow_down"})),
        (400, json!({"error": "temporarily_unavailable"})),
        (403, json!("a proxy's page")),
        (200, json!({"unexpected": true})),
    ] {
        peer.script(|script| script.refresh = Some((status, body.clone())));
        let error = client.send(list(&client)).await.unwrap_err();
        assert!(!matches!(error, Error::RefreshRejected { .. }), "{status} {body}: {error}");
        assert_eq!(store.read().unwrap(), before, "{status} {body}");
    }
    peer.script(|script| script.refresh = None);
    assert_eq!(client.send(list(&client)).await.unwrap().status(), 200, "and later it works");
}

/// never delete but on proof: these refusals say nothing about the token itself.
#[tokio::test]
async fn a_refusal_for_another_reason_keeps_the_token() {
    for code in
        ["invalid_request", "invalid_client", "unauthorized_client", "invalid_scope", "invalid_target", "x"]
    {
        let peer = Peer::start().await;
        let store = stale(&peer).await;
        let accounts = |store: &MemoryStore| store.read().unwrap().accounts().to_vec();
        let before = accounts(&store);
        let client = unattended(&peer, store.clone());
        peer.script(|script| script.refresh = Some((400, json!({"error": code}))));
        let error = client.send(list(&client)).await.unwrap_err();
        assert!(matches!(error, Error::RefreshRejected { .. }), "{code}: {error}");
        assert_eq!(accounts(&store), before, "{code}");
    }
}

/// claude-code#84614: a pruned dynamic client was replayed for ever.
#[tokio::test]
async fn a_pruned_registration_is_made_anew() {
    let peer = Peer::start().await;
    let store = stale(&peer).await;
    let person = Person::default();
    let client = builder(&peer, &person).store(store).build().unwrap();
    peer.script(|script| script.refresh = Some((401, json!({"error": "invalid_client"}))));
    assert_eq!(client.send(list(&client)).await.unwrap().status(), 200);
    let seen = peer.seen();
    assert_eq!((seen.registrations.len(), person.logins()), (2, 1));
    assert_eq!(seen.authorizations[1]["client_id"], "client-2");
}

#[tokio::test]
async fn a_network_error_keeps_the_token() {
    let peer = Peer::start().await;
    let store = stale(&peer).await;
    // The token endpoint is where nobody listens.
    store
        .update(&mut |document| {
            let mut account = document.current(&peer.url(), "").unwrap().clone();
            account.token_endpoint = "http://127.0.0.1:9/token".into();
            document.put(account);
        })
        .unwrap();
    let before = store.read().unwrap();
    let client = unattended(&peer, store.clone());
    assert!(matches!(client.send(list(&client)).await, Err(Error::Transient { .. })));
    assert_eq!(store.read().unwrap(), before);
}

#[tokio::test]
async fn invalid_grant_forgets_that_very_token_and_nothing_else() {
    let peer = Peer::start().await;
    let store = stale(&peer).await;
    peer.expire_refresh_tokens();
    let other = "https://other.example/mcp";
    store
        .update(&mut |document| {
            let mut account = document.current(&peer.url(), "").unwrap().clone();
            account.server = other.into();
            document.put(account);
        })
        .unwrap();
    let client = unattended(&peer, store.clone());
    assert!(matches!(client.send(list(&client)).await, Err(Error::RefreshRejected { .. })));
    let document = store.read().unwrap();
    assert!(document.current(&peer.url(), "").unwrap().refresh_token.is_none());
    assert!(document.current(other, "").unwrap().refresh_token.is_some());
    assert_eq!(peer.seen().grants("refresh_token"), 1);
    // It is not tried again.
    assert!(matches!(client.send(list(&client)).await, Err(Error::LoginNeeded { .. })));
    assert_eq!(peer.seen().grants("refresh_token"), 1);
}

#[tokio::test]
async fn a_dead_refresh_token_leads_to_a_login_where_a_person_is() {
    let peer = Peer::start().await;
    let store = stale(&peer).await;
    peer.expire_refresh_tokens();
    let person = Person::default();
    let client = builder(&peer, &person).store(store).build().unwrap();
    assert_eq!(client.send(list(&client)).await.unwrap().status(), 200);
    assert_eq!(person.logins(), 1);
}

/// mcp-remote#149: login tabs opened after sleep. Only a refusal by the server opens one.
#[tokio::test]
async fn an_ended_token_is_refused_by_the_server_before_a_person_is_asked() {
    let (peer, person, time) = (Peer::start().await, Person::default(), clock());
    let client = builder(&peer, &person).clock(time.clock()).build().unwrap();
    client.send(list(&client)).await.unwrap();
    time.advance(Duration::from_secs(4000));
    peer.expire_refresh_tokens();
    assert_eq!(client.send(list(&client)).await.unwrap().status(), 200);
    assert_eq!(person.logins(), 1, "by the server's clock the token was still good");
    peer.expire_access_tokens();
    assert_eq!(client.send(list(&client)).await.unwrap().status(), 200);
    let seen = peer.seen();
    assert_eq!((person.logins(), seen.mcp.len(), seen.grants("refresh_token")), (2, 5, 1));
}

#[tokio::test]
async fn a_caller_that_gives_up_does_not_tear_the_refresh() {
    let peer = Peer::start().await;
    let store = stale(&peer).await;
    peer.script(|script| script.delay = Duration::from_millis(100));
    let client = unattended(&peer, store.clone());
    let giving_up = client.clone();
    let caller = tokio::spawn(async move { giving_up.send(list(&giving_up)).await.map(drop) });
    while peer.seen().grants("refresh_token") == 0 {
        tokio::task::yield_now().await;
    }
    caller.abort();
    // The refresh token was spent at the server; its successor is stored though nobody waits for it any more.
    let before = store.read().unwrap();
    while store.read().unwrap() == before {
        tokio::task::yield_now().await;
    }
    assert_eq!(client.send(list(&client)).await.unwrap().status(), 200);
    assert_eq!(peer.seen().grants("refresh_token"), 1);
}

/// Who logged out stays logged out, also where a refresh was under way.
#[tokio::test]
async fn a_logout_is_not_undone_by_a_refresh() {
    let peer = Peer::start().await;
    let store = stale(&peer).await;
    peer.script(|script| script.delay = Duration::from_millis(100));
    let (refreshing, leaving) = (unattended(&peer, store.clone()), unattended(&peer, store.clone()));
    let call = tokio::spawn(async move { refreshing.send(list(&refreshing)).await.map(drop) });
    while peer.seen().grants("refresh_token") == 0 {
        tokio::task::yield_now().await;
    }
    let newest = leaving.logout().await.unwrap();
    let _ = call.await.unwrap();
    assert!(store.read().unwrap().accounts().is_empty());
    let revoked = peer.seen().revoked;
    assert_eq!((newest.len(), revoked.len()), (1, 2));
    let refused = unattended(&peer, store);
    assert!(matches!(refused.send(list(&refused)).await, Err(Error::LoginNeeded { .. })));
    // The token that the refresh brought is the one that was revoked.
    assert!(!revoked.contains(&peer.seen().token_requests[1]["refresh_token"]));
}

#[tokio::test]
async fn tokens_for_a_login_that_is_gone_are_not_kept() {
    let peer = Peer::start().await;
    let store = stale(&peer).await;
    peer.script(|script| script.delay = Duration::from_millis(100));
    let client = unattended(&peer, store.clone());
    let call = tokio::spawn(async move { client.send(list(&client)).await.map(drop) });
    while peer.seen().grants("refresh_token") == 0 {
        tokio::task::yield_now().await;
    }
    store.update(&mut |document| drop(document.remove(&peer.url(), ""))).unwrap();
    assert!(matches!(call.await.unwrap(), Err(Error::LoginNeeded { .. })));
    assert!(store.read().unwrap().accounts().is_empty());
}

/// Another process waits for a person at the browser, for minutes.
#[tokio::test]
async fn a_token_that_is_still_valid_waits_for_no_person() {
    let peer = Peer::start().await;
    let store = stale(&peer).await;
    let time = clock();
    let client = Client::builder(&peer.url())
        .unwrap()
        .interaction(Never)
        .store(store.clone())
        .clock(time.clock())
        .build()
        .unwrap();
    let kept = store.read().unwrap().accounts()[0].clone();
    let _login = store.try_lock(&peer.url()).unwrap().unwrap();
    time.advance(Duration::from_secs(3590));
    tokio::time::pause();
    let an_hour = Duration::from_secs(3600);
    let token = tokio::time::timeout(an_hour, client.token()).await.expect("the wait ends").unwrap();
    assert_eq!(token.token, kept.access_token);
    time.advance(Duration::from_secs(10));
    let ended = tokio::time::timeout(an_hour, client.token()).await.expect("the wait ends");
    assert!(matches!(ended, Err(Error::LoginNeeded { .. })));
    assert_eq!(peer.seen().grants("refresh_token"), 0);
}
