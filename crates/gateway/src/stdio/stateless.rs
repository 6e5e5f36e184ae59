//! Requests of MCP 2026-07-28, which stand alone: no session, no `initialize` (streamable HTTP, "Sending Messages").

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use hallpass_resource_server::json_rpc::{Id, check_mirrored_headers, peek};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::events::Messages;
use super::message::{Kind, Message, Posted};
use super::refused::Refused;
use super::rewrite;
use super::session::place_of;

/// The revision that is spoken.
pub(super) const REVISION: &str = "2026-07-28";
/// All that a client may choose from (`server/discover`).
pub(super) const REVISIONS: [&str; 4] = [REVISION, "2025-11-25", "2025-06-18", "2025-03-26"];

/// What `_meta` of a request says of itself ("Per-request protocol fields").
pub(super) const VERSION: &str = "io.modelcontextprotocol/protocolVersion";
pub(super) const CLIENT: &str = "io.modelcontextprotocol/clientInfo";
pub(super) const CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
pub(super) const LEVEL: &str = "io.modelcontextprotocol/logLevel";
/// What `_meta` of a result says of the server.
pub(super) const SERVER: &str = "io.modelcontextprotocol/serverInfo";
/// What `_meta` of a notification says of the request that listens (basic/patterns/subscriptions).
pub(super) const SUBSCRIPTION: &str = "io.modelcontextprotocol/subscriptionId";

const VERSION_FIELD: &str = "mcp-protocol-version";

/// How long an answer is waited for before a stream of events begins.
const FIRST: Duration = Duration::from_secs(20);

/// A request that stands alone.
#[derive(Debug)]
pub(super) struct Stateless {
    pub(super) id: Id,
    pub(super) method: String,
    /// The least level of log messages that it wants to hear.
    pub(super) level: Option<usize>,
}

/// What came without a session.
pub(super) enum Alone {
    /// Of an earlier revision: it has to begin a session.
    No,
    /// A notification, which this revision has none of over HTTP ("Sending Messages", note).
    Notification,
    Request(Stateless),
}

/// What `_meta` of a request has to say ("Per-request protocol fields").
#[derive(Default, Deserialize)]
#[serde(default)]
struct Meta<'a> {
    #[serde(rename = "io.modelcontextprotocol/protocolVersion")]
    version: Option<String>,
    #[serde(borrow, rename = "io.modelcontextprotocol/clientCapabilities")]
    capabilities: Option<&'a RawValue>,
    #[serde(rename = "io.modelcontextprotocol/logLevel")]
    level: Option<String>,
}

impl Alone {
    /// Reads what a POST brought, and holds it to the rules of its revision.
    pub(super) fn of(headers: &HeaderMap, posted: &Posted) -> Result<Self, Refused> {
        let said = version_of(headers);
        let of_now = said.is_some_and(is_later);
        // No batches ("Sending Messages", 4).
        if posted.batch && of_now {
            return Err(Refused::BatchNow);
        }
        let [Message { kind, line }] = posted.messages.as_slice() else { return Ok(Self::No) };
        let Kind::Request { id, method, .. } = kind else {
            return Ok(if of_now { Self::Notification } else { Self::No });
        };
        let meta = rewrite::read(line).and_then(|message| message.get("params").map(RawValue::get));
        let meta = meta.and_then(|params| rewrite::read(params.as_bytes())?.get("_meta"));
        let meta: Meta<'_> = match meta.map(|meta| serde_json::from_str(meta.get())) {
            Some(Ok(meta)) => meta,
            Some(Err(_)) if of_now => {
                return Err(Refused::Meta(id.clone(), "is not what this revision has there"));
            }
            _ => Meta::default(),
        };
        // Earlier revisions have no such member; a name that nobody knows is of no earlier one.
        if !of_now
            && meta
                .version
                .as_deref()
                .is_none_or(|version| REVISIONS.contains(&version) && version != REVISION)
        {
            return Ok(Self::No);
        }
        let (id, method) = (id.clone(), method.clone());
        let version = match (meta.version, said) {
            (None, _) => return Err(Refused::Meta(id, "has no io.modelcontextprotocol/protocolVersion")),
            (Some(version), Some(said)) if version == said => version,
            _ => return Err(Refused::Mirror(id, "MCP-Protocol-Version")),
        };
        if version != REVISION {
            return Err(Refused::Revision(id, version));
        }
        if meta.capabilities.is_none_or(|capabilities| !capabilities.get().starts_with('{')) {
            return Err(Refused::Meta(id, "has no io.modelcontextprotocol/clientCapabilities"));
        }
        // The resource server looks at them only where policy reads bodies.
        let agrees = peek(line).is_ok_and(|messages| check_mirrored_headers(headers, &messages).is_ok());
        if !agrees {
            return Err(Refused::Mirror(id, "Mcp-Method or Mcp-Name"));
        }
        for (field, needed) in [
            ("mcp-method", true),
            ("mcp-name", matches!(&*method, "tools/call" | "resources/read" | "prompts/get")),
        ] {
            if needed && !headers.contains_key(field) {
                return Err(Refused::Mirror(id, if field == "mcp-name" { "Mcp-Name" } else { "Mcp-Method" }));
            }
        }
        let level = match meta.level.as_deref() {
            None => None,
            Some(level) => match place_of(level) {
                Some(place) => Some(place),
                None => return Err(Refused::Meta(id, "names a log level that there is not")),
            },
        };
        Ok(Self::Request(Stateless { id, method, level }))
    }
}

fn version_of(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(VERSION_FIELD).iter();
    values.next().filter(|_| values.next().is_none()).and_then(|value| value.to_str().ok())
}

/// Revisions are named by dates. The last one with `initialize` is 2025-11-25.
fn is_later(revision: &str) -> bool {
    let is_date = revision.len() == 10 && revision.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    is_date && revision > "2025-11-25"
}

/// A document where the answer comes first, with the status that belongs to it; else a stream of events.
pub(super) async fn respond(mut answers: Messages) -> Response {
    match tokio::time::timeout(FIRST, answers.answer_first()).await {
        Ok(Some(answer)) => {
            (status_of(&answer), [(CONTENT_TYPE, "application/json")], answer).into_response()
        }
        // Something else came first, or nothing yet.
        Ok(None) | Err(_) => answers.into_response(),
    }
}

/// "If the server does not implement the requested RPC method, it MUST respond with 404"; errors of this revision are 400.
fn status_of(answer: &Bytes) -> StatusCode {
    #[derive(Deserialize)]
    struct Answer {
        error: Option<Error>,
    }
    #[derive(Deserialize)]
    struct Error {
        code: i64,
    }
    let error = serde_json::from_slice(answer).ok().and_then(|answer: Answer| answer.error);
    match error.map(|error| error.code) {
        Some(-32601) => StatusCode::NOT_FOUND,
        Some(-32022..=-32020) => StatusCode::BAD_REQUEST,
        _ => StatusCode::OK,
    }
}
