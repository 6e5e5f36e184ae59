//! Whoever has no account linked at a third party is led to where they link it (MCP 2025-11-25 and 2026-07-28,
//! client/elicitation, "URL Mode Elicitation Requests").
//!
//! | the client speaks | how it is known that it can be led | what it is told |
//! |---|---|---|
//! | 2025-11-25 | it said so by `initialize`, in the session that the request is in | the error -32042 |
//! | 2026-07-28 | the request says so in `_meta` | a result that asks: `tools/call`, `prompts/get` and `resources/read` only |
//!
//! Whoever can't be led gets the refusal, and logs in again.

use std::collections::HashMap;

use axum::Json;
use axum::body::{self, Body};
use axum::response::{IntoResponse, Response};
use hallpass_resource_server::json_rpc::{Id, peek};
use hallpass_resource_server::settings::BODY_LIMIT;
use hallpass_resource_server::{BrokenRule, Refusal};
use http::header::{CACHE_CONTROL, HeaderName};
use http::{Method, Request};
use http_body::Body as _;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value, json};

use super::Unlinked;

static VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
static SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");
/// MCP 2025-11-25, client/elicitation, "URL Elicitation Required Error". No other revision has it.
const URL_ELICITATION_REQUIRED: i64 = -32042;
/// The revision whose requests say all of themselves.
const STATELESS: &str = "2026-07-28";
/// What may be answered by a question (2026-07-28, basic/patterns/mrtr, "Supported Requests").
const MAY_ASK: [&str; 3] = ["tools/call", "prompts/get", "resources/read"];

#[derive(Default, Deserialize)]
#[serde(default)]
struct Message {
    params: Params,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Params {
    #[serde(rename = "_meta")]
    meta: Meta,
    /// Of `initialize`.
    capabilities: Capabilities,
    #[serde(rename = "inputResponses")]
    responses: HashMap<String, Answered>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Meta {
    #[serde(rename = "io.modelcontextprotocol/protocolVersion")]
    version: Option<String>,
    #[serde(rename = "io.modelcontextprotocol/clientCapabilities")]
    capabilities: Capabilities,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Capabilities {
    elicitation: Elicitation,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Elicitation {
    url: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Answered {
    #[serde(default)]
    action: Option<String>,
}

impl Message {
    /// What is no such message says nothing.
    fn read(body: &[u8]) -> Self {
        serde_json::from_slice(body).unwrap_or_default()
    }

    /// Whether somebody has already said no.
    fn declines(&self, key: &str) -> bool {
        let answered = self.params.responses.get(key);
        answered.is_some_and(|answered| answered.action.as_deref() != Some("accept"))
    }
}

/// Whether a request may begin a session. What is known to be longer than what is read introduces nobody.
pub(in crate::upstream) fn may_introduce(request: &Request<Body>) -> bool {
    let begins = || [&VERSION, &SESSION_ID].iter().all(|field| !request.headers().contains_key(*field));
    let is_short = || request.body().size_hint().lower() <= BODY_LIMIT as u64;
    request.method() == Method::POST && begins() && is_short() && !request.body().is_end_stream()
}

/// Whether a request begins a session of a client that can be led to a page. Only what may be `initialize` is read: clients send
/// it without `MCP-Protocol-Version`, which every later request has.
///
/// # Errors
/// Where the body cannot be read, or is too long.
pub(in crate::upstream) async fn introduces(
    request: Request<Body>,
) -> Result<(Request<Body>, bool), Refusal> {
    if !may_introduce(&request) {
        return Ok((request, false));
    }
    let (parts, body) = request.into_parts();
    let bytes = body::to_bytes(body, BODY_LIMIT).await.map_err(|error| {
        let too_large = std::error::Error::source(&error)
            .is_some_and(|cause| cause.is::<http_body_util::LengthLimitError>());
        if too_large { Refusal::BodyTooLarge { limit: BODY_LIMIT } } else { Refusal::BodyUnreadable }
    })?;
    let can_be_led = peek(&bytes).is_ok_and(
        |messages| matches!(messages.as_slice(), [only] if only.method.as_deref() == Some("initialize")),
    ) && Message::read(&bytes).params.capabilities.elicitation.url.is_some();
    Ok((Request::from_parts(parts, Body::from(bytes)), can_be_led))
}

/// Leads the client to where its user links accounts, if it can be led.
pub(in crate::upstream) async fn lead(
    request: Request<Body>,
    unlinked: &[Unlinked],
    can_be_led: bool,
    refusal: &Refusal,
) -> Option<Response> {
    if request.method() != Method::POST {
        return None;
    }
    let bytes = body::to_bytes(request.into_body(), BODY_LIMIT).await.ok()?;
    let messages = peek(&bytes).ok()?;
    let [only] = messages.as_slice() else { return None };
    let (id, method) = (only.id.as_ref()?, only.method.as_deref()?);
    let message = Message::read(&bytes);
    let meta = &message.params.meta;
    let answer = match meta.version.as_deref() {
        None if can_be_led => required(id, unlinked),
        Some(STATELESS) if meta.capabilities.elicitation.url.is_some() && MAY_ASK.contains(&method) => {
            if unlinked.iter().any(|one| message.declines(&key(one))) {
                return None;
            }
            asks(id, unlinked)
        }
        _ => return None,
    };
    let mut response = ([(CACHE_CONTROL, "no-store")], Json(answer)).into_response();
    response.extensions_mut().insert(BrokenRule(refusal.rule()));
    Some(response)
}

/// 2025-11-25: "The error MUST include a list of elicitations that are required to complete before the original can be retried."
fn required(id: &Id, unlinked: &[Unlinked]) -> Value {
    let elicitations: Vec<_> = unlinked
        .iter()
        .map(|one| {
            let mut asked = asked(one);
            asked["elicitationId"] = format!("{:032x}", rand::random::<u128>()).into();
            asked
        })
        .collect();
    let error = json!({
        "code": URL_ELICITATION_REQUIRED,
        "message": "This request needs an account that is not linked yet.",
        "data": { "elicitations": elicitations },
    });
    json!({ "jsonrpc": "2.0", "id": id, "error": error })
}

/// 2026-07-28, basic/patterns/mrtr, "InputRequiredResult". Whether the account is linked is known here, so there is no state to
/// be echoed.
fn asks(id: &Id, unlinked: &[Unlinked]) -> Value {
    let requests: Map<_, _> = unlinked
        .iter()
        .map(|one| (key(one), json!({ "method": "elicitation/create", "params": asked(one) })))
        .collect();
    json!({ "jsonrpc": "2.0", "id": id, "result": { "resultType": "input_required", "inputRequests": requests } })
}

/// The name of the question, which none of the server's own has.
fn key(one: &Unlinked) -> String {
    format!("hallpass/link/{}", one.party)
}

fn asked(one: &Unlinked) -> Value {
    let message = format!("Link your account at {}: this server works there for you.", one.party);
    json!({ "mode": "url", "url": one.link, "message": message })
}
