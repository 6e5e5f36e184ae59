//! What a server says when it does not take a message.

use http::StatusCode;
use reqwest::Response;
use serde_json::Value;

use super::limit;
use crate::error::printable;

/// An HTTP error with its body.
pub(super) struct Refusal {
    status: StatusCode,
    /// The body, or null.
    pub(super) json: Value,
    text: String,
}

impl Refusal {
    pub(super) async fn read(response: Response) -> Self {
        let status = response.status();
        Self::new(status, &limit::body(response).await.unwrap_or_default())
    }

    fn new(status: StatusCode, body: &[u8]) -> Self {
        let json = serde_json::from_slice(body).unwrap_or_default();
        Self { status, json, text: String::from_utf8_lossy(body).trim().to_owned() }
    }

    /// The server's own JSON-RPC error (JSON-RPC 2.0 §5.1), whose id it may not have read.
    pub(super) fn error(&self) -> Option<&Value> {
        self.json.get("error").filter(|error| error.get("code").is_some_and(Value::is_i64))
    }

    /// What happened, with the server's reason where it gave one.
    pub(super) fn explain(&self) -> String {
        let reason = self.reason().map(|reason| format!(": {reason}")).unwrap_or_default();
        match self.status {
            StatusCode::NOT_FOUND => format!(
                "the server answered 404{reason}. Its URL is wrong (MCP servers often answer at /mcp), or the session has ended there; connect again"
            ),
            StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => format!(
                "the server answered {}{reason}: what is there does not take MCP messages. Check the address and the path: MCP \
                 servers often answer at /mcp",
                self.status
            ),
            status => format!("the server answered {status}{reason}"),
        }
    }

    /// A stranger's words, as text and not at length. A page is for people with a browser.
    fn reason(&self) -> Option<String> {
        let member = |name: &str| self.json.get(name).and_then(Value::as_str);
        let named = ["error_description", "message", "detail", "title", "error"].into_iter().find_map(member);
        let plain = self.text.as_str();
        let is_plain = self.json.is_null() && !plain.starts_with('<');
        let reason = printable(named.or(self.json.as_str()).or(is_plain.then_some(plain))?);
        Some(reason.trim().to_owned()).filter(|reason| !reason.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_handed_on_in_whatever_form_it_comes() {
        let said = |body: &str| Refusal::new(StatusCode::BAD_REQUEST, body.as_bytes()).explain();
        for body in [
            "not initialized\n",
            "\"not initialized\"",
            r#"{"error":"not initialized"}"#,
            r#"{"error":"invalid_request","error_description":"not initialized"}"#,
            r#"{"message":"not initialized"}"#,
            r#"{"detail":"not initialized","title":"Bad Request"}"#,
            "\u{1b}not initialized",
        ] {
            assert_eq!(said(body), "the server answered 400 Bad Request: not initialized", "{body}");
        }
        for body in ["", "<html>not initialized</html>", "{}", "[1]"] {
            assert_eq!(said(body), "the server answered 400 Bad Request", "{body}");
        }
        assert!(said(&"x".repeat(10_000)).len() < 400);
    }
}
