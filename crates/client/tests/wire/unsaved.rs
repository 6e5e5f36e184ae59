//! Tokens that a store did not take: told of, used, and stored in the end, unless something newer was.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
    time::Duration,
};

use hallpass_client::{
    Client, Error,
    store::{Document, MemoryStore, StoreError, StoreLock, TokenStore},
};
use hallpass_testkit::{authorization_server::Peer, clock::FakeClock};

use crate::{
    refresh::unattended,
    support::{Person, builder, clock, list},
};

/// A disk that fills up.
#[derive(Clone, Default)]
struct Full {
    kept: MemoryStore,
    is_full: Arc<AtomicBool>,
    /// How often it still fails.
    failures: Arc<AtomicUsize>,
    /// What the next update waits for, before it begins.
    gate: Arc<Mutex<Option<mpsc::Receiver<()>>>>,
    has_passed: Arc<AtomicBool>,
}

impl TokenStore for Full {
    fn read(&self) -> Result<Document, StoreError> {
        self.kept.read()
    }

    fn update(&self, change: &mut dyn FnMut(&mut Document)) -> Result<(), StoreError> {
        let gate = self.gate.lock().unwrap().take();
        if let Some(gate) = gate {
            let _ = gate.recv();
            let done = self.kept.update(change);
            self.has_passed.store(true, Ordering::SeqCst);
            return done;
        }
        let one_less = |left: usize| left.checked_sub(1);
        let fails = self.failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less).is_ok();
        if fails || self.is_full.load(Ordering::SeqCst) {
            let path = "tokens.json".into();
            return Err(StoreError::Io { path, action: "written", detail: "no space left".into() });
        }
        self.kept.update(change)
    }

    fn try_lock(&self, name: &str) -> Result<Option<StoreLock>, StoreError> {
        self.kept.try_lock(name)
    }
}

/// The old refresh token is spent, so to drop the new one would be to lose the login.
#[tokio::test]
async fn a_token_that_could_not_be_stored_is_told_of_and_not_lost() {
    let (peer, store, time) = (Peer::start().await, Full::default(), clock());
    let client = builder(&peer, &Person::default()).store(store.clone()).clock(time.clock()).build().unwrap();
    client.send(list(&client)).await.unwrap();
    let old = store.read().unwrap();
    peer.expire_access_tokens();
    store.is_full.store(true, Ordering::SeqCst);
    let before = peer.seen().mcp.len();
    let error = client.send(list(&client)).await.unwrap_err();
    assert!(matches!(error, Error::Store(_)), "{error}");
    assert_eq!(peer.seen().mcp.len(), before + 1, "who found out is told, and nothing else is sent");
    for _ in 0..2 {
        assert_eq!(client.send(list(&client)).await.unwrap().status(), 200, "this process goes on");
        time.advance(Duration::from_secs(6));
    }
    assert_eq!(store.read().unwrap(), old);

    // Room again: the tokens that are good now are stored, also after yet another refresh.
    peer.expire_access_tokens();
    assert!(matches!(client.send(list(&client)).await, Err(Error::Store(_))));
    store.is_full.store(false, Ordering::SeqCst);
    time.advance(Duration::from_secs(6));
    let token = client.token().await.unwrap().token;
    assert_eq!(store.read().unwrap().accounts()[0].access_token, token);
    assert_ne!(old.accounts()[0].access_token, token);
    assert_eq!(peer.seen().grants("refresh_token"), 2);
    let restarted = unattended(&peer, store.kept.clone());
    peer.expire_access_tokens();
    assert_eq!(restarted.send(list(&restarted)).await.unwrap().status(), 200);
}

/// What could not be stored must not come back over a newer login or a logout.
#[tokio::test]
async fn a_token_that_could_not_be_stored_gives_way_to_what_was_stored_since() {
    for logs_out in [true, false] {
        let (peer, store, time) = (Peer::start().await, Full::default(), clock());
        let client =
            builder(&peer, &Person::default()).store(store.clone()).clock(time.clock()).build().unwrap();
        client.send(list(&client)).await.unwrap();
        peer.expire_access_tokens();
        store.is_full.store(true, Ordering::SeqCst);
        assert!(matches!(client.send(list(&client)).await, Err(Error::Store(_))));
        store.is_full.store(false, Ordering::SeqCst);
        let other = builder(&peer, &Person::default()).store(store.kept.clone()).build().unwrap();
        if logs_out {
            other.logout().await.unwrap();
        } else {
            other.login().await.unwrap();
        }
        let kept = store.read().unwrap();
        time.advance(Duration::from_secs(6));
        let token = client.token().await;
        assert_eq!(store.read().unwrap(), kept, "logs out: {logs_out}");
        assert_eq!(token.ok().map(|t| t.token), kept.accounts().first().map(|a| a.access_token.clone()));
    }
}

/// A first login that could not be stored; the client id is nobody's to store.
async fn unstored(failures: usize) -> (Peer, Full, FakeClock, Client) {
    let (peer, store, time) = (Peer::start().await, Full::default(), clock());
    let ids = serde_json::json!({peer.origin.clone(): "public"});
    peer.script(|script| script.resource_metadata = serde_json::json!({"public_client_id": ids}));
    let client = builder(&peer, &Person::default()).store(store.clone()).clock(time.clock()).build().unwrap();
    store.failures.store(failures, Ordering::SeqCst);
    assert!(matches!(client.login().await, Err(Error::Store(_))));
    (peer, store, time, client)
}

/// Room appears between the second try to store the login, and the refresh's write.
#[tokio::test]
async fn a_first_login_that_could_not_be_stored_is_stored_with_its_renewal() {
    let (peer, store, _, client) = unstored(2).await;
    peer.expire_access_tokens();
    assert_eq!(client.send(list(&client)).await.unwrap().status(), 200);
    assert_eq!(peer.seen().grants("refresh_token"), 1);
    let token = client.token().await.unwrap().token;
    assert_eq!(store.read().unwrap().accounts()[0].access_token, token);
}

/// The store hangs while a request tries it again; the person logs out; then the store goes on.
#[tokio::test]
async fn what_was_logged_out_of_is_not_stored_by_an_earlier_try() {
    let (_peer, store, time, client) = unstored(1).await;
    let (open, gate) = mpsc::channel();
    *store.gate.lock().unwrap() = Some(gate);
    time.advance(Duration::from_secs(6));
    let trying = client.clone();
    let call = tokio::spawn(async move { trying.send(list(&trying)).await.map(drop) });
    while store.gate.lock().unwrap().is_some() {
        tokio::task::yield_now().await;
    }
    // While one tries, others go on with the token that is not stored.
    assert_eq!(client.send(list(&client)).await.unwrap().status(), 200);
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    assert_eq!(client.logout().await.unwrap().len(), 1);
    drop(open);
    while !store.has_passed.load(Ordering::SeqCst) {
        tokio::task::yield_now().await;
    }
    assert!(store.read().unwrap().accounts().is_empty());
}

#[tokio::test]
async fn a_logout_revokes_what_could_not_be_stored() {
    let (peer, store) = (Peer::start().await, Full::default());
    let client = builder(&peer, &Person::default()).store(store.clone()).build().unwrap();
    client.send(list(&client)).await.unwrap();
    peer.expire_access_tokens();
    store.is_full.store(true, Ordering::SeqCst);
    assert!(matches!(client.send(list(&client)).await, Err(Error::Store(_))));
    let token = client.token().await.unwrap().token;
    assert!(client.logout().await.is_err(), "the file still has the old login");
    assert!(peer.seen().revoked.contains(&token.expose().to_owned()));
}

/// The store hangs while a request tries to store a login; meanwhile it is renewed, and the renewal is not stored
/// either. When the store goes on, the older one must not get in: the newer one would be taken for superseded, and lost.
#[tokio::test]
async fn an_older_login_is_not_stored_while_a_newer_one_waits() {
    let (peer, store, time, client) = unstored(1).await;
    let (open, gate) = mpsc::channel();
    *store.gate.lock().unwrap() = Some(gate);
    time.advance(Duration::from_secs(6));
    let trying = client.clone();
    let call = tokio::spawn(async move { trying.send(list(&trying)).await.map(drop) });
    while store.gate.lock().unwrap().is_some() {
        tokio::task::yield_now().await;
    }
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    peer.expire_access_tokens();
    store.is_full.store(true, Ordering::SeqCst);
    assert!(matches!(client.send(list(&client)).await, Err(Error::Store(_))));
    assert_eq!(peer.seen().grants("refresh_token"), 1);
    let newer = client.token().await.unwrap().token;
    drop(open);
    while !store.has_passed.load(Ordering::SeqCst) {
        tokio::task::yield_now().await;
    }
    assert!(store.read().unwrap().accounts().is_empty(), "the older one came too late");
    store.is_full.store(false, Ordering::SeqCst);
    time.advance(Duration::from_secs(6));
    assert_eq!(client.send(list(&client)).await.unwrap().status(), 200);
    assert_eq!(store.read().unwrap().accounts()[0].access_token, newer);
}

/// The store cannot forget the refresh token that was refused; the process does. The old token may do for a while.
#[tokio::test]
async fn a_dead_refresh_token_that_stays_in_the_store_is_in_nobodys_way() {
    let (peer, store, person) = (Peer::start().await, Full::default(), Person::default());
    // Less than what a token must have left to be sent.
    peer.script(|script| script.expires_in = 20);
    let client = builder(&peer, &person).store(store.clone()).build().unwrap();
    client.login().await.unwrap();
    peer.expire_refresh_tokens();
    store.is_full.store(true, Ordering::SeqCst);
    assert!(matches!(client.send(list(&client)).await, Err(Error::Store(_))));
    for _ in 0..2 {
        assert_eq!(client.send(list(&client)).await.unwrap().status(), 200);
    }
    assert_eq!(peer.seen().grants("refresh_token"), 1, "it is not sent again");
}
