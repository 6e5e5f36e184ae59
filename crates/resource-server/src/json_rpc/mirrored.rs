//! `Mcp-Method` and `Mcp-Name` say what the body says (MCP 2026-07-28, streamable HTTP, "Server
//! Validation"): others on the way may have decided by them.

use std::borrow::Cow;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::Message;
use crate::refusal::Refusal;

/// As it is said to people, and as it is looked for.
type Field = (&'static str, HeaderName);
const METHOD: Field = ("Mcp-Method", HeaderName::from_static("mcp-method"));
const NAME: Field = ("Mcp-Name", HeaderName::from_static("mcp-name"));

/// Compares the fields, where they were sent, with a body that was sent.
///
/// # Errors
/// [`Refusal::HeaderMismatch`], where they differ, or where one field stands for several messages.
pub fn check_mirrored_headers(headers: &HeaderMap, messages: &[Message<'_>]) -> Result<(), Refusal> {
    agrees(headers, METHOD, messages, |value, message| value.to_str().ok() == message.method.as_deref())?;
    agrees(headers, NAME, messages, |value, message| {
        let value = mirrored_value(value);
        value.is_some() && value.as_deref() == mirrored_name(message)
    })
}

/// What `Mcp-Name` mirrors depends on the method ("Standard Request Headers", and SEP-2663 for tasks); a body may hold
/// several.
fn mirrored_name<'m>(message: &'m Message<'_>) -> Option<&'m str> {
    let (name, uri) = (message.name.as_deref(), message.uri.as_deref());
    match message.method.as_deref() {
        Some("tools/call" | "prompts/get") => name,
        Some(method) if method.starts_with("resources/") => uri,
        Some(method) if method.starts_with("tasks/") => message.task.as_deref(),
        _ => name.or(uri),
    }
}

fn agrees(
    headers: &HeaderMap,
    (header, field): Field,
    messages: &[Message<'_>],
    same: impl Fn(&HeaderValue, &Message<'_>) -> bool,
) -> Result<(), Refusal> {
    let mut values = headers.get_all(field).iter();
    let Some(value) = values.next() else {
        return Ok(());
    };
    let id = || messages.first().and_then(|message| message.id.clone());
    // One field mirrors one message: the revision that has the field has no batches.
    match (values.next(), messages) {
        (None, [message]) if same(value, message) => Ok(()),
        _ => Err(Refusal::HeaderMismatch { header, id: id() }),
    }
}

/// What a field says that mirrors a part of the body ("Value Encoding"): plain, or `=?base64?…?=`. `None` where it says nothing
/// that could be there.
#[must_use]
pub fn mirrored_value(value: &HeaderValue) -> Option<Cow<'_, str>> {
    let text = value.to_str().ok()?;
    match text.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?=")) {
        Some(encoded) => {
            let bytes = BASE64_STANDARD.decode(encoded).ok()?;
            String::from_utf8(bytes).ok().map(Cow::Owned)
        }
        None => Some(Cow::Borrowed(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json_rpc::peek;

    const CALL: &str = r#"{"id":"a","method":"tools/call","params":{"name":"Grüße"}}"#;

    fn check(fields: &[(&'static str, &str)], body: &str) -> Result<(), Refusal> {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        check_mirrored_headers(&headers, &peek(body.as_bytes()).unwrap())
    }

    #[test]
    fn no_field_no_rule() {
        check(&[], CALL).unwrap();
    }

    #[test]
    fn what_agrees_passes() {
        check(&[("mcp-method", "tools/call"), ("Mcp-Name", "=?base64?R3LDvMOfZQ==?=")], CALL).unwrap();
        let read = r#"{"method":"resources/read","params":{"uri":"file:///a"}}"#;
        check(&[("mcp-method", "resources/read"), ("mcp-name", "file:///a")], read).unwrap();
    }

    #[test]
    fn what_does_not_agree_is_refused() {
        for fields in [
            &[("mcp-method", "tools/list")][..],
            &[("mcp-method", "Tools/call")],
            &[("mcp-method", "tools/call"), ("mcp-method", "tools/call")],
            &[("mcp-name", "other")],
            &[("mcp-name", "=?base64?####?=")],
            &[("mcp-name", "=?base64?/w==?=")],
            &[("mcp-name", "Gr\u{fc}\u{df}e")],
            &[("mcp-name", "")],
        ] {
            let refusal = check(fields, CALL).unwrap_err();
            assert!(matches!(refusal, Refusal::HeaderMismatch { id: Some(_), .. }), "{fields:?}");
        }
    }

    /// Whoever decides by the field must see what the server reads.
    #[test]
    fn of_two_names_in_a_body_the_methods_own_counts() {
        let read =
            r#"{"id":1,"method":"resources/read","params":{"name":"notes://open","uri":"notes://secret"}}"#;
        check(&[("mcp-name", "notes://secret")], read).unwrap();
        assert!(check(&[("mcp-name", "notes://open")], read).is_err());
        let call = r#"{"id":1,"method":"tools/call","params":{"uri":"list","name":"purge"}}"#;
        assert!(check(&[("mcp-name", "list")], call).is_err());
        let task = r#"{"id":1,"method":"tasks/get","params":{"name":"a","uri":"b","taskId":"c"}}"#;
        check(&[("mcp-name", "c")], task).unwrap();
        assert!(check(&[("mcp-name", "a")], task).is_err());
        let nameless = r#"{"id":1,"method":"tools/call","params":{"uri":"list"}}"#;
        assert!(check(&[("mcp-name", "list")], nameless).is_err());
    }

    #[test]
    fn one_field_cannot_speak_for_a_batch() {
        let batch = r#"[{"method":"a"},{"method":"a"}]"#;
        assert!(check(&[("mcp-method", "a")], batch).is_err());
        assert!(check(&[("mcp-method", "a")], "[]").is_err());
    }
}
