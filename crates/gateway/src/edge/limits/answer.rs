//! What one too many is told.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use serde_json::json;

use super::{Much, Of, TooMuch};

/// Of the codes that a server may choose (JSON-RPC 2.0 §5.1).
const LIMIT_EXCEEDED: i64 = -32005;

/// 429 (RFC 6585 §4), with the time to wait (RFC 9110 §10.2.3) and an error that JSON-RPC clients show. The request was not
/// looked at, so its id is not known. Pages may read it: it says nothing about anybody.
pub(crate) fn refuse(too_much: &TooMuch) -> Response {
    let TooMuch { of, much, wait } = too_much;
    let who = match of {
        Of::Address => "from this network address",
        Of::Subject => "of this user",
        Of::Server => "to this server",
    };
    let what = match much {
        Much::Rate => "too many requests in a short time",
        Much::Requests => "too many requests at once",
        Much::Streams => "too many open streams",
    };
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    let seconds = seconds.max(1);
    let plural = if seconds == 1 { "" } else { "s" };
    let message = format!("{what} {who}; try again in {seconds} second{plural}");
    let data = json!({ "rule": too_much.rule(), "retry_after": seconds });
    let error = json!({ "code": LIMIT_EXCEEDED, "message": message, "data": data });
    let body = json!({ "jsonrpc": "2.0", "id": null, "error": error });
    let mut response = (StatusCode::TOO_MANY_REQUESTS, Json(body)).into_response();
    let headers = response.headers_mut();
    headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("retry-after"));
    response
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn it_says_the_rule_and_when_to_come_again() {
        for (wait, seconds) in [(1, 1), (999, 1), (1_000, 1), (1_001, 2), (0, 1)] {
            let too_much = TooMuch { of: Of::Subject, much: Much::Rate, wait: Duration::from_millis(wait) };
            let response = refuse(&too_much);
            assert_eq!(response.status(), 429);
            assert_eq!(response.headers()[RETRY_AFTER], seconds.to_string());
            let body = axum::body::to_bytes(response.into_body(), 4096).await.unwrap();
            let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(body["error"]["data"], json!({ "rule": "subject_rate", "retry_after": seconds }));
            assert!(body["error"]["message"].as_str().unwrap().contains("of this user"), "{body}");
        }
    }
}
