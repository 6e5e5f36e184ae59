//! Parts of a message, mirrored into headers (MCP 2026-07-28, "Request Metadata").

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderName, HeaderValue};

pub(super) const PROTOCOL_VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
pub(super) const SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");
pub(super) const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
pub(super) const METHOD: HeaderName = HeaderName::from_static("mcp-method");
pub(super) const NAME: HeaderName = HeaderName::from_static("mcp-name");

/// "Value Encoding": plain where a header can carry the value exactly, else marked base64.
pub(super) fn encode(value: &str) -> Option<HeaderValue> {
    let plain = value.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    let padded = value.starts_with(' ') || value.ends_with(' ') || value.is_empty();
    let like_marked = value.starts_with("=?base64?") && value.ends_with("?=");
    if plain && !padded && !like_marked {
        return HeaderValue::from_str(value).ok();
    }
    HeaderValue::try_from(format!("=?base64?{}?=", STANDARD.encode(value))).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decode(value: &HeaderValue) -> String {
        let text = value.to_str().unwrap();
        match text.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?=")) {
            Some(encoded) => String::from_utf8(STANDARD.decode(encoded).unwrap()).unwrap(),
            None => text.to_owned(),
        }
    }

    #[test]
    fn the_examples_of_the_specification() {
        for (value, expected) in [
            ("us-west1", "us-west1"),
            ("Hello, 世界", "=?base64?SGVsbG8sIOS4lueVjA==?="),
            (" padded ", "=?base64?IHBhZGRlZCA=?="),
            ("line1\nline2", "=?base64?bGluZTEKbGluZTI=?="),
            ("=?base64?literal?=", "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?="),
        ] {
            assert_eq!(encode(value).unwrap(), expected);
        }
    }

    proptest! {
        #[test]
        fn every_value_arrives_as_it_was(value in any::<String>()) {
            prop_assert_eq!(decode(&encode(&value).unwrap()), value);
        }
    }
}
