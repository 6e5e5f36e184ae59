//! A scripted authorization server, with the MCP server that it guards, for the client's tests.
//!
//! Both live at one origin. The person always agrees: `/authorize` answers 302 straight to the redirect
//! URI. [`Script`] says what goes wrong, [`Seen`] counts what came in. The MCP server has the tools `echo`,
//! `slow` (answers when [`Peer::release`] is called), `stream` (an event stream with a notification before the
//! answer), `long`, `long event` and `many events` (17 MiB at once, and 18 MiB in parts), `broken` (a stream
//! that ends early and is taken up again by GET) and `write` (needs the scope `write`).

mod front;
mod mcp_server;
mod metadata;
mod script;
mod token;

pub use script::{Script, Seen};

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use axum::{
    Json, Router,
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    middleware,
    response::{IntoResponse, Response},
    routing::{any, get, post},
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use tokio::sync::Notify;

use front::{authorize, device, push, register};
use mcp_server::{guard, mcp, mcp_delete, mcp_get};
use metadata::{document, resource_metadata, root_metadata, server_metadata};
use token::{revoke, token};

use crate::tls::{Ask, Authority, SHOWN};

/// The running peer. It ends with the test.
#[derive(Clone)]
pub struct Peer {
    /// Scheme, host and port.
    pub origin: String,
    shared: Arc<Shared>,
}

struct Shared {
    origin: String,
    script: Mutex<Script>,
    seen: Mutex<Seen>,
    /// Access tokens that are good, with their scopes.
    access: Mutex<HashMap<String, String>>,
    /// Refresh tokens that are good, with their scopes.
    refresh: Mutex<HashMap<String, String>>,
    /// What each used refresh token was exchanged for, and when.
    successors: Mutex<HashMap<String, (String, Instant)>>,
    /// An MCP server to stand behind the guard, in place of the built-in one.
    guarded: Option<Router>,
    /// Codes, with their scopes.
    codes: Mutex<HashMap<String, String>>,
    /// Access tokens that are bound to a certificate, with that.
    bound: Mutex<HashMap<String, Option<String>>>,
    slow: Notify,
    /// How many MCP sessions were opened; the last one is good.
    sessions: Mutex<u32>,
    /// Client ids that are not known any more.
    forgotten: Mutex<Vec<String>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Peer {
    /// Starts a peer on a free port.
    ///
    /// # Panics
    /// When no port can be had.
    pub async fn start() -> Self {
        Self::begin(None).await
    }

    /// The same, with another MCP server: what `/mcp` of `router` answers to whoever has a good token.
    ///
    /// # Panics
    /// When no port can be had.
    pub async fn guarding(router: Router) -> Self {
        Self::begin(Some(router)).await
    }

    #[allow(clippy::expect_used, reason = "a test without its peer cannot go on")]
    async fn begin(guarded: Option<Router>) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let peer = Self::at(format!("http://{}", listener.local_addr().expect("a bound address")), guarded);
        let router = peer.router();
        tokio::spawn(async move { axum::serve(listener, router).await });
        peer
    }

    /// Starts a peer that speaks TLS, at `https://{host}` and a free port of this machine.
    ///
    /// # Panics
    /// When no port can be had.
    #[allow(clippy::expect_used, reason = "a test without its peer cannot go on")]
    pub async fn start_tls(authority: &Authority, host: &str, ask: Ask) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("a bound address").port();
        let peer = Self::at(format!("https://{host}:{port}"), None);
        authority.serve(listener, &[host], ask, peer.router());
        peer
    }

    /// The same peer under another name and port as well, whose origin is returned.
    ///
    /// # Panics
    /// When no port can be had.
    #[allow(clippy::expect_used, reason = "a test without its peer cannot go on")]
    pub async fn also_tls(&self, authority: &Authority, host: &str, ask: Ask) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("a bound address").port();
        authority.serve(listener, &[host], ask, self.router());
        format!("https://{host}:{port}")
    }

    fn at(origin: String, guarded: Option<Router>) -> Self {
        let shared = Arc::new(Shared {
            origin: origin.clone(),
            bound: Mutex::default(),
            script: Mutex::new(Script::sound(&origin)),
            seen: Mutex::default(),
            access: Mutex::default(),
            refresh: Mutex::default(),
            successors: Mutex::default(),
            guarded,
            codes: Mutex::default(),
            slow: Notify::new(),
            sessions: Mutex::default(),
            forgotten: Mutex::default(),
        });
        Self { origin, shared }
    }

    fn router(&self) -> Router {
        let mcp = match &self.shared.guarded {
            Some(_) => any(guard),
            None => post(mcp).get(mcp_get).delete(mcp_delete),
        };
        Router::new()
            .route("/.well-known/oauth-protected-resource/mcp", get(resource_metadata))
            .route("/.well-known/oauth-protected-resource", get(root_metadata))
            .route("/.well-known/oauth-authorization-server", get(server_metadata))
            .route("/authorize", get(authorize))
            .route("/token", post(token))
            .route("/device", post(device))
            .route("/register", post(register))
            .route("/par", post(push))
            .route("/revoke", post(revoke))
            .route("/mcp", mcp)
            .fallback(document)
            .layer(middleware::map_request_with_state(Arc::clone(&self.shared), note_certificate))
            .with_state(Arc::clone(&self.shared))
    }

    /// The MCP server's URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}/mcp", self.origin)
    }

    /// Changes the script.
    pub fn script(&self, change: impl FnOnce(&mut Script)) {
        change(&mut lock(&self.shared.script));
    }

    /// What came in so far.
    #[must_use]
    pub fn seen(&self) -> Seen {
        lock(&self.shared.seen).clone()
    }

    /// Makes every access token invalid at the MCP server; refresh tokens stay.
    pub fn expire_access_tokens(&self) {
        lock(&self.shared.access).clear();
    }

    /// Makes every refresh token invalid.
    pub fn expire_refresh_tokens(&self) {
        lock(&self.shared.refresh).clear();
    }

    /// Forgets every client that has registered so far, as servers do that clean up.
    pub fn forget_clients(&self) {
        let count = self.seen().registrations.len();
        *lock(&self.shared.forgotten) = (1..=count).map(|number| format!("client-{number}")).collect();
    }

    /// Forgets every client as soon as it has registered, as servers do that share nothing with their twins.
    pub fn forget_clients_at_once(&self) {
        let any = (1..=100).map(|number| format!("client-{number}"));
        *lock(&self.shared.forgotten) = any.collect();
    }

    /// Makes the MCP server forget its session, as a restart would.
    pub fn forget_session(&self) {
        *lock(&self.shared.sessions) += 1;
    }

    /// Lets every waiting `slow` call answer.
    pub fn release(&self) {
        self.shared.slow.notify_waiters();
    }
}

async fn note_certificate(State(shared): S, request: Request) -> Request {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let host = host.or(request.uri().host()).unwrap_or_default();
    let place = format!("{host}{}", request.uri().path());
    lock(&shared.seen).shown.push((place, request.headers().contains_key(SHOWN)));
    request
}

fn shown(headers: &HeaderMap) -> Option<String> {
    headers.get(SHOWN).and_then(|shown| shown.to_str().ok()).map(str::to_owned)
}

type S = State<Arc<Shared>>;

fn random() -> String {
    format!("{:032x}", rand::random::<u128>())
}

fn is_forgotten(shared: &Shared, parameters: &HashMap<String, String>) -> bool {
    parameters.get("client_id").is_some_and(|id| lock(&shared.forgotten).contains(id))
}

/// RFC 6749 §5.2.
fn invalid_client() -> Response {
    (StatusCode::UNAUTHORIZED, Json(json!({"error": "invalid_client"}))).into_response()
}

/// RFC 9449 §8, §9: whether the proof lacks the nonce that the script wants.
fn lacks_nonce(script: &Script, headers: &HeaderMap) -> bool {
    script.nonce_is_always_old || script.nonce.is_some_and(|nonce| proof(headers)["nonce"] != nonce)
}

fn next_nonce(script: &Script) -> String {
    script.nonce.map_or_else(random, str::to_owned)
}

/// The claims of a request's DPoP proof, unverified; null where there is none.
#[must_use]
pub fn proof(headers: &HeaderMap) -> Value {
    let proof = headers.get("dpop").and_then(|proof| proof.to_str().ok()?.split('.').nth(1));
    let claims = proof.and_then(|claims| BASE64_URL_SAFE_NO_PAD.decode(claims).ok());
    claims.and_then(|claims| serde_json::from_slice(&claims).ok()).unwrap_or_default()
}
