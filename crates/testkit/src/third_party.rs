//! An identity provider that people are sent to: logs everybody in at once, gives tokens that rotate, and records what it is
//! asked. What it says can be changed, as a provider would that errs or lies.
#![allow(clippy::expect_used, reason = "the kit is for tests")]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use hallpass_protocol::jose::{JwkSet, SigningKey};
use hallpass_protocol::pkce::{CodeChallenge, CodeVerifier};
use hallpass_protocol::time::Clock;
use http::{HeaderMap, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use url::{Url, form_urlencoded};

/// Who is the client there.
pub const CLIENT_ID: &str = "hallpass-at-acme";
/// Its secret.
pub const CLIENT_SECRET: &str = "canary-client-secret";

/// A provider on a free port of 127.0.0.1.
#[derive(Clone)]
pub struct ThirdParty {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    origin: String,
    clock: Clock,
    script: Mutex<Script>,
}

/// What it says, and what it knows.
pub struct Script {
    /// Signs ID tokens.
    pub key: SigningKey,
    /// What is published of it; the key's own public half, unless it was changed.
    pub published: Vec<SigningKey>,
    /// Members to put into the metadata; `null` takes one away.
    pub metadata: Value,
    /// The same for ID tokens.
    pub claims: Value,
    /// The header's `typ` of ID tokens.
    pub typ: &'static str,
    /// What UserInfo answers.
    pub user_info: Value,
    /// Further documents, by path.
    pub documents: BTreeMap<String, Value>,
    /// In place of a code: the parameters of the answer, beside `state`.
    pub instead_of_a_code: Option<Vec<(String, String)>>,
    /// In place of tokens: status and body.
    pub instead_of_tokens: Option<(u16, String)>,
    /// Claims of access tokens that are JWTs, beside the usual ones; without them they are opaque.
    pub access_claims: Option<Value>,
    /// Members to put into the answer with tokens; `null` takes one away.
    pub answer: Value,
    /// How long access tokens last, in seconds.
    pub lifetime: u64,
    /// Whether a refresh token is good once.
    pub rotates: bool,
    /// Waits so long before it answers a token request.
    pub hesitates: std::time::Duration,
    /// All that it was asked.
    pub asked: Vec<Asked>,
    codes: BTreeMap<String, BTreeMap<String, String>>,
    /// Refresh tokens that are good.
    pub refresh_tokens: Vec<String>,
    given: usize,
}

/// One request.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Where.
    pub path: String,
    /// Query and form, each name once.
    pub parameters: BTreeMap<String, String>,
    /// The fields.
    pub headers: HeaderMap,
}

impl ThirdParty {
    /// Starts one, whose people are all `sub-of-ada`.
    pub async fn start(clock: Clock) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let key = SigningKey::generate_es256().expect("a key");
        let script = Script {
            published: vec![key.clone()],
            key,
            metadata: json!({}),
            claims: json!({}),
            typ: "JWT",
            user_info: json!({ "sub": "sub-of-ada" }),
            documents: BTreeMap::new(),
            instead_of_a_code: None,
            instead_of_tokens: None,
            access_claims: None,
            answer: json!({}),
            lifetime: 3600,
            rotates: true,
            hesitates: std::time::Duration::ZERO,
            asked: Vec::new(),
            codes: BTreeMap::new(),
            refresh_tokens: Vec::new(),
            given: 0,
        };
        let shared =
            Arc::new(Shared { origin: format!("http://{address}"), clock, script: Mutex::new(script) });
        let router = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        tokio::spawn(axum::serve(listener, router).into_future());
        Self { address, shared }
    }

    /// Its issuer identifier.
    pub fn issuer(&self) -> &str {
        &self.shared.origin
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it says and knows, to be looked at or changed.
    pub fn script(&self) -> MutexGuard<'_, Script> {
        self.shared.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What it was asked at that path.
    pub fn asked(&self, path: &str) -> Vec<Asked> {
        self.script().asked.iter().filter(|asked| asked.path == path).cloned().collect()
    }

    /// Ends every session: no refresh token is good any more.
    pub fn end_sessions(&self) {
        self.script().refresh_tokens.clear();
    }
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let query = parts.uri.query().unwrap_or_default().as_bytes();
    let pairs = form_urlencoded::parse(query).into_owned().chain(form_urlencoded::parse(&body).into_owned());
    let asked =
        Asked { path: parts.uri.path().to_owned(), parameters: pairs.collect(), headers: parts.headers };
    let hesitates = {
        let mut script = shared.script.lock().unwrap_or_else(PoisonError::into_inner);
        script.asked.push(asked.clone());
        script.hesitates
    };
    if asked.path == "/token" && !hesitates.is_zero() {
        tokio::time::sleep(hesitates).await;
    }
    let mut script = shared.script.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(document) = script.documents.get(&asked.path) {
        return axum::Json(document.clone()).into_response();
    }
    match asked.path.as_str() {
        "/.well-known/openid-configuration" => axum::Json(script.discovery(&shared.origin)).into_response(),
        "/jwks" => {
            let keys = script.published.iter().map(SigningKey::public_jwk).collect();
            axum::Json(JwkSet { keys }).into_response()
        }
        "/authorize" => script.authorize(&shared.origin, asked.parameters),
        "/token" => script.tokens(&shared, &asked.parameters),
        "/userinfo" => axum::Json(script.user_info.clone()).into_response(),
        "/revoke" => {
            let token = asked.parameters.get("token").cloned().unwrap_or_default();
            script.refresh_tokens.retain(|known| *known != token);
            StatusCode::OK.into_response()
        }
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

fn merge(mut value: Value, changes: &Value) -> Value {
    for (name, change) in changes.as_object().into_iter().flatten() {
        let members = value.as_object_mut().expect("an object");
        if change.is_null() {
            members.remove(name);
        } else {
            members.insert(name.clone(), change.clone());
        }
    }
    value
}

impl Script {
    fn discovery(&self, origin: &str) -> Value {
        let known = json!({
            "issuer": origin,
            "authorization_endpoint": format!("{origin}/authorize"),
            "token_endpoint": format!("{origin}/token"),
            "userinfo_endpoint": format!("{origin}/userinfo"),
            "revocation_endpoint": format!("{origin}/revoke"),
            "jwks_uri": format!("{origin}/jwks"),
            "response_types_supported": ["code"],
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": true,
        });
        merge(known, &self.metadata)
    }

    fn authorize(&mut self, origin: &str, asked: BTreeMap<String, String>) -> Response {
        let back = asked.get("redirect_uri").and_then(|uri| Url::parse(uri).ok());
        let Some(mut back) = back else { return StatusCode::BAD_REQUEST.into_response() };
        let state = asked.get("state").cloned().unwrap_or_default();
        let parameters = self.instead_of_a_code.clone().unwrap_or_else(|| {
            let code = format!("canary-code-{}", self.codes.len());
            self.codes.insert(code.clone(), asked);
            vec![("code".to_owned(), code), ("iss".to_owned(), origin.to_owned())]
        });
        back.query_pairs_mut().append_pair("state", &state).extend_pairs(parameters);
        (StatusCode::SEE_OTHER, [(header::LOCATION, String::from(back))]).into_response()
    }

    fn tokens(&mut self, shared: &Shared, asked: &BTreeMap<String, String>) -> Response {
        if let Some((status, body)) = &self.instead_of_tokens {
            let status = StatusCode::from_u16(*status).expect("a status");
            return (status, [(header::CONTENT_TYPE, "application/json")], body.clone()).into_response();
        }
        let refused =
            || (StatusCode::BAD_REQUEST, axum::Json(json!({"error": "invalid_grant"}))).into_response();
        let text = |name: &str| asked.get(name).map(String::as_str).unwrap_or_default();
        let request = match text("grant_type") {
            "authorization_code" => {
                let Some(request) = self.codes.remove(text("code")) else { return refused() };
                let proven = request.get("code_challenge").is_none_or(|challenge| {
                    let challenge = CodeChallenge::parse(challenge).expect("a challenge");
                    CodeVerifier::parse(text("code_verifier"))
                        .is_ok_and(|verifier| challenge.verify(&verifier))
                });
                if !proven || request.get("redirect_uri").map(String::as_str) != Some(text("redirect_uri")) {
                    return refused();
                }
                request
            }
            _ => {
                let token = text("refresh_token");
                if !self.refresh_tokens.iter().any(|known| known == token) {
                    return refused();
                }
                if self.rotates {
                    let token = token.to_owned();
                    self.refresh_tokens.retain(|known| *known != token);
                }
                BTreeMap::new()
            }
        };
        self.given += 1;
        let refresh = format!("canary-refresh-{}", self.given);
        self.refresh_tokens.push(refresh.clone());
        let now = shared.clock.now();
        let claims = json!({
            "iss": shared.origin, "sub": "sub-of-ada", "aud": CLIENT_ID, "iat": now,
            "exp": now.after(std::time::Duration::from_secs(300)), "nonce": request.get("nonce"),
        });
        let id_token = self.key.sign(self.typ, &merge(claims, &self.claims)).expect("a signature");
        let answer = json!({
            "access_token": self.access_token(shared), "token_type": "Bearer",
            "expires_in": self.lifetime, "refresh_token": refresh, "id_token": id_token,
        });
        axum::Json(merge(answer, &self.answer)).into_response()
    }

    fn access_token(&self, shared: &Shared) -> String {
        let name = format!("canary-access-{}", self.given);
        let Some(more) = &self.access_claims else { return name };
        let now = shared.clock.now();
        let claims = json!({
            "iss": shared.origin, "sub": "sub-of-ada", "client_id": CLIENT_ID, "jti": name, "iat": now,
            "exp": now.after(std::time::Duration::from_secs(self.lifetime)),
        });
        self.key.sign("at+jwt", &merge(claims, more)).expect("a signature")
    }
}
