//! The token endpoint, and the one that takes tokens back.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use axum::{
    Form, Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use serde_json::json;

use super::{S, Script, Shared, invalid_client, is_forgotten, lacks_nonce, lock, next_nonce, random, shown};

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

pub(super) async fn token(
    State(shared): S,
    headers: HeaderMap,
    Form(form): Form<HashMap<String, String>>,
) -> Response {
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
    if let Some(refusal) = script.provider.as_ref().and_then(|one| one.refuses_token(&headers, &form)) {
        return refusal;
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
        match script.provider.as_ref().is_some_and(|provider| provider.keeps_refresh_tokens()) {
            true => lock(&shared.refresh).get(&used).cloned(),
            false => lock(&shared.refresh).remove(&used),
        }
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
    match script.provider {
        Some(provider) => provider.answer(&headers, &form, answer),
        None => Json(answer).into_response(),
    }
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

pub(super) async fn revoke(State(shared): S, Form(form): Form<HashMap<String, String>>) -> Response {
    if let Some((status, body)) = lock(&shared.script).revocation.clone() {
        return (StatusCode::from_u16(status).unwrap_or_default(), Json(body)).into_response();
    }
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
