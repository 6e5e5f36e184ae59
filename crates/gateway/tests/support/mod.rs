//! A protected gateway, and a way to call it.

#![allow(dead_code)] // Each test file uses its own part of this.

pub(crate) mod alone;
pub(crate) mod stdio;
pub(crate) mod third_party;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use axum::{Router, body};
use hallpass_gateway::{Gateway, Listing, ServerLimits, Settings, Upstream};
use hallpass_protocol::resource::ResourceIdentifier;
use hallpass_protocol::scope::ScopeSet;
use hallpass_protocol::time::Timestamp;
use hallpass_resource_server::policy::Rule;
use hallpass_resource_server::{FrontDoor, Keys, Policy, ResourceServer, Revocations, TrustedIssuer};
use hallpass_testkit::clock::FakeClock;
use hallpass_testkit::issuer::TestIssuer;
use http::Request;
use tower::ServiceExt;

pub(crate) const RESOURCE: &str = "http://localhost:8080/mcp";
pub(crate) const OWN: &str = "http://localhost:8080";
pub(crate) const OTHER: &str = "https://login.example.com";
pub(crate) const NOW: Timestamp = Timestamp::from_unix(1_800_000_000);

pub(crate) struct Protected {
    pub(crate) gateway: Gateway,
    pub(crate) router: Router,
    pub(crate) issuer: TestIssuer,
    /// Another that is trusted, [`OTHER`].
    pub(crate) other: TestIssuer,
    pub(crate) clock: FakeClock,
    /// Whether every token is revoked.
    pub(crate) revoked: Arc<AtomicBool>,
}

/// A gateway before that upstream; every request needs `notes:read`, `write_*` needs `notes:write`
/// where `tools` says so.
pub(crate) fn protect(upstream: Upstream, tools: bool) -> Protected {
    let read = ScopeSet::parse("notes:read").unwrap();
    let write = Rule::scopes("write_*", ScopeSet::parse("notes:write").unwrap());
    let policy = Policy {
        login: read.clone(),
        required: read,
        tools: if tools { vec![write] } else { Vec::new() },
        ..Policy::default()
    };
    protect_with(upstream, policy, Listing::default())
}

/// A gateway before that upstream, with that policy.
pub(crate) fn protect_with(upstream: Upstream, policy: Policy, listing: Listing) -> Protected {
    put_together(upstream, policy, listing, ServerLimits::default())
}

/// A gateway before that upstream that has only so much of it.
pub(crate) fn protect_limited(upstream: Upstream, limits: ServerLimits) -> Protected {
    let read = ScopeSet::parse("notes:read").unwrap();
    let policy = Policy { login: read.clone(), required: read, ..Policy::default() };
    put_together(upstream, policy, Listing::default(), limits)
}

fn put_together(upstream: Upstream, policy: Policy, listing: Listing, limits: ServerLimits) -> Protected {
    let issuer = TestIssuer::new(OWN);
    let clock = FakeClock::at(NOW);
    let resource = ResourceIdentifier::parse(RESOURCE).unwrap();
    let mut settings = hallpass_resource_server::Settings::new(resource.clone(), clock.clock());
    settings.issuers.push(TrustedIssuer::new(issuer.issuer.clone(), Keys::fixed(issuer.keys())));
    settings.own_issuer = Some(issuer.issuer.clone());
    let other = TestIssuer::new(OTHER);
    settings.issuers.push(TrustedIssuer::new(other.issuer.clone(), Keys::fixed(other.keys())));
    settings.policy = policy;
    let revoked = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&revoked);
    settings.revocations = Revocations::new(move |_| asked.load(Ordering::SeqCst));
    let front_door = FrontDoor::new(resource.url(), &[]);
    let gateway =
        Gateway::new(ResourceServer::new(settings), upstream, Settings { front_door, listing, limits });
    Protected { router: gateway.router(), gateway, issuer, other, clock, revoked }
}

impl Protected {
    /// A good token for that subject.
    pub(crate) fn token_for(&self, subject: &str, scope: &str) -> String {
        let mut claims = self.issuer.claims(RESOURCE, scope, NOW);
        claims["sub"] = subject.into();
        self.issuer.sign(&claims)
    }

    /// A good token of somebody of that name whom the other issuer knows.
    pub(crate) fn token_of_the_other(&self, subject: &str) -> String {
        let mut claims = self.other.claims(RESOURCE, "notes:read", NOW);
        claims["sub"] = subject.into();
        self.other.sign(&claims)
    }

    /// A good token of alice's.
    pub(crate) fn token(&self, scope: &str) -> String {
        self.token_for("alice", scope)
    }

    /// A request with a good token.
    pub(crate) fn request(&self, method: &str) -> http::request::Builder {
        self.request_as(&self.token("notes:read"), method)
    }

    /// A request with that token.
    pub(crate) fn request_as(&self, token: &str, method: &str) -> http::request::Builder {
        Request::builder()
            .method(method)
            .uri("/mcp")
            .header("host", "localhost:8080")
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream")
    }

    /// Sends it.
    pub(crate) async fn send(&self, request: Request<Body>) -> Response {
        self.router.clone().oneshot(request).await.unwrap()
    }

    /// Posts that body with a good token.
    pub(crate) async fn post(&self, body: impl Into<Body>) -> Response {
        self.send(self.request("POST").body(body.into()).unwrap()).await
    }
}

/// The whole body as text.
pub(crate) async fn text(response: Response) -> String {
    let bytes = body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// What is logged by this thread from now on, for operators: nothing below the level info.
pub(crate) fn logged() -> (Arc<Mutex<String>>, tracing::subscriber::DefaultGuard) {
    let log = Arc::new(Mutex::new(String::new()));
    let guard = tracing::subscriber::set_default(Log(Arc::clone(&log)));
    (log, guard)
}

struct Log(Arc<Mutex<String>>);

impl tracing::Subscriber for Log {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        *metadata.level() <= tracing::Level::INFO
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let mut line = format!("{} ", event.metadata().level());
        event.record(&mut |field: &tracing::field::Field, value: &dyn std::fmt::Debug| {
            line += &format!("{field}={value:?} ");
        });
        self.0.lock().unwrap().push_str(&(line + "\n"));
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

/// Fails a test that would hang; says nothing about how fast anything is.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), future).await.expect("to happen at all")
}
