//! Where clients and people begin: registration, authorization, devices.

use std::collections::HashMap;

use axum::{
    Form, Json,
    extract::{Query, State},
    http::{HeaderMap, StatusCode, header::AUTHORIZATION},
    response::{IntoResponse, Redirect, Response},
};
use serde_json::{Value, json};
use url::Url;

use super::{S, invalid_client, is_forgotten, lock, random};

pub(super) async fn register(State(shared): S, headers: HeaderMap, Json(body): Json<Value>) -> Response {
    let mut answer = body.clone();
    let shown = headers.get(AUTHORIZATION).and_then(|field| field.to_str().ok()).map(str::to_owned);
    lock(&shared.seen).registration_fields.push(shown.clone());
    let wanted = lock(&shared.script).registration_token.map(|token| format!("Bearer {token}"));
    if wanted.is_some() && shown != wanted {
        let error = json!({"error": "invalid_token", "error_description": "clients register with a token"});
        return (StatusCode::UNAUTHORIZED, Json(error)).into_response();
    }
    let provider = lock(&shared.script).provider.clone();
    if let Some(refusal) = provider.as_ref().and_then(|provider| provider.refuses_registration(&body)) {
        return refusal;
    }
    lock(&shared.seen).registrations.push(body);
    answer["client_id"] = json!(format!("client-{}", lock(&shared.seen).registrations.len()));
    if let Some(provider) = provider {
        provider.registered(&answer);
    }
    (StatusCode::CREATED, Json(answer)).into_response()
}

pub(super) async fn authorize(State(shared): S, Query(query): Query<HashMap<String, String>>) -> Response {
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
    if let Some(provider) = lock(&shared.script).provider.clone() {
        if let Some(refusal) = provider.refuses_authorization(&query) {
            lock(&shared.seen).refused_authorizations.push(seen);
            return refusal;
        }
        provider.issued(&code, &query);
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
pub(super) async fn device(State(shared): S, Form(form): Form<HashMap<String, String>>) -> Response {
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
pub(super) async fn push(State(shared): S, Form(form): Form<HashMap<String, String>>) -> Response {
    if is_forgotten(&shared, &form) {
        return invalid_client();
    }
    let mut seen = lock(&shared.seen);
    let answer = json!({"request_uri": format!("urn:pushed:{}", seen.pushed.len()), "expires_in": 60});
    seen.pushed.push(form);
    (StatusCode::CREATED, Json(answer)).into_response()
}
