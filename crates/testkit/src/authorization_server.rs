//! A scripted authorization server, with the MCP server that it guards, for the client's tests.
//!
//! Both live at one origin. The person always agrees: `/authorize` answers 302 straight to the redirect
//! URI. [`Script`] says what goes wrong, [`Seen`] counts what came in. The MCP server has the tools `echo`,
//! `slow` (answers when [`Peer::release`] is called), `stream` (an event stream with a notification before the
//! answer), `long`, `long event` and `many events` (17 MiB at once, and 18 MiB in parts), `broken` (a stream
//! that ends early and is taken up again by GET) and `write` (needs the scope `write`).

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    Form, Json, Router,
    extract::{Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use serde_json::{Value, json};
use tokio::sync::Notify;
use url::Url;

/// What the peer does; the default is all as it should be.
#[derive(Clone, Debug)]
pub struct Script {
    /// Whether the MCP server wants a token at all.
    pub protected: bool,
    /// The `WWW-Authenticate` of a 401; `{origin}` is replaced.
    pub challenge: Option<String>,
    /// `resource` in the resource metadata; `None` for no such document.
    pub resource: Option<String>,
    /// `resource` in the metadata at the root of the host; `None` for no such document.
    pub root_resource: Option<String>,
    /// `authorization_servers` in the resource metadata, in place of this peer.
    pub authorization_servers: Option<Vec<String>>,
    /// Whether the tool `write` is refused whatever the token's scopes.
    pub forbid: bool,
    /// Where the MCP endpoint redirects to, in place of an answer.
    pub redirect: Option<String>,
    /// `issuer` in the server metadata; `None` for no such document.
    pub issuer: Option<String>,
    /// The authorization endpoint in the metadata.
    pub authorization_endpoint: String,
    /// Members of the server metadata to add or replace; null removes one.
    pub metadata: Value,
    /// Parameters to replace in the authorization response; `None` removes one.
    pub response: Vec<(&'static str, Option<String>)>,
    /// Lifetime of access tokens, in seconds.
    pub expires_in: u64,
    /// What `initialize` is answered with, in place of a session.
    pub initialize: Option<(u16, Value)>,
    /// What a refresh is answered with, in place of tokens.
    pub refresh: Option<(u16, Value)>,
    /// Members of the token response to add or replace.
    pub token: Value,
    /// How long the token endpoint thinks.
    pub delay: Duration,
    /// The scopes of every token, in place of those asked for.
    pub granted: Option<String>,
}

/// What came in.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Queries of the authorization endpoint.
    pub authorizations: Vec<HashMap<String, String>>,
    /// Bodies of the registration endpoint.
    pub registrations: Vec<Value>,
    /// Forms of the token endpoint.
    pub token_requests: Vec<HashMap<String, String>>,
    /// Tokens that were revoked.
    pub revoked: Vec<String>,
    /// Requests for metadata, by path.
    pub metadata_requests: Vec<String>,
    /// HTTP requests to the MCP endpoint: HTTP method, JSON-RPC method, headers.
    pub mcp: Vec<(String, String, HeaderMap)>,
}

impl Seen {
    /// How many token requests used a grant type.
    #[must_use]
    pub fn grants(&self, grant_type: &str) -> usize {
        self.token_requests
            .iter()
            .filter(|form| form.get("grant_type").is_some_and(|g| g == grant_type))
            .count()
    }
}

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
    /// Codes, with their scopes.
    codes: Mutex<HashMap<String, String>>,
    slow: Notify,
    /// How many MCP sessions were opened; the last one is good.
    sessions: Mutex<u32>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Peer {
    /// Starts a peer on a free port.
    ///
    /// # Panics
    /// When no port can be had.
    #[allow(clippy::expect_used, reason = "a test without its peer cannot go on")]
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let origin = format!("http://{}", listener.local_addr().expect("a bound address"));
        let script = Script {
            protected: true,
            challenge: Some(
                "Bearer resource_metadata=\"{origin}/.well-known/oauth-protected-resource/mcp\", scope=\"read\"".into(),
            ),
            resource: Some(format!("{origin}/mcp")),
            root_resource: None,
            authorization_servers: None,
            forbid: false,
            redirect: None,
            issuer: Some(origin.clone()),
            authorization_endpoint: format!("{origin}/authorize"),
            metadata: json!({}),
            response: Vec::new(),
            expires_in: 3600,
            initialize: None,
            refresh: None,
            token: json!({}),
            delay: Duration::ZERO,
            granted: None,
        };
        let shared = Arc::new(Shared {
            origin: origin.clone(),
            script: Mutex::new(script),
            seen: Mutex::default(),
            access: Mutex::default(),
            refresh: Mutex::default(),
            codes: Mutex::default(),
            slow: Notify::new(),
            sessions: Mutex::default(),
        });
        let router = Router::new()
            .route("/.well-known/oauth-protected-resource/mcp", get(resource_metadata))
            .route("/.well-known/oauth-protected-resource", get(root_metadata))
            .route("/.well-known/oauth-authorization-server", get(server_metadata))
            .route("/authorize", get(authorize))
            .route("/token", post(token))
            .route("/register", post(register))
            .route("/revoke", post(revoke))
            .route("/mcp", post(mcp).get(mcp_get).delete(mcp_delete))
            .with_state(Arc::clone(&shared));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { origin, shared }
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

    /// Makes the MCP server forget its session, as a restart would.
    pub fn forget_session(&self) {
        *lock(&self.shared.sessions) += 1;
    }

    /// Lets every waiting `slow` call answer.
    pub fn release(&self) {
        self.shared.slow.notify_waiters();
    }
}

type S = State<Arc<Shared>>;

async fn resource_metadata(State(shared): S) -> Response {
    lock(&shared.seen).metadata_requests.push("/.well-known/oauth-protected-resource/mcp".into());
    let resource = lock(&shared.script).resource.clone();
    resource_document(&shared, resource)
}

async fn root_metadata(State(shared): S) -> Response {
    lock(&shared.seen).metadata_requests.push("/.well-known/oauth-protected-resource".into());
    let resource = lock(&shared.script).root_resource.clone();
    resource_document(&shared, resource)
}

fn resource_document(shared: &Shared, resource: Option<String>) -> Response {
    let issuers = lock(&shared.script).authorization_servers.clone();
    let issuers = issuers.unwrap_or_else(|| vec![shared.origin.clone()]);
    match resource {
        Some(resource) => {
            Json(json!({"resource": resource, "authorization_servers": issuers})).into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn server_metadata(State(shared): S) -> Response {
    lock(&shared.seen).metadata_requests.push("/.well-known/oauth-authorization-server".into());
    let script = lock(&shared.script).clone();
    let Some(issuer) = script.issuer else { return StatusCode::NOT_FOUND.into_response() };
    let origin = &shared.origin;
    let mut metadata = json!({
        "issuer": issuer,
        "authorization_endpoint": script.authorization_endpoint,
        "token_endpoint": format!("{origin}/token"),
        "registration_endpoint": format!("{origin}/register"),
        "revocation_endpoint": format!("{origin}/revoke"),
        "response_types_supported": ["code"],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["none"],
        "authorization_response_iss_parameter_supported": true,
    });
    for (name, value) in script.metadata.as_object().into_iter().flatten() {
        metadata[name] = value.clone();
    }
    if let Some(members) = metadata.as_object_mut() {
        members.retain(|_, value| !value.is_null());
    }
    Json(metadata).into_response()
}

async fn authorize(State(shared): S, Query(query): Query<HashMap<String, String>>) -> Response {
    let code = random();
    lock(&shared.codes).insert(code.clone(), query.get("scope").cloned().unwrap_or_default());
    let mut answer = HashMap::from([("code", code), ("iss", shared.origin.clone())]);
    answer.extend(query.get("state").map(|state| ("state", state.clone())));
    for (name, value) in lock(&shared.script).response.clone() {
        match value {
            Some(value) => drop(answer.insert(name, value)),
            None => drop(answer.remove(name)),
        }
    }
    let target = query.get("redirect_uri").and_then(|uri| Url::parse(uri).ok());
    lock(&shared.seen).authorizations.push(query);
    let Some(mut target) = target else { return StatusCode::BAD_REQUEST.into_response() };
    target.query_pairs_mut().extend_pairs(answer);
    Redirect::to(target.as_str()).into_response()
}

async fn token(State(shared): S, Form(form): Form<HashMap<String, String>>) -> Response {
    lock(&shared.seen).token_requests.push(form.clone());
    let script = lock(&shared.script).clone();
    tokio::time::sleep(script.delay).await;
    let get = |name: &str| form.get(name).cloned().unwrap_or_default();
    let refreshing = get("grant_type") == "refresh_token";
    if let (true, Some((status, body))) = (refreshing, script.refresh) {
        return (StatusCode::from_u16(status).unwrap_or_default(), Json(body)).into_response();
    }
    // Rotation: each refresh token and each code is good for one use.
    let scope = if refreshing {
        lock(&shared.refresh).remove(&get("refresh_token"))
    } else {
        lock(&shared.codes).remove(&get("code"))
    };
    let Some(scope) = scope else {
        return (StatusCode::BAD_REQUEST, Json(json!({"error": "invalid_grant"}))).into_response();
    };
    let scope = script.granted.unwrap_or(scope);
    let (access, refresh) = (random(), random());
    lock(&shared.access).insert(access.clone(), scope.clone());
    lock(&shared.refresh).insert(refresh.clone(), scope.clone());
    let mut answer = json!({
        "access_token": access, "token_type": "Bearer", "expires_in": script.expires_in,
        "refresh_token": refresh, "scope": scope,
    });
    for (name, value) in script.token.as_object().into_iter().flatten() {
        answer[name] = value.clone();
    }
    Json(answer).into_response()
}

async fn register(State(shared): S, Json(body): Json<Value>) -> Response {
    let mut answer = body.clone();
    lock(&shared.seen).registrations.push(body);
    answer["client_id"] = json!(format!("client-{}", lock(&shared.seen).registrations.len()));
    (StatusCode::CREATED, Json(answer)).into_response()
}

async fn revoke(State(shared): S, Form(form): Form<HashMap<String, String>>) -> StatusCode {
    let token = form.get("token").cloned().unwrap_or_default();
    lock(&shared.access).remove(&token);
    lock(&shared.refresh).remove(&token);
    lock(&shared.seen).revoked.push(token);
    StatusCode::OK
}

/// The answer to a request without a good token, or with too weak a one.
fn refusal(shared: &Shared, headers: &HeaderMap, needed: &str) -> Option<Response> {
    let script = lock(&shared.script).clone();
    if !script.protected {
        return None;
    }
    let bearer = headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok()?.strip_prefix("Bearer "));
    let scopes = bearer.and_then(|token| lock(&shared.access).get(token).cloned());
    let Some(scopes) = scopes else {
        let challenge = script.challenge.map(|text| text.replace("{origin}", &shared.origin));
        return Some(match challenge {
            Some(text) => (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, text)]).into_response(),
            None => StatusCode::UNAUTHORIZED.into_response(),
        });
    };
    if needed.is_empty() || !script.forbid && scopes.split(' ').any(|scope| scope == needed) {
        return None;
    }
    let challenge = format!("Bearer error=\"insufficient_scope\", scope=\"{needed}\"");
    Some((StatusCode::FORBIDDEN, [(header::WWW_AUTHENTICATE, challenge)]).into_response())
}

fn event(id: u32, message: &Value) -> String {
    format!("id: {id}\nretry: 1\ndata: {message}\n\n")
}

async fn mcp(State(shared): S, headers: HeaderMap, Json(body): Json<Value>) -> Response {
    let method = body["method"].as_str().unwrap_or_default().to_owned();
    let tool = body["params"]["name"].as_str().unwrap_or_default().to_owned();
    lock(&shared.seen).mcp.push(("POST".into(), method.clone(), headers.clone()));
    if let Some(target) = lock(&shared.script).redirect.clone() {
        return Redirect::temporary(&target).into_response();
    }
    if let Some(refused) = refusal(&shared, &headers, if tool == "write" { "write" } else { "" }) {
        return refused;
    }
    let session = format!("session-{}", lock(&shared.sessions));
    let is_lost = headers.get("mcp-session-id").is_some_and(|id| *id != *session) && method != "initialize";
    if is_lost {
        return StatusCode::NOT_FOUND.into_response();
    }
    let Some(id) = body.get("id").filter(|_| !method.is_empty()) else {
        return StatusCode::ACCEPTED.into_response();
    };
    let answer = |result: Value| json!({"jsonrpc": "2.0", "id": id, "result": result});
    let events = |text: String| ([(header::CONTENT_TYPE, "text/event-stream")], text).into_response();
    let refused = lock(&shared.script).initialize.clone().filter(|_| method == "initialize");
    if let Some((status, mut body)) = refused {
        body["id"] = id.clone();
        return (StatusCode::from_u16(status).unwrap_or_default(), Json(body)).into_response();
    }
    match (method.as_str(), tool.as_str()) {
        ("initialize", _) => {
            let result = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "serverInfo": {"name": "peer", "version": "1"}});
            let mut sessions = lock(&shared.sessions);
            *sessions += 1;
            ([("mcp-session-id", format!("session-{sessions}"))], Json(answer(result))).into_response()
        }
        ("tools/call", "slow") => {
            shared.slow.notified().await;
            Json(answer(json!({"tool": "slow"}))).into_response()
        }
        ("tools/call", "stream") => {
            let note =
                json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progress": 1}});
            events(format!(
                ": a comment\n\n{}{}",
                event(1, &note),
                event(2, &answer(json!({"tool": "stream"})))
            ))
        }
        ("tools/call", "broken") => events(format!("id: broken/{id}\nretry: 1\ndata:\n\n")),
        ("tools/call", "long") => Json(answer(json!({"text": "x".repeat(17 << 20)}))).into_response(),
        ("tools/call", "long event") => events(event(1, &answer(json!({"text": "x".repeat(17 << 20)})))),
        ("tools/call", "many events") => {
            let note = json!({"jsonrpc": "2.0", "method": "x", "params": {"text": "x".repeat(9 << 20)}});
            let end = answer(json!({"tool": "many events"}));
            events(format!("{}{}{}", event(1, &note), event(2, &note), event(3, &end)))
        }
        ("tools/call", "fails") => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        _ => Json(answer(json!({"method": method, "params": body["params"]}))).into_response(),
    }
}

async fn mcp_get(State(shared): S, headers: HeaderMap) -> Response {
    lock(&shared.seen).mcp.push(("GET".into(), String::new(), headers.clone()));
    if let Some(refused) = refusal(&shared, &headers, "") {
        return refused;
    }
    let last = headers.get("last-event-id").and_then(|v| v.to_str().ok()?.strip_prefix("broken/"));
    match last.and_then(|id| serde_json::from_str::<Value>(id).ok()) {
        Some(id) => {
            let answer = json!({"jsonrpc": "2.0", "id": id, "result": {"tool": "broken"}});
            ([(header::CONTENT_TYPE, "text/event-stream")], event(9, &answer)).into_response()
        }
        None => StatusCode::METHOD_NOT_ALLOWED.into_response(),
    }
}

async fn mcp_delete(State(shared): S, headers: HeaderMap) -> StatusCode {
    lock(&shared.seen).mcp.push(("DELETE".into(), String::new(), headers));
    StatusCode::OK
}

fn random() -> String {
    format!("{:032x}", rand::random::<u128>())
}
