//! A scripted authorization server, with the MCP server that it guards, for the client's tests.
//!
//! Both live at one origin. The person always agrees: `/authorize` answers 302 straight to the redirect
//! URI. [`Script`] says what goes wrong, [`Seen`] counts what came in. The MCP server has the tools `echo`,
//! `slow` (answers when [`Peer::release`] is called), `stream` (an event stream with a notification before the
//! answer), `long`, `long event` and `many events` (17 MiB at once, and 18 MiB in parts), `broken` (a stream
//! that ends early and is taken up again by GET) and `write` (needs the scope `write`).

mod mcp_server;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use axum::{
    Form, Json, Router,
    extract::{Query, Request, State},
    http::{HeaderMap, StatusCode, header},
    middleware,
    response::{IntoResponse, Redirect, Response},
    routing::{any, get, post},
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use tokio::sync::Notify;
use url::Url;

use mcp_server::{guard, mcp, mcp_delete, mcp_get};

use crate::tls::{Ask, Authority, SHOWN};

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
    /// Whether tokens come with an ID token that alone is good at the MCP server.
    pub id_token: bool,
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
    /// Whether access tokens cannot be revoked (RFC 7009 §2.2.1).
    pub keeps_access: bool,
    /// What `initialize` is answered with, in place of a session.
    pub initialize: Option<(u16, Value)>,
    /// What a refresh is answered with, in place of tokens.
    pub refresh: Option<(u16, Value)>,
    /// Members of the token response to add or replace.
    pub token: Value,
    /// How long after its use a refresh token is still good for the newest one of its chain, as with hallpass's own
    /// authorization server; without it, a replayed token is refused.
    pub grace: Option<Duration>,
    /// How long the token endpoint thinks.
    pub delay: Duration,
    /// Whether codes for other devices (RFC 8628) are made, and what each question about one is answered with
    /// before there are tokens.
    pub device: Option<Vec<&'static str>>,
    /// The status of a refusal by the token endpoint. RFC 6749 §5.2 says 400; GitHub says 200.
    pub refusal: StatusCode,
    /// The scopes of every token, in place of those asked for.
    pub granted: Option<String>,
    /// Members of the resource metadata to add or replace.
    pub resource_metadata: Value,
    /// The content type of the resource metadata.
    pub resource_type: &'static str,
    /// `token_type` of every token; the MCP server takes a token under that scheme alone.
    pub token_type: &'static str,
    /// The nonce that both servers want in a DPoP proof.
    pub nonce: Option<&'static str>,
    /// Whether every nonce is old by the time it comes back.
    pub nonce_is_always_old: bool,
    /// What grants without a person are answered with, in place of tokens.
    pub grant: Option<(u16, Value)>,
    /// What a token exchange (RFC 8693) says that it has issued.
    pub issued_token_type: &'static str,
    /// Whether tokens are bound to the certificate that was shown when they were asked for (RFC 8705 §3).
    pub certificate_bound: bool,
    /// What the authorization endpoint answers for a client that was [forgotten](Peer::forget_clients); with `None`
    /// it notices nothing.
    pub forgotten: Option<(u16, &'static str)>,
}

/// What came in.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Queries of the authorization endpoint.
    pub authorizations: Vec<HashMap<String, String>>,
    /// Queries of the same for clients that were forgotten.
    pub refused_authorizations: Vec<HashMap<String, String>>,
    /// Bodies of the registration endpoint.
    pub registrations: Vec<Value>,
    /// Forms of the token endpoint.
    pub token_requests: Vec<HashMap<String, String>>,
    /// Header fields of the same.
    pub token_headers: Vec<HeaderMap>,
    /// Forms of pushed authorization requests; each `request_uri` is `urn:pushed:` and its place here.
    pub pushed: Vec<HashMap<String, String>>,
    /// Tokens that were revoked.
    pub revoked: Vec<String>,
    /// Requests for metadata, by path.
    pub metadata_requests: Vec<String>,
    /// HTTP requests to the MCP endpoint: HTTP method, JSON-RPC method, headers.
    pub mcp: Vec<(String, String, HeaderMap)>,
    /// Over TLS: host and path of every request, and whether a client certificate was shown.
    pub shown: Vec<(String, bool)>,
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
        let script = Script {
            protected: true,
            challenge: Some(
                "Bearer resource_metadata=\"{origin}/.well-known/oauth-protected-resource/mcp\", scope=\"read\"".into(),
            ),
            resource: Some(format!("{origin}/mcp")),
            root_resource: None,
            authorization_servers: None,
            id_token: false,
            forbid: false,
            redirect: None,
            issuer: Some(origin.clone()),
            authorization_endpoint: format!("{origin}/authorize"),
            metadata: json!({}),
            response: Vec::new(),
            expires_in: 3600,
            keeps_access: false,
            initialize: None,
            refresh: None,
            grace: None,
            token: json!({}),
            delay: Duration::ZERO,
            device: None,
            refusal: StatusCode::BAD_REQUEST,
            granted: None,
            resource_metadata: json!({}),
            resource_type: "application/json",
            token_type: "Bearer",
            nonce: None,
            nonce_is_always_old: false,
            grant: None,
            issued_token_type: "urn:ietf:params:oauth:token-type:id-jag",
            certificate_bound: false,
            forgotten: Some((400, r#"{"error":"invalid_client"}"#)),
        };
        let shared = Arc::new(Shared {
            origin: origin.clone(),
            bound: Mutex::default(),
            script: Mutex::new(script),
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
    let script = lock(&shared.script).clone();
    let issuers = script.authorization_servers.unwrap_or_else(|| vec![shared.origin.clone()]);
    match resource {
        Some(resource) => {
            let mut metadata = json!({"resource": resource, "authorization_servers": issuers});
            for (name, value) in script.resource_metadata.as_object().into_iter().flatten() {
                metadata[name] = value.clone();
            }
            ([(header::CONTENT_TYPE, script.resource_type)], metadata.to_string()).into_response()
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
    if script.device.is_some() {
        metadata["device_authorization_endpoint"] = json!(format!("{origin}/device"));
    }
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
    let place =
        query.get("request_uri").and_then(|uri| uri.strip_prefix("urn:pushed:")?.parse::<usize>().ok());
    let pushed = place.and_then(|place| lock(&shared.seen).pushed.get(place).cloned());
    let (seen, query) = (query.clone(), pushed.unwrap_or(query));
    let refusal = lock(&shared.script).forgotten;
    if let Some((status, page)) = refusal.filter(|_| is_forgotten(&shared, &query)) {
        lock(&shared.seen).refused_authorizations.push(seen);
        return (StatusCode::from_u16(status).unwrap_or_default(), page).into_response();
    }
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
    lock(&shared.seen).authorizations.push(seen);
    let Some(mut target) = target else { return StatusCode::BAD_REQUEST.into_response() };
    target.query_pairs_mut().extend_pairs(answer);
    Redirect::to(target.as_str()).into_response()
}

/// RFC 8628 §3.2, with the pause that suits a test.
async fn device(State(shared): S, Form(form): Form<HashMap<String, String>>) -> Response {
    if lock(&shared.script).device.is_none() {
        return StatusCode::NOT_FOUND.into_response();
    }
    if is_forgotten(&shared, &form) {
        return invalid_client();
    }
    let code = random();
    lock(&shared.codes).insert(code.clone(), form.get("scope").cloned().unwrap_or_default());
    let page = format!("{}/activate", shared.origin);
    Json(json!({
        "device_code": code, "user_code": "WDJB-MJHT", "verification_uri": page,
        "verification_uri_complete": format!("{page}?user_code=WDJB-MJHT"), "expires_in": 60, "interval": 0,
    }))
    .into_response()
}

/// RFC 9126 §2.
async fn push(State(shared): S, Form(form): Form<HashMap<String, String>>) -> Response {
    if is_forgotten(&shared, &form) {
        return invalid_client();
    }
    let mut seen = lock(&shared.seen);
    let answer = json!({"request_uri": format!("urn:pushed:{}", seen.pushed.len()), "expires_in": 60});
    seen.pushed.push(form);
    (StatusCode::CREATED, Json(answer)).into_response()
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

/// RFC 8693: what is issued names the audience it was asked for.
fn exchanged(script: &Script, form: &HashMap<String, String>) -> Response {
    let audience = form.get("audience").cloned().unwrap_or_default();
    Json(json!({
        "access_token": format!("assertion for {audience}"),
        "issued_token_type": script.issued_token_type,
        "token_type": "N_A",
    }))
    .into_response()
}

async fn token(State(shared): S, headers: HeaderMap, Form(form): Form<HashMap<String, String>>) -> Response {
    {
        let mut seen = lock(&shared.seen);
        seen.token_requests.push(form.clone());
        seen.token_headers.push(headers.clone());
    }
    let script = lock(&shared.script).clone();
    tokio::time::sleep(script.delay).await;
    let get = |name: &str| form.get(name).cloned().unwrap_or_default();
    if is_forgotten(&shared, &form) {
        return invalid_client();
    }
    if lacks_nonce(&script, &headers) {
        let nonce = [("dpop-nonce", next_nonce(&script))];
        return (StatusCode::BAD_REQUEST, nonce, Json(json!({"error": "use_dpop_nonce"}))).into_response();
    }
    let is_device = get("grant_type").ends_with(":device_code");
    let is_unattended =
        !is_device && !matches!(get("grant_type").as_str(), "authorization_code" | "refresh_token");
    if let (true, Some((status, body))) = (is_unattended, script.grant.clone()) {
        return (StatusCode::from_u16(status).unwrap_or_default(), Json(body)).into_response();
    }
    if get("grant_type").ends_with(":token-exchange") {
        return exchanged(&script, &form);
    }
    let refreshing = get("grant_type") == "refresh_token";
    if let (true, Some((status, body))) = (refreshing, script.refresh) {
        return (StatusCode::from_u16(status).unwrap_or_default(), Json(body)).into_response();
    }
    let unready = lock(&shared.script)
        .device
        .as_mut()
        .filter(|list| is_device && !list.is_empty())
        .map(|l| l.remove(0));
    if let Some(error) = unready {
        return (script.refusal, Json(json!({"error": error}))).into_response();
    }
    // Rotation: each refresh token and each code is good for one use.
    let mut used = String::new();
    let scope = if is_unattended {
        Some(get("scope"))
    } else if refreshing {
        let sent = get("refresh_token");
        used = newest(&shared, script.grace, sent);
        lock(&shared.refresh).remove(&used)
    } else {
        lock(&shared.codes).remove(&get(if is_device { "device_code" } else { "code" }))
    };
    let Some(scope) = scope else {
        return (script.refusal, Json(json!({"error": "invalid_grant"}))).into_response();
    };
    let scope = script.granted.unwrap_or(scope);
    let (access, refresh) = (random(), random());
    lock(&shared.access).insert(access.clone(), scope.clone());
    if script.certificate_bound {
        lock(&shared.bound).insert(access.clone(), shown(&headers));
    }
    let mut answer = json!({
        "access_token": access, "token_type": script.token_type, "expires_in": script.expires_in,
        "scope": scope,
    });
    if script.id_token {
        answer["access_token"] = json!("of no use");
        answer["id_token"] = json!(access);
    }
    // RFC 6749 §4.4.3.
    if !is_unattended {
        lock(&shared.refresh).insert(refresh.clone(), scope);
        if refreshing {
            lock(&shared.successors).insert(used, (refresh.clone(), Instant::now()));
        }
        answer["refresh_token"] = json!(refresh);
    }
    for (name, value) in script.token.as_object().into_iter().flatten() {
        answer[name] = value.clone();
    }
    Json(answer).into_response()
}

/// The newest token of a chain, each step of which was made within the grace.
fn newest(shared: &Shared, grace: Option<Duration>, mut token: String) -> String {
    let Some(grace) = grace else { return token };
    let successors = lock(&shared.successors);
    while let Some((next, _)) = successors.get(&token).filter(|(_, at)| at.elapsed() <= grace) {
        token.clone_from(next);
    }
    token
}

async fn register(State(shared): S, Json(body): Json<Value>) -> Response {
    let mut answer = body.clone();
    lock(&shared.seen).registrations.push(body);
    answer["client_id"] = json!(format!("client-{}", lock(&shared.seen).registrations.len()));
    (StatusCode::CREATED, Json(answer)).into_response()
}

async fn revoke(State(shared): S, Form(form): Form<HashMap<String, String>>) -> Response {
    let token = form.get("token").cloned().unwrap_or_default();
    if lock(&shared.script).keeps_access && lock(&shared.access).contains_key(&token) {
        let refusal = json!({"error": "unsupported_token_type"});
        return (StatusCode::BAD_REQUEST, Json(refusal)).into_response();
    }
    lock(&shared.access).remove(&token);
    lock(&shared.refresh).remove(&token);
    lock(&shared.seen).revoked.push(token);
    StatusCode::OK.into_response()
}

fn random() -> String {
    format!("{:032x}", rand::random::<u128>())
}
