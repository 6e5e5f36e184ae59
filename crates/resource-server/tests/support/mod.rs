//! A protected echo server, and a way to call it.

#![allow(dead_code)] // Each test file uses its own part of this.

pub(crate) mod digest;

use std::collections::HashSet;
use std::sync::{Arc, RwLock};

use axum::Router;
use axum::body::{self, Body};
use axum::response::Response;
use axum::routing::any;
use hallpass_protocol::challenge::{Challenge, parse_challenges};
use hallpass_protocol::jose::VerifyingKeys;
use hallpass_protocol::resource::ResourceIdentifier;
use hallpass_protocol::scope::ScopeSet;
use hallpass_protocol::time::Timestamp;
use hallpass_resource_server::policy::Rule;
use hallpass_resource_server::{Caller, Keys, Policy, ResourceServer, Revocations, Settings, TrustedIssuer};
use hallpass_testkit::clock::FakeClock;
use hallpass_testkit::issuer::TestIssuer;
use http::Request;
use tower::ServiceExt;

pub(crate) const RESOURCE: &str = "https://mcp.example.com/mcp";
pub(crate) const NOW: Timestamp = Timestamp::from_unix(1_800_000_000);

pub(crate) struct Protected {
    pub(crate) router: Router,
    pub(crate) server: ResourceServer,
    pub(crate) issuer: TestIssuer,
    pub(crate) clock: FakeClock,
    pub(crate) keys: Arc<RwLock<Arc<VerifyingKeys>>>,
    pub(crate) revoked: Arc<RwLock<HashSet<String>>>,
}

pub(crate) fn scopes(text: &str) -> ScopeSet {
    ScopeSet::parse(text).unwrap()
}

/// Logins ask for `notes:read`, every request needs it, `write_*` needs `notes:write`, too.
pub(crate) fn policy() -> Policy {
    Policy {
        login: scopes("notes:read offline_access"),
        required: scopes("notes:read"),
        tools: vec![Rule::scopes("write_*", scopes("notes:write"))],
        ..Policy::default()
    }
}

pub(crate) fn protect() -> Protected {
    protect_with(|settings| settings.policy = policy())
}

pub(crate) fn protect_with(change: impl FnOnce(&mut Settings)) -> Protected {
    let issuer = TestIssuer::new("https://login.example.com");
    let clock = FakeClock::at(NOW);
    let keys = Arc::new(RwLock::new(Arc::new(issuer.keys())));
    let revoked = Arc::new(RwLock::new(HashSet::new()));
    let mut settings = Settings::new(ResourceIdentifier::parse(RESOURCE).unwrap(), clock.clock());
    let current = Arc::clone(&keys);
    let live = Keys::live(move || Arc::clone(&current.read().unwrap()));
    settings.issuers.push(TrustedIssuer::new(issuer.issuer.clone(), live));
    let set = Arc::clone(&revoked);
    settings.revocations = Revocations::new(move |jti| set.read().unwrap().contains(jti));
    settings.name = Some("Notes".to_owned());
    change(&mut settings);
    let server = ResourceServer::new(settings);
    let echo = any(async |caller: Caller, body: String| format!("{}:{body}", caller.subject()));
    let router = Router::new().route("/mcp", echo).layer(server.layer()).merge(server.metadata_router());
    Protected { router, server, issuer, clock, keys, revoked }
}

impl Protected {
    pub(crate) fn token(&self, scope: &str) -> String {
        self.issuer.token(RESOURCE, scope, NOW)
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Response {
        self.router.clone().oneshot(request).await.unwrap()
    }

    /// Posts a body with that token.
    pub(crate) async fn post(&self, token: &str, body: impl Into<Body>) -> Response {
        let request = Request::post("/mcp").header("authorization", format!("Bearer {token}"));
        self.send(request.body(body.into()).unwrap()).await
    }
}

pub(crate) async fn text(response: Response) -> String {
    let bytes = body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The one challenge of an answer.
pub(crate) fn challenge(response: &Response) -> Challenge {
    let mut challenges = parse_challenges(response.headers());
    assert_eq!(challenges.len(), 1, "{:?}", response.headers());
    challenges.remove(0)
}
