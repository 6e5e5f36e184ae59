//! Whether an MCP server is there at all. Where none is, no other check has anything to say.

use hallpass_protocol::challenge::parse_challenges;
use http::{Method, StatusCode, header};
use serde_json::Value;

use super::{
    answer::{Outcome, ask, shown},
    check::{ALL, Check, Judgement, fault},
    evidence::{PING, message, plain},
};
use crate::{Client, error::printable};

pub(super) const CHECKS: &[Check<Reach>] = &[Check {
    name: "reach.server",
    sought: "an MCP server at this URL",
    source: "MCP \"Sending Messages to the Server\"",
    revisions: ALL,
    judge: server,
}];

/// Servers that protect everything refuse the first; those that let some messages through are asked on.
const MESSAGES: [&str; 3] = [
    PING,
    r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}"#,
    r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"hallpass doctor","version":"1"}}}"#,
];

/// What a stranger's first messages come to.
pub(super) struct Reach {
    /// The first answer that was a refusal, else the last.
    pub(super) bare: Outcome,
}

impl Reach {
    pub(super) async fn of(client: &Client) -> Self {
        let url = client.server().url();
        let mut bare = Err("nothing was asked".to_owned());
        for text in MESSAGES {
            bare = ask(client, message(url, text)).await;
            if !bare.as_ref().is_ok_and(|answer| answer.status != StatusCode::UNAUTHORIZED) {
                break;
            }
        }
        // HTTP+SSE of 2024-11-05: there a stream comes first, and messages go elsewhere.
        if bare.as_ref().is_ok_and(|answer| is_no_place(answer.status)) {
            let stream = ask(client, plain(Method::GET, url)).await;
            let counts = stream.as_ref().is_ok_and(|answer| {
                let is_stream = answer
                    .header(&header::CONTENT_TYPE)
                    .is_some_and(|kind| kind.starts_with("text/event-stream"));
                answer.status == StatusCode::UNAUTHORIZED || answer.status.is_success() && is_stream
            });
            bare = if counts { stream } else { bare };
        }
        Self { bare }
    }
}

fn is_no_place(status: StatusCode) -> bool {
    matches!(status, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::GONE)
}

/// JSON, and no JSON-RPC in it. What could not be read to its end is not judged.
fn is_foreign(body: &[u8]) -> bool {
    let is_message = |value: &Value| value.get("jsonrpc").is_some();
    match serde_json::from_slice::<Value>(body) {
        Ok(Value::Array(items)) => !items.iter().any(is_message),
        Ok(single) => !is_message(&single),
        Err(_) => false,
    }
}

/// Nothing to say where something answers that may be an MCP server.
fn server(reach: &Reach) -> Option<Judgement> {
    const PATH: &str = "check the path: MCP servers often answer at /mcp. Nothing else was checked";
    const ADDRESS: &str = "check the address and the path (often /mcp). Nothing else was checked";
    let answer = match &reach.bare {
        Ok(answer) => answer,
        Err(why) => return fault(why, "mend this first. Nothing else was checked"),
    };
    let is_page = || answer.header(&header::CONTENT_TYPE).is_some_and(|kind| kind.starts_with("text/html"));
    match answer.status {
        status if is_no_place(status) => fault(format!("{status} to every MCP message"), PATH),
        status if status.is_success() && is_page() => {
            fault(format!("{status}, with a page for people"), PATH)
        }
        // RFC 9110 §15.6.2: what knows no POST at all.
        status @ (StatusCode::NOT_IMPLEMENTED | StatusCode::HTTP_VERSION_NOT_SUPPORTED) => {
            fault(format!("{status}: what is there does not take MCP messages"), ADDRESS)
        }
        status if status.is_success() && answer.is_json() && is_foreign(&answer.body) => fault(
            format!("{status}, with JSON that is no MCP message: what is there does not take MCP messages"),
            ADDRESS,
        ),
        status if status.is_server_error() => fault(
            format!("{status} to every MCP message: the server is in trouble, or what is before it"),
            "try again, and look into the server's log: until it answers, nothing can be said of its logins. Nothing else \
             was checked",
        ),
        StatusCode::FORBIDDEN if parse_challenges(&answer.headers).is_empty() => fault(
            "403 Forbidden: it keeps strangers out, and names no way to log in",
            "check the address and the path (often /mcp), and whether something before the server lets this machine in \
             (--header sends what it asks for). Nothing else was checked",
        ),
        status if status.is_redirection() => {
            let place = answer.header(&header::LOCATION).unwrap_or_default();
            let place = url::Url::parse(place).map_or_else(|_| printable(place), |url| shown(&url));
            let change =
                "examine that place: clients send no token along to another. Nothing else was checked";
            fault(format!("{status}: it sends on to `{place}`"), change)
        }
        _ => None,
    }
}
