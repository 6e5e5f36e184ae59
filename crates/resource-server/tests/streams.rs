//! Streams of events end with the login that opened them, through the layer.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // Tests fail by panicking.

mod support;

use std::sync::{Arc, LazyLock, RwLock};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::routing::any;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use futures_util::stream;
use hallpass_protocol::challenge::parse_challenges;
use hallpass_protocol::digest::DigestAlgorithm;
use hallpass_protocol::secret::Secret;
use hallpass_resource_server::accounts::{DigestScheme, Shows, hash_password, new_key};
use hallpass_resource_server::{Account, Accounts, AtExpiry, OwnAccounts};
use http::Request;
use http_body_util::BodyExt;
use support::digest::Client;
use support::{NOW, Protected, RESOURCE, protect_with, scopes};
use tower::ServiceExt;

const HOUR: Duration = Duration::from_secs(3600);
/// Longer than it takes until a login is looked at again.
const MINUTE: Duration = Duration::from_secs(60);
const KINDS: [&str; 4] = ["token", "key", "basic", "digest"];

/// What happens while the stream is open.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Event {
    Nothing,
    Revoked,
    Expired,
    /// First the one, then the other.
    ExpiredAndRevoked,
}

/// Made once: it is slow on purpose.
static BASIC: LazyLock<Shows> = LazyLock::new(|| hash_password(&Secret::new("correct horse")).unwrap());

struct House {
    server: Protected,
    router: Router,
    accounts: Arc<RwLock<Vec<Account>>>,
    key: Secret,
}

fn house(streams: AtExpiry) -> House {
    let (key, key_shows) = new_key();
    let password = Secret::new("correct horse");
    let account = |name: &str, shows| Account {
        id: format!("id-of-{name}"),
        name: name.to_owned(),
        scopes: scopes("notes:read"),
        tenant: None,
        created: NOW,
        // As a token of the test's issuer, which may be off by half a minute.
        expires: Some(NOW.after(Duration::from_secs(630))),
        shows,
    };
    let accounts = Arc::new(RwLock::new(vec![
        account("key", key_shows),
        account("basic", BASIC.clone()),
        account("ci", Shows::digest("ci", RESOURCE, &password, &[DigestAlgorithm::Sha256])),
    ]));
    let live = Arc::clone(&accounts);
    let server = protect_with(|settings| {
        settings.streams = streams;
        settings.accounts = Some(OwnAccounts {
            list: Accounts::live(move || Some(Arc::new(live.read().unwrap().clone()))),
            keys: true,
            basic: true,
            digest: Some(DigestScheme::default()),
        });
    });
    let endless = any(async || {
        let events = stream::pending::<Result<Bytes, std::io::Error>>();
        ([("content-type", "text/event-stream")], Body::from_stream(events))
    });
    let router = Router::new().route("/mcp", endless).layer(server.server.layer());
    House { server, router, accounts, key }
}

impl House {
    async fn credential(&self, kind: &str, method: &str) -> String {
        match kind {
            "token" => format!("Bearer {}", self.server.token("notes:read")),
            "key" => format!("Bearer {}", self.key.expose()),
            "basic" => format!("Basic {}", BASE64_STANDARD.encode("basic:correct horse")),
            _ => {
                let request = Request::post("/mcp").body(Body::empty()).unwrap();
                let refused = self.router.clone().oneshot(request).await.unwrap();
                let challenges = parse_challenges(refused.headers());
                let challenge = challenges.iter().find(|one| one.is("Digest")).unwrap();
                Client { method, ..Client::default() }.answer(challenge)
            }
        }
    }

    fn revoke(&self) {
        self.server.revoked.write().unwrap().insert("token-1".to_owned());
        self.accounts.write().unwrap().clear();
    }

    /// Whether a stream that such a credential opened ends when that happens.
    async fn ends(&self, kind: &str, method: &str, event: Event) -> bool {
        let request = Request::builder().method(method).uri("/mcp");
        let request = request.header("authorization", self.credential(kind, method).await);
        let response = self.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(response.status(), 200, "{kind}");
        let mut body = response.into_body();
        assert!(
            tokio::time::timeout(MINUTE, body.frame()).await.is_err(),
            "{kind}: nothing has happened yet"
        );
        match event {
            Event::Nothing => {}
            Event::Revoked => self.revoke(),
            Event::Expired => self.server.clock.advance(HOUR),
            Event::ExpiredAndRevoked => {
                self.server.clock.advance(HOUR);
                drop(tokio::time::timeout(MINUTE, body.frame()).await);
                self.revoke();
            }
        }
        tokio::time::timeout(MINUTE, body.frame()).await.is_ok()
    }
}

/// A minute of paused time is over as soon as nothing else happens.
#[tokio::test(start_paused = true)]
async fn a_stream_ends_when_its_credential_is_revoked_whatever_kind_it_is_of() {
    for kind in KINDS {
        for method in ["GET", "POST"] {
            for (event, ends) in
                [(Event::Nothing, false), (Event::Revoked, true), (Event::ExpiredAndRevoked, true)]
            {
                let ended = house(AtExpiry::default()).ends(kind, method, event).await;
                assert_eq!(ended, ends, "{kind} {method} {event:?}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_expiry_does_is_a_setting() {
    for (streams, listening, answering) in [
        (AtExpiry::EndListening, true, false),
        (AtExpiry::EndAll, true, true),
        (AtExpiry::GoOn, false, false),
    ] {
        for kind in KINDS {
            for (method, ends) in [("GET", listening), ("POST", answering)] {
                let ended = house(streams).ends(kind, method, Event::Expired).await;
                assert_eq!(ended, ends, "{streams:?} {kind} {method}");
            }
        }
    }
}
