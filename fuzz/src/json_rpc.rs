//! JSON-RPC, as policy sees it in a body.
//!
//! What is seen is what every other parser sees: one that takes the first of two equal names, one that takes the last,
//! one that ignores their case. What is plain is not refused. And what passes a resource server is forwarded byte by
//! byte, and asks for nothing that policy denies, whoever reads it.

use axum::body::Body;
use futures_util::FutureExt as _;
use hallpass_resource_server::json_rpc::{Id, Message, peek};
use http::Request;
use http_body_util::BodyExt as _;
use serde_json::Value;

use crate::protected::{self, TOKEN};
use crate::twins;

const MAGIC: &[u8] = b"$serde_json::private::";

/// Takes one input.
pub fn check(data: &[u8]) {
    match peek(data) {
        Ok(seen) => {
            let (first, last) = twins::read(data).expect("JSON");
            for read in [&first, &last, &folded(&last)] {
                let items = items(read);
                assert_eq!(items.len(), seen.len());
                seen.iter().zip(items).for_each(|(seen, item)| agrees(seen, item));
            }
        }
        Err(error) => assert!(!is_plain(data), "refused: {error}"),
    }
    forwarded(data);
}

fn items(body: &Value) -> &[Value] {
    body.as_array().map_or_else(|| std::slice::from_ref(body), Vec::as_slice)
}

fn agrees(seen: &Message<'_>, item: &Value) {
    assert_eq!(item.get("method").and_then(Value::as_str), seen.method.as_deref());
    assert_eq!(item.pointer("/params/name").and_then(Value::as_str), seen.name.as_deref());
    assert_eq!(item.pointer("/params/uri").and_then(Value::as_str), seen.uri.as_deref());
    let id = match item.get("id") {
        Some(Value::String(id)) => Some(Id::Text(id.clone())),
        Some(Value::Number(id)) => id.as_i64().map(Id::Number),
        _ => None,
    };
    assert_eq!(id, seen.id);
}

/// As a parser reads it for which `Method` is `method`.
fn folded(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            members.iter().map(|(name, value)| (name.to_lowercase(), folded(value))).collect()
        }
        Value::Array(items) => items.iter().map(folded).collect(),
        other => other.clone(),
    }
}

/// Whether nobody could find anything wrong with it. No client sends less plain ones.
fn is_plain(data: &[u8]) -> bool {
    let Some(body) = twins::last(data) else { return false };
    let plain = |item: &Value| {
        let lower = |names: &Value| names.as_object().is_none_or(|m| m.keys().all(|name| name.bytes().all(|b| b.is_ascii_lowercase())));
        item.is_object()
            && item.get("method").is_none_or(Value::is_string)
            && item.get("params").is_none_or(Value::is_object)
            && item.get("id").is_none_or(|id| id.is_string() || id.as_i64().is_some_and(|id| id.unsigned_abs() < 1 << 53))
            && lower(item)
            && item.get("params").is_none_or(lower)
    };
    let magic = data.windows(MAGIC.len()).any(|window| window == MAGIC) || data.contains(&b'\\');
    let items = items(&body);
    !twins::repeats(data) && !magic && items.len() <= 128 && items.iter().all(plain)
}

/// Judged is forwarded.
fn forwarded(data: &[u8]) {
    let request = Request::post("/mcp").header("authorization", format!("Bearer {}", *TOKEN));
    let request = request.body(Body::from(data.to_vec())).expect("a request");
    let Ok(permitted) = protected::admit(protected::server(), request) else { return };
    let (request, _) = permitted.into_parts();
    let sent = request.into_body().collect().now_or_never().expect("at hand").expect("bytes").to_bytes();
    assert_eq!(sent, data);
    let Some((first, last)) = twins::read(data) else {
        assert!(data.is_empty(), "forwarded, and no JSON");
        return;
    };
    for read in [&first, &last, &folded(&first), &folded(&last)] {
        for item in items(read) {
            let name = match item.get("method").and_then(Value::as_str) {
                Some("tools/call" | "prompts/get") => item.pointer("/params/name"),
                Some("resources/read") => item.pointer("/params/uri"),
                _ => continue,
            };
            let name = name.and_then(Value::as_str).expect("a name");
            assert!(!matches!(name, "debug" | "purge"), "{name} was forwarded");
        }
    }
}
