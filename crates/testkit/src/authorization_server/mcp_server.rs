//! The MCP server that the scripted authorization server guards: its tools, and whom it lets in.

use axum::{
    Json,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::{S, Shared, lacks_nonce, lock, next_nonce, shown};

/// The answer to a request without a good token, or with too weak a one.
fn refusal(shared: &Shared, headers: &HeaderMap, needed: &str) -> Option<Response> {
    let script = lock(&shared.script).clone();
    if let Some(status) = script.status {
        return Some(StatusCode::from_u16(status).unwrap_or_default().into_response());
    }
    if !script.protected {
        return None;
    }
    let credentials = headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok()?.split_once(' '));
    let token = credentials.filter(|(scheme, _)| *scheme == script.token_type).map(|(_, token)| token);
    if token.is_some() && lacks_nonce(&script, headers) {
        let nonce = next_nonce(&script);
        let challenge = "DPoP error=\"use_dpop_nonce\"";
        let fields = [("www-authenticate", challenge.to_owned()), ("dpop-nonce", nonce)];
        return Some((StatusCode::UNAUTHORIZED, fields).into_response());
    }
    let bound = token.and_then(|token| lock(&shared.bound).get(token).cloned());
    let token = token.filter(|_| bound.is_none_or(|to| to.is_some() && to == shown(headers)));
    let scopes = token.and_then(|token| lock(&shared.access).get(token).cloned());
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

pub(super) async fn mcp(State(shared): S, headers: HeaderMap, Json(body): Json<Value>) -> Response {
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

/// In front of another MCP server.
pub(super) async fn guard(State(shared): S, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap_or_default();
    let message: Value = serde_json::from_slice(&body).unwrap_or_default();
    let method = message["method"].as_str().unwrap_or_default().to_owned();
    lock(&shared.seen).mcp.push((head.method.to_string(), method, head.headers.clone()));
    let needed = if message["params"]["name"] == "write" { "write" } else { "" };
    if let Some(refused) = refusal(&shared, &head.headers, needed) {
        return refused;
    }
    let Some(server) = shared.guarded.clone() else { return StatusCode::NOT_FOUND.into_response() };
    server.oneshot(Request::from_parts(head, Body::from(body))).await.into_response()
}

pub(super) async fn mcp_get(State(shared): S, headers: HeaderMap) -> Response {
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

pub(super) async fn mcp_delete(State(shared): S, headers: HeaderMap) -> StatusCode {
    lock(&shared.seen).mcp.push(("DELETE".into(), String::new(), headers));
    StatusCode::OK
}
