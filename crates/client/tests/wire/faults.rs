//! Servers in trouble, at every place that is asked: each fault is named, bounded, and costs no token.

use std::{
    net::TcpListener as StdListener,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    response::Response,
};
use futures_util::stream;
use hallpass_client::{
    Client, Error, Revocation, Rule, Step,
    interaction::Never,
    store::{MemoryStore, TokenStore as _},
};
use hallpass_guarded_fetch::Policy;
use hallpass_testkit::authorization_server::Peer;
use serde_json::json;

use crate::support::{Person, builder, clock, list};

/// Every URL that is fetched in the life of a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    ResourceMetadata,
    ServerMetadata,
    Registration,
    Push,
    Token,
    Refresh,
    Revocation,
}

impl Place {
    const ALL: [Self; 7] = [
        Self::ResourceMetadata,
        Self::ServerMetadata,
        Self::Registration,
        Self::Push,
        Self::Token,
        Self::Refresh,
        Self::Revocation,
    ];

    fn step(self) -> Step {
        match self {
            Self::ResourceMetadata | Self::ServerMetadata => Step::Discover,
            Self::Registration => Step::Register,
            Self::Push => Step::Push,
            Self::Token => Step::Redeem,
            Self::Refresh => Step::Refresh,
            Self::Revocation => Step::Revoke,
        }
    }

    /// Puts that URL in the hands of `origin`.
    fn give(self, peer: &Peer, origin: &str) {
        let (url, origin) = (format!("{origin}/x"), origin.to_owned());
        peer.script(|script| match self {
            Self::ResourceMetadata => {
                script.challenge = Some(format!("Bearer resource_metadata=\"{url}\""));
                // So that nothing else is found in its place.
                script.resource = None;
                script.issuer = None;
            }
            Self::ServerMetadata => script.authorization_servers = Some(vec![origin]),
            Self::Registration => script.metadata = json!({"registration_endpoint": url}),
            Self::Push => script.metadata = json!({"pushed_authorization_request_endpoint": url}),
            Self::Token | Self::Refresh => script.metadata = json!({"token_endpoint": url}),
            Self::Revocation => script.metadata = json!({"revocation_endpoint": url}),
        });
    }
}

/// What the client says when `origin` has that place. A login that was there is there afterwards.
async fn said(place: Place, origin: &str, limit: Duration) -> Error {
    outcome(place, origin, limit).await.unwrap_err()
}

async fn outcome(place: Place, origin: &str, limit: Duration) -> Result<(), Error> {
    let (peer, person, store) = (Peer::start().await, Person::default(), MemoryStore::new());
    let policy = Policy { allow_loopback: true, timeout: limit, ..Policy::default() };
    let build = || builder(&peer, &person).store(store.clone()).fetch_policy(policy.clone()).build().unwrap();
    let client = build();
    if place == Place::Revocation {
        place.give(&peer, origin);
        client.login().await.unwrap();
        let ended = client.logout().await.unwrap();
        let Revocation::Failed(error) = ended[0].revocation.clone() else { panic!("{ended:?}") };
        return Err(error);
    }
    if place == Place::Refresh {
        client.login().await.unwrap();
        peer.expire_access_tokens();
        let url = format!("{origin}/x");
        let moved = move |document: &mut hallpass_client::store::Document| {
            let mut account = document.accounts()[0].clone();
            account.token_endpoint = url.clone();
            document.put(account);
        };
        let mut moved = moved;
        store.update(&mut moved).unwrap();
    } else {
        place.give(&peer, origin);
    }
    let before = store.read().unwrap().accounts().to_vec();
    // What was read before is in the memory of the first.
    let client = if place == Place::Refresh { build() } else { client };
    let sent = client.send(list(&client)).await.map(drop);
    if sent.is_err() {
        assert_eq!(store.read().unwrap().accounts(), before, "{place:?}: {sent:?}");
    }
    sent
}

const PATIENCE: Duration = Duration::from_secs(60);

/// A server that gives every question one answer, and counts the questions.
pub(crate) struct Trouble {
    pub(crate) origin: String,
    asked: Arc<AtomicUsize>,
}

impl Trouble {
    pub(crate) async fn start(answer: impl Fn() -> Response + Clone + Send + Sync + 'static) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&asked);
        let router = Router::new().fallback(move || {
            counted.fetch_add(1, Ordering::SeqCst);
            std::future::ready(answer())
        });
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { origin, asked }
    }

    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

pub(crate) fn answer(status: u16, fields: &[(&str, &str)], body: &'static str) -> Response {
    let mut response = Response::builder().status(status);
    for (name, value) in fields {
        response = response.header(*name, *value);
    }
    response.body(Body::from(body)).unwrap()
}

fn is_transient(error: &Error, place: Place, wait: Option<u64>) -> bool {
    matches!(error, Error::Transient { step, retry_after, .. }
        if *step == place.step() && retry_after.map(|wait| wait.as_secs()) == wait)
}

#[tokio::test]
async fn a_server_that_is_down_is_named_and_costs_nothing() {
    for place in Place::ALL {
        let closed = StdListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let error = said(place, &format!("http://{closed}"), PATIENCE).await;
        assert!(is_transient(&error, place, None), "{place:?}: {error}");
        assert!(error.to_string().contains(&closed.to_string()), "{place:?}: {error}");
    }
}

/// It takes the connection and never says a word.
#[tokio::test]
async fn a_server_that_is_slow_is_not_waited_for_longer_than_the_limit() {
    let all = Place::ALL.map(|place| async move {
        let silent = StdListener::bind("127.0.0.1:0").unwrap();
        let origin = format!("http://{}", silent.local_addr().unwrap());
        let error = said(place, &origin, Duration::from_secs(2)).await;
        assert!(is_transient(&error, place, None), "{place:?}: {error}");
        assert!(error.to_string().contains("did not answer in full within 2s"), "{place:?}: {error}");
    });
    futures_util::future::join_all(all).await;
}

#[tokio::test]
async fn trouble_at_a_server_is_told_apart_from_a_refusal_and_says_when_to_come_back() {
    for (status, fields, wait) in [
        (500, &[][..], None),
        (502, &[("content-type", "text/html")], None),
        (503, &[("retry-after", "7")], Some(7)),
        (429, &[("retry-after", "120")], Some(120)),
        (
            429,
            &[("date", "Sun, 06 Nov 1994 08:49:37 GMT"), ("retry-after", "Sun, 06 Nov 1994 08:51:37 GMT")],
            Some(120),
        ),
    ] {
        let trouble = Trouble::start(move || answer(status, fields, "{\"error\":\"invalid_grant\"}")).await;
        for place in Place::ALL {
            if place == Place::Revocation {
                continue;
            }
            let error = said(place, &trouble.origin, PATIENCE).await;
            assert!(is_transient(&error, place, wait), "{status} {place:?}: {error}");
        }
        // A logout goes on all the same, and says what was not done.
        let error = said(Place::Revocation, &trouble.origin, PATIENCE).await;
        assert!(is_transient(&error, Place::Revocation, wait), "{status}: {error}");
    }
}

/// A server that asks for time is asked again after it, however many requests there are.
#[tokio::test]
async fn a_server_that_asks_for_time_is_not_hammered() {
    let (peer, time, store) = (Peer::start().await, clock(), MemoryStore::new());
    let person = Person::default();
    let client = builder(&peer, &person).store(store.clone()).clock(time.clock()).build().unwrap();
    client.login().await.unwrap();
    let busy = Trouble::start(|| answer(429, &[("retry-after", "120")], "")).await;
    let (url, own) = (format!("{}/token", busy.origin), format!("{}/token", peer.origin));
    let point = |url: &str| {
        let url = url.to_owned();
        store
            .update(&mut |document| {
                let mut account = document.accounts()[0].clone();
                account.token_endpoint = url.clone();
                document.put(account);
            })
            .unwrap();
        let never = Client::builder(&peer.url()).unwrap().interaction(Never).store(store.clone());
        never.clock(time.clock()).build().unwrap()
    };
    let client = point(&url);
    peer.expire_access_tokens();
    let calls = (0..60).map(|_| {
        let client = client.clone();
        tokio::spawn(async move { client.send(list(&client)).await.unwrap_err() })
    });
    for call in calls.collect::<Vec<_>>() {
        let error = call.await.unwrap();
        assert!(is_transient(&error, Place::Refresh, Some(120)), "{error}");
    }
    time.advance(Duration::from_secs(100));
    let error = client.send(list(&client)).await.unwrap_err();
    assert!(is_transient(&error, Place::Refresh, Some(20)), "{error}");
    assert_eq!(busy.asked(), 1, "sixty-one requests, one question");
    time.advance(Duration::from_secs(20));
    assert!(client.send(list(&client)).await.is_err());
    assert_eq!(busy.asked(), 2, "the time is over");
    let client = point(&own);
    assert_eq!(client.send(list(&client)).await.unwrap().status(), 200, "and no token was lost");
}

/// An HTML page with 200, as sites answer that know every path; and forms where JSON is due.
#[tokio::test]
async fn what_is_not_json_is_named_for_what_it_is() {
    for (label, body) in
        [("text/html", "<html>Welcome</html>"), ("application/x-www-form-urlencoded", "access_token=canary")]
    {
        let page = Trouble::start(move || answer(200, &[("content-type", label)], body)).await;
        for place in [Place::ServerMetadata, Place::Push, Place::Token, Place::Refresh] {
            let error = said(place, &page.origin, PATIENCE).await;
            assert!(
                matches!(&error, Error::Misconfigured { step, .. } if *step == place.step()),
                "{place:?}: {error}"
            );
            assert!(error.to_string().contains(label), "{place:?}: {error}");
            assert!(!error.to_string().contains("canary"), "{error}");
        }
        let error = said(Place::Registration, &page.origin, PATIENCE).await;
        assert!(
            matches!(&error, Error::Misconfigured { rule: Rule::Malformed(_), .. })
                && !error.to_string().contains("canary"),
            "{error}"
        );
    }
}

/// 100 MB, announced and unannounced: what is read is bounded, whatever is sent.
#[tokio::test]
async fn an_endless_answer_is_not_read() {
    const WHOLE: usize = 100 << 20;
    for announced in [true, false] {
        for place in Place::ALL {
            let sent = Arc::new(AtomicUsize::new(0));
            let counted = Arc::clone(&sent);
            let large = Trouble::start(move || {
                let counted = Arc::clone(&counted);
                let chunk = Bytes::from_static(&[b' '; 64 * 1024]);
                let body = stream::unfold(0, move |at| {
                    let (counted, chunk) = (Arc::clone(&counted), chunk.clone());
                    async move {
                        counted.fetch_add(chunk.len(), Ordering::SeqCst);
                        (at < WHOLE).then(|| (Ok::<_, std::io::Error>(chunk.clone()), at + chunk.len()))
                    }
                });
                let response = Response::builder().header("content-type", "application/json");
                let response = if announced { response.header("content-length", WHOLE) } else { response };
                response.body(Body::from_stream(body)).unwrap()
            })
            .await;
            let error = said(place, &large.origin, PATIENCE).await;
            let expected = "sent more than 262144 bytes";
            assert!(error.to_string().contains(expected), "{place:?} {announced}: {error}");
            // The rest is what fits into the buffers between the two.
            assert!(sent.load(Ordering::SeqCst) < WHOLE / 4, "{place:?}: {}", sent.load(Ordering::SeqCst));
        }
    }
}

/// To itself for ever, and to someone else: what is sent to a server is for that server.
#[tokio::test]
async fn no_redirect_is_followed_from_any_place() {
    let elsewhere = Trouble::start(|| answer(200, &[("content-type", "application/json")], "{}")).await;
    for place in Place::ALL {
        for statuses in [[301, 307], [302, 308]] {
            for (status, target) in
                statuses.into_iter().zip(["/x".to_owned(), format!("{}/x", elsewhere.origin)])
            {
                let to = target.clone();
                let turning = Trouble::start(move || answer(status, &[("location", &to)], "")).await;
                let outcome = outcome(place, &turning.origin, PATIENCE).await;
                assert_eq!(elsewhere.asked(), 0, "{place:?} {status}");
                if place == Place::ResourceMetadata {
                    // No document there: what the server itself has at the usual places counts.
                    assert_eq!((turning.asked(), outcome.is_ok()), (1, true));
                    continue;
                }
                let error = outcome.unwrap_err();
                let is_named = matches!(&error, Error::Misconfigured { step, .. } if *step == place.step());
                assert!(is_named, "{place:?} {status} {target}: {error}");
                // Metadata has three places where it may be.
                assert!(turning.asked() <= 3, "{place:?} {status}: {} requests", turning.asked());
            }
        }
    }
}

#[tokio::test]
async fn an_mcp_endpoint_that_redirects_for_ever_is_left_alone() {
    let (peer, person) = (Peer::start().await, Person::default());
    let target = peer.url();
    peer.script(|script| script.redirect = Some(target));
    let client = builder(&peer, &person).build().unwrap();
    assert_eq!(client.send(list(&client)).await.unwrap().status(), 307);
    assert!(peer.seen().mcp.len() <= 6);
}
