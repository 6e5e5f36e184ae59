//! SCIM (RFC 7644): the first byte says whether a filter, a path or the body of a PATCH is read.
//!
//! What is read reads back as the same; a filter's value is what a JSON parser finds behind the operator; no change reaches a
//! person's name but by naming it, and what is kept stays within its bounds.

use hallpass_authorization_server::fuzzing::{scim_filter, scim_patch, scim_path};
use serde_json::Value;

/// Takes one input.
pub fn check(data: &[u8]) {
    let Some((which, data)) = data.split_first() else { return };
    match which % 3 {
        0 => std::str::from_utf8(data).into_iter().for_each(filter),
        1 => std::str::from_utf8(data).into_iter().for_each(path),
        _ => patch(data),
    }
}

fn filter(text: &str) {
    let Some((attribute, value)) = scim_filter(text) else { return };
    assert_eq!(attribute, attribute.to_ascii_lowercase());
    assert!(matches!(value, Value::String(_) | Value::Bool(_)));
    let again = format!("{attribute} eq {value}");
    assert_eq!(scim_filter(&again), Some((attribute, value)));
}

fn path(text: &str) {
    let Some(written) = scim_path(text) else { return };
    assert_eq!(scim_path(&written), Some(written.clone()));
}

fn patch(body: &[u8]) {
    let Some((before, after)) = scim_patch(body) else { return };
    let named = String::from_utf8_lossy(body).to_lowercase();
    if before["externalId"] != after["externalId"] {
        assert!(named.contains("externalid") || named.contains('\\'), "{named}");
    }
    assert!(after["emails"].as_array().is_none_or(|emails| emails.len() <= 10));
    assert!(longest(&after) <= 256);
}

/// In characters.
fn longest(value: &Value) -> usize {
    match value {
        Value::String(text) => text.chars().count(),
        Value::Array(list) => list.iter().map(longest).max().unwrap_or(0),
        Value::Object(members) => members.values().map(longest).max().unwrap_or(0),
        _ => 0,
    }
}
