//! What routing needs to know of a message. The bytes themselves are carried untouched.

use serde_json::{Value, json};

const VERSION_KEY: &str = "io.modelcontextprotocol/protocolVersion";

/// The first revision in which each message stands alone. Revisions are dates, and compare as such.
const STATELESS: &str = "2026-07-28";

/// A message from the local client.
#[derive(Debug)]
pub(super) struct Message {
    /// As it came.
    pub(super) body: Vec<u8>,
    /// The ids that the server is to answer; several in a batch, none in a notification or response.
    pub(super) ids: Vec<Value>,
    /// The method, unless this is a response or a batch.
    pub(super) method: Option<String>,
    /// `params.name` or `params.uri`, where the transport mirrors it.
    pub(super) name: Option<String>,
    /// The revision that the message itself names.
    pub(super) stateless_version: Option<String>,
    cancels: Option<Value>,
}

/// Why a line is not carried.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoMessage {
    /// JSON-RPC 2.0 §5.1, "Parse error".
    #[error("not JSON: {0}")]
    Json(String),
    /// JSON-RPC 2.0 §5.1, "Invalid Request": nobody would ever answer it.
    #[error("neither a request nor a notification nor a response")]
    Message,
}

impl NoMessage {
    /// The line that says so. The id could not be read, so it is null (JSON-RPC 2.0 §5).
    pub(super) fn line(&self) -> Vec<u8> {
        let code = match self {
            Self::Json(_) => -32700,
            Self::Message => -32600,
        };
        error_line(&Value::Null, code, &self.to_string())
    }
}

impl Message {
    /// Reads a line.
    pub(super) fn parse(body: Vec<u8>) -> Result<Self, NoMessage> {
        let value: Value =
            serde_json::from_slice(&body).map_err(|error| NoMessage::Json(error.to_string()))?;
        let single = std::slice::from_ref(&value);
        let items = value.as_array().map_or(single, Vec::as_slice);
        // Of a batch, what else is wrong in it is the server's to judge.
        if !items
            .iter()
            .any(|item| ["method", "result", "error"].iter().any(|member| item.get(member).is_some()))
        {
            return Err(NoMessage::Message);
        }
        let ids = items.iter().filter(|item| item.get("method").is_some()).filter_map(|item| item.get("id"));
        let method = value.get("method").and_then(Value::as_str);
        let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        Ok(Self {
            ids: ids.cloned().collect(),
            method: method.map(str::to_owned),
            // MCP 2026-07-28, "Standard Request Headers".
            name: match method {
                Some("tools/call" | "prompts/get") => text("/params/name"),
                Some("resources/read") => text("/params/uri"),
                _ => None,
            },
            stateless_version: value
                .pointer("/params/_meta")
                .and_then(|meta| meta.get(VERSION_KEY)?.as_str())
                .filter(|version| *version >= STATELESS)
                .map(str::to_owned),
            cancels: value
                .pointer("/params/requestId")
                .filter(|_| method == Some("notifications/cancelled"))
                .cloned(),
            body,
        })
    }

    pub(super) fn is_initialize(&self) -> bool {
        self.method.as_deref() == Some("initialize")
    }

    pub(super) fn is_initialized(&self) -> bool {
        self.method.as_deref() == Some("notifications/initialized")
    }

    /// A request whose answer is a stream that has no end.
    pub(super) fn is_subscription(&self) -> bool {
        self.method.as_deref() == Some("subscriptions/listen")
    }

    /// Which request this message cancels, as [`cancel_key`](Self::cancel_key) spells it.
    pub(super) fn cancels(&self) -> Option<String> {
        self.cancels.as_ref().map(Value::to_string)
    }

    /// Under which name this request is cancelled. A batch cannot be.
    pub(super) fn cancel_key(&self) -> Option<String> {
        self.method.as_ref().and(self.ids.first()).map(Value::to_string)
    }

    /// Whether this message stands alone, in no session.
    pub(super) fn is_stateless(&self) -> bool {
        self.stateless_version.is_some()
    }

    /// What the person wants to do, for step-ups and errors.
    pub(super) fn operation(&self) -> String {
        let method = self.method.as_deref().unwrap_or("a message");
        self.name.as_deref().map_or_else(|| method.to_owned(), |name| format!("{method} {name}"))
    }
}

/// A JSON-RPC error (JSON-RPC 2.0 §5.1).
pub(super) fn error_line(id: &Value, code: i32, message: &str) -> Vec<u8> {
    json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message}}).to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Message {
        Message::parse(text.as_bytes().to_vec()).unwrap()
    }

    #[test]
    fn requests_notifications_responses_and_batches_are_told_apart() {
        assert_eq!(parse(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#).ids, [json!(1)]);
        assert!(parse(r#"{"jsonrpc":"2.0","method":"notifications/x"}"#).ids.is_empty());
        assert!(
            parse(r#"{"jsonrpc":"2.0","id":"s","result":{}}"#).ids.is_empty(),
            "a response awaits no answer"
        );
        assert_eq!(parse(r#"[{"id":1,"method":"a"},{"method":"b"},{"id":"x","method":"c"}]"#).ids.len(), 2);
        assert!(Message::parse(b"{".to_vec()).is_err());
        for text in ["{}", "7", "\"x\"", "[]", "[1]", "null", r#"{"jsonrpc":"2.0","id":1}"#] {
            let refused = Message::parse(text.as_bytes().to_vec());
            assert!(matches!(refused, Err(NoMessage::Message)), "{text}");
        }
    }

    #[test]
    fn names_are_mirrored_for_the_three_methods_only() {
        assert_eq!(parse(r#"{"id":1,"method":"tools/call","params":{"name":"n"}}"#).name.unwrap(), "n");
        assert_eq!(parse(r#"{"id":1,"method":"resources/read","params":{"uri":"u"}}"#).name.unwrap(), "u");
        assert_eq!(parse(r#"{"id":1,"method":"other","params":{"name":"n"}}"#).name, None);
    }

    #[test]
    fn a_request_is_found_by_what_cancels_it() {
        let meta = |version: &str| {
            json!({"id":7,"method":"m","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":version}}}).to_string()
        };
        let cancel = parse(r#"{"method":"notifications/cancelled","params":{"requestId":7}}"#);
        for (text, stateless) in [(meta("2026-07-28"), true), (meta("2025-11-25"), false)] {
            assert_eq!(
                (parse(&text).cancel_key(), parse(&text).is_stateless()),
                (cancel.cancels(), stateless)
            );
        }
        assert_eq!(
            parse(r#"{"id":"7","method":"m"}"#).cancel_key(),
            Some("\"7\"".into()),
            "a string is no number"
        );
        assert_eq!(cancel.cancel_key(), None);
    }
}
