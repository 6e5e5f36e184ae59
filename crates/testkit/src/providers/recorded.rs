//! A running provider: its rules at each endpoint, and what it remembers.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use aws_lc_rs::digest::{SHA256, digest};
use axum::Json;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use hallpass_protocol::jose::{Algorithm, SigningKey};
use hallpass_protocol::time::Timestamp;
use serde_json::{Value, json};
use url::Url;

use super::quirk::{Form, Grant, Members, Refused, Rule};
use super::{Behaviour, Quirk};

/// A client as the provider knows it.
#[derive(Clone, Debug)]
pub struct Client {
    /// Its name.
    pub id: String,
    /// Its secret, if it has one.
    pub secret: Option<String>,
    /// Where people may be sent.
    pub redirect_uris: Vec<String>,
}

/// A provider's behaviour, with its key and its memory.
pub struct Recorded {
    behaviour: &'static Behaviour,
    origin: String,
    issuer: String,
    key: SigningKey,
    clients: Mutex<Vec<Client>>,
    /// Authorization requests, by the code or refresh token that came of them.
    grants: Mutex<HashMap<String, Form>>,
    opaque: Mutex<u32>,
}

impl fmt::Debug for Recorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Recorded").field(&self.issuer).finish()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Recorded {
    #[allow(clippy::expect_used, reason = "a test without its key cannot go on")]
    pub(super) fn new(behaviour: &'static Behaviour, origin: &str) -> Self {
        Self {
            behaviour,
            origin: origin.to_owned(),
            issuer: format!("{origin}{}", behaviour.issuer),
            // As all seven sign.
            key: SigningKey::generate(Algorithm::RS256).expect("a key"),
            clients: Mutex::default(),
            grants: Mutex::default(),
            opaque: Mutex::default(),
        }
    }

    /// Registers a client by hand, as in the provider's console; one of the same name is changed.
    pub fn add(&self, client: Client) {
        let mut clients = lock(&self.clients);
        clients.retain(|known| known.id != client.id);
        clients.push(client);
    }

    /// Ends every session, as people do there who want no more of it: no code and no refresh token is good any more.
    pub fn end_sessions(&self) {
        lock(&self.grants).clear();
    }

    pub(crate) fn keeps_refresh_tokens(&self) -> bool {
        self.has(|rule| matches!(rule, Rule::KeepsRefreshTokens))
    }

    pub(super) fn behaviour(&self) -> &'static Behaviour {
        self.behaviour
    }

    pub(super) fn issuer(&self) -> &str {
        &self.issuer
    }

    pub(super) fn key(&self) -> &SigningKey {
        &self.key
    }

    fn rules(&self) -> impl Iterator<Item = &'static Rule> {
        self.behaviour.quirks.iter().map(|quirk: &Quirk| &quirk.rule)
    }

    fn has(&self, is: fn(&Rule) -> bool) -> bool {
        self.rules().any(is)
    }

    /// What it says of itself: sound, but for its quirks.
    pub(super) fn metadata(&self) -> Value {
        let origin = &self.origin;
        let sound = json!({
            "issuer": self.issuer,
            "authorization_endpoint": format!("{origin}/authorize"),
            "token_endpoint": format!("{origin}/token"),
            "registration_endpoint": format!("{origin}/register"),
            "jwks_uri": format!("{origin}/keys"),
            "response_types_supported": ["code"],
            "grant_types_supported": ["authorization_code", "refresh_token"],
            "token_endpoint_auth_methods_supported": ["none", "client_secret_post", "client_secret_basic"],
            "code_challenge_methods_supported": ["S256"],
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
            "authorization_response_iss_parameter_supported": true,
        });
        let mut members = sound.as_object().cloned().unwrap_or_default();
        for rule in self.rules() {
            if let Rule::Metadata(change) = rule {
                change(&mut members, origin);
            }
        }
        Value::Object(members)
    }

    /// `iss` of its authorization responses (RFC 9207), as its metadata promises it.
    pub(super) fn response_issuer(&self) -> Option<String> {
        let promised = &self.metadata()["authorization_response_iss_parameter_supported"];
        (*promised == json!(true)).then(|| self.issuer.clone())
    }

    pub(crate) fn refuses_registration(&self, body: &Value) -> Option<Response> {
        if self.metadata().get("registration_endpoint").is_none() {
            return Some(StatusCode::NOT_FOUND.into_response());
        }
        let mut refusals = self.rules().filter_map(|rule| match rule {
            Rule::Registration(refuses) => refuses(body),
            _ => None,
        });
        refusals.next().map(|refused| problem(StatusCode::FORBIDDEN, refused))
    }

    pub(crate) fn registered(&self, answer: &Value) {
        let uris = answer["redirect_uris"].as_array().into_iter().flatten();
        self.add(Client {
            id: answer["client_id"].as_str().unwrap_or_default().to_owned(),
            secret: None,
            redirect_uris: uris.filter_map(Value::as_str).map(str::to_owned).collect(),
        });
    }

    /// A client that is not known, or an address that is not its own, is answered here; the rest is told to the client.
    pub(crate) fn refuses_authorization(&self, request: &Form) -> Option<Response> {
        let get = |name: &str| request.get(name).map_or("", String::as_str);
        let client = self.client(get("client_id"));
        let uri = get("redirect_uri");
        let Some(_) = client.filter(|client| client.redirect_uris.iter().any(|own| self.same(own, uri)))
        else {
            let says = "the client is not registered with this redirect URI";
            return Some(problem(StatusCode::BAD_REQUEST, Refused { error: "invalid_request", says }));
        };
        let mut refusals = self.rules().filter_map(|rule| match rule {
            Rule::Authorization(refuses) => refuses(request),
            _ => None,
        });
        let refused = refusals.next()?;
        let mut target = Url::parse(uri).ok()?;
        let answer = [("error", refused.error), ("error_description", refused.says), ("state", get("state"))];
        target.query_pairs_mut().extend_pairs(answer);
        Some(Redirect::to(target.as_str()).into_response())
    }

    fn client(&self, id: &str) -> Option<Client> {
        lock(&self.clients).iter().find(|client| client.id == id).cloned()
    }

    /// RFC 8252 §7.3, where the provider keeps to it.
    fn same(&self, own: &str, sent: &str) -> bool {
        let portless = |text: &str| {
            let mut url = Url::parse(text).ok()?;
            let is_loopback = url.host_str().is_some_and(|host| host == "localhost" || host == "127.0.0.1");
            (url.scheme() == "http" && is_loopback).then_some(())?;
            url.set_port(None).ok()?;
            Some(url)
        };
        own == sent
            || !self.has(|rule| matches!(rule, Rule::ExactPort))
                && portless(own).is_some_and(|own| portless(sent) == Some(own))
    }

    pub(crate) fn issued(&self, code: &str, request: &Form) {
        lock(&self.grants).insert(code.to_owned(), request.clone());
    }

    pub(crate) fn refuses_token(&self, headers: &HeaderMap, form: &Form) -> Option<Response> {
        let refused = self.checked(headers, form).err().or_else(|| {
            self.rules().find_map(|rule| match rule {
                Rule::Token(refuses) => refuses(form),
                _ => None,
            })
        })?;
        let called = self.rules().fold(refused, |refused, rule| match rule {
            Rule::Calls(call) => call(refused, form),
            _ => refused,
        });
        let with_200 = self.has(|rule| matches!(rule, Rule::RefusesWith200));
        Some(problem(if with_200 { StatusCode::OK } else { StatusCode::BAD_REQUEST }, called))
    }

    /// RFC 6749 §4.1.3 and §6, RFC 7636 §4.6.
    fn checked(&self, headers: &HeaderMap, form: &Form) -> Result<(), Refused> {
        let get = |name: &str| form.get(name).map_or("", String::as_str);
        let (id, secret) = credentials(headers, form);
        let invalid_client = Refused { error: "invalid_client", says: "the client is not known so" };
        let client = self.client(&id).ok_or(invalid_client)?;
        let needed = self.has(|rule| matches!(rule, Rule::NeedsSecret)) || secret.is_some();
        if needed && (client.secret.is_none() || secret != client.secret) {
            return Err(invalid_client);
        }
        let invalid_grant = Refused { error: "invalid_grant", says: "the grant is not of this request" };
        let name = if get("grant_type") == "refresh_token" { "refresh_token" } else { "code" };
        let request = lock(&self.grants).get(get(name)).cloned().ok_or(invalid_grant)?;
        let asked = |name: &str| request.get(name).map_or("", String::as_str);
        if asked("client_id") != id {
            return Err(invalid_grant);
        }
        let challenge = BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, get("code_verifier").as_bytes()));
        let is_code = name == "code";
        if is_code && (asked("code_challenge") != challenge || asked("redirect_uri") != get("redirect_uri")) {
            return Err(invalid_grant);
        }
        Ok(())
    }

    /// The token endpoint's answer, as the provider gives it.
    pub(crate) fn answer(&self, headers: &HeaderMap, form: &Form, answer: Value) -> Response {
        let used = form.get("code").or_else(|| form.get("refresh_token")).cloned().unwrap_or_default();
        let again = form.contains_key("refresh_token");
        let request = match again && self.keeps_refresh_tokens() {
            true => lock(&self.grants).get(&used).cloned(),
            false => lock(&self.grants).remove(&used),
        };
        let request = request.unwrap_or_default();
        let mut members = answer.as_object().cloned().unwrap_or_default();
        let grant = self.grant(&request);
        if again && self.keeps_refresh_tokens() {
            members.remove("refresh_token");
        }
        members.insert("access_token".to_owned(), json!(self.sign(&request, &json!({}))));
        if grant.has_scope("openid") && self.metadata().get("jwks_uri").is_some() {
            members.insert("id_token".to_owned(), json!(self.id_token(&grant)));
        }
        for rule in self.rules() {
            if let Rule::Answer(change) = rule {
                change(&grant, &mut members);
            }
        }
        if let Some(refresh) = members.get("refresh_token").and_then(Value::as_str) {
            lock(&self.grants).insert(refresh.to_owned(), request.clone());
        }
        let wants_json = headers.get(header::ACCEPT).is_some_and(|accept| accept == "application/json");
        if wants_json || !self.has(|rule| matches!(rule, Rule::FormEncoded)) {
            return Json(members).into_response();
        }
        let mut text = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in &members {
            text.append_pair(name, &value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        }
        ([(header::CONTENT_TYPE, "application/x-www-form-urlencoded")], text.finish()).into_response()
    }

    /// OpenID Connect Core §2.
    #[allow(clippy::expect_used, reason = "a test without its token cannot go on")]
    fn id_token(&self, grant: &Grant<'_>) -> String {
        let now = Timestamp::from(SystemTime::now());
        let claims = json!({
            "iss": self.issuer, "sub": self.behaviour.subject, "aud": grant.asked("client_id"), "iat": now,
            "exp": now.after(Duration::from_secs(600)), "nonce": grant.asked("nonce"),
        });
        self.key.sign("JWT", &claims).expect("a signature")
    }

    fn grant<'a>(&'a self, request: &'a Form) -> Grant<'a> {
        Grant { request, issuer: &self.issuer, origin: &self.origin }
    }

    #[allow(clippy::expect_used, reason = "a test without its token cannot go on")]
    pub(super) fn sign(&self, request: &Form, changes: &Value) -> String {
        let grant = self.grant(request);
        let is_opaque = |rule| matches!(rule, &Rule::Opaque(is) if is(&grant));
        if self.rules().any(is_opaque) {
            let mut count = lock(&self.opaque);
            *count += 1;
            return format!("opaque-{count}");
        }
        let now = Timestamp::from(SystemTime::now());
        let claims = json!({
            "iss": self.issuer, "sub": self.behaviour.subject, "iat": now,
            "exp": now.after(Duration::from_secs(600)),
        });
        let mut members: Members = claims.as_object().cloned().unwrap_or_default();
        for rule in self.rules() {
            if let Rule::Claims(write) = rule {
                write(&grant, &mut members);
            }
        }
        members.extend(changes.as_object().cloned().unwrap_or_default());
        members.retain(|_, value| !value.is_null());
        self.key.sign(self.behaviour.typ, &members).expect("a signature")
    }
}

/// RFC 6749 §2.3.1, by either way.
fn credentials(headers: &HeaderMap, form: &Form) -> (String, Option<String>) {
    let basic =
        headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Basic "));
    let decoded = basic.and_then(|text| base64::prelude::BASE64_STANDARD.decode(text).ok());
    let decoded = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
    match decoded.as_deref().and_then(|text| text.split_once(':')) {
        Some((id, secret)) => (id.to_owned(), Some(secret.to_owned())),
        None => (form.get("client_id").cloned().unwrap_or_default(), form.get("client_secret").cloned()),
    }
}

fn problem(status: StatusCode, refused: Refused) -> Response {
    let body = json!({"error": refused.error, "error_description": refused.says});
    (status, Json(body)).into_response()
}
