//! Every reason why a request is not carried on to a stdio server.

use std::time::Duration;

use axum::Json;
use axum::response::{IntoResponse, Response};
use hallpass_resource_server::json_rpc::{
    FORBIDDEN, HEADER_MISMATCH, INVALID_PARAMS, INVALID_REQUEST, Id, PARSE_ERROR, PeekError, error_response,
};
use http::header::RETRY_AFTER;
use http::{HeaderValue, StatusCode};
use serde_json::json;

use super::stateless::REVISIONS;

const METHOD_NOT_FOUND: i64 = -32601;
/// MCP 2026-07-28, basic, "Error Codes".
const UNSUPPORTED_VERSION: i64 = -32022;
const INTERNAL_ERROR: i64 = -32603;
/// What the official SDKs say with the 404 for a session that is not there.
const SESSION_NOT_FOUND: i64 = -32001;

/// A rule that a request broke, or a limit that was reached.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    /// Transports, "Sending Messages to the Server", 2; "Listening for Messages", 2.
    #[error("the Accept field allows neither text/event-stream nor, for a POST, application/json")]
    NotAcceptable,
    /// The body is longer than [`Limits::message`](super::Limits::message).
    #[error("the body is longer than {0} bytes")]
    TooLong(usize),
    /// The body broke off.
    #[error("the body could not be read to its end")]
    Unreadable,
    /// The body is no JSON-RPC.
    #[error("{0}")]
    Body(#[from] PeekError),
    /// 2026-07-28, "Sending Messages", 4.
    #[error("this revision has no batches: send one message")]
    BatchNow,
    /// 2026-07-28, "Per-request protocol fields".
    #[error("_meta of the request {1}")]
    Meta(Id, &'static str),
    /// 2026-07-28, streamable HTTP, "Server Validation".
    #[error("the field {1} is not there, or does not say what the body says")]
    Mirror(Id, &'static str),
    /// 2026-07-28, "Protocol Version Negotiation".
    #[error("Unsupported protocol version")]
    Revision(Id, String),
    /// "Session Management", 2. A client that speaks 2026-07-28, which has no sessions, falls back to
    /// `initialize` on any error that is none of that revision's own ("Backward Compatibility").
    #[error(
        "begin with initialize, then send the Mcp-Session-Id that comes back; requests of MCP 2026-07-28 stand alone, and say \
         so in _meta"
    )]
    NoSession {
        /// Of the first request.
        id: Option<Id>,
        /// Whether it was `server/discover`, which this server does not have.
        discover: bool,
    },
    /// "Session Management", 3; also for a session of somebody else, which is none of the caller's.
    #[error("Session not found: it has ended, or never was; begin with initialize")]
    UnknownSession,
    /// "Session Management", 4: initialize begins a session.
    #[error("initialize begins a session; send it alone, and without Mcp-Session-Id")]
    InitializeWithin,
    /// JSON-RPC 2.0 §4: two answers with one id could not be told apart.
    #[error("a request with this id is still under way")]
    DuplicateId(Id),
    /// [`Limits::requests`](super::Limits::requests) or [`Limits::unread`](super::Limits::unread).
    #[error("the MCP server has not yet read, or not yet answered, what was sent before; try again later")]
    Busy(Option<Id>),
    /// [`Limits::sessions`](super::Limits::sessions).
    #[error("the server runs as many sessions as it may; end one, or try again later")]
    TooManySessions,
    /// [`Limits::sessions_of_a_user`](super::Limits::sessions_of_a_user).
    #[error("you have as many sessions as one user may; end one, or try again later")]
    TooManyOfYours,
    /// [`Variable::Claim`](super::Variable::Claim).
    #[error("your token has no claim {0:?}, which the MCP server has to be told")]
    NoClaim(String),
    /// The program does not start.
    #[error("the MCP server behind this gateway does not start; its operator has to mend that")]
    NotStarted,
    /// The program starts, and is of no use.
    #[error(
        "the MCP server behind this gateway ends at once, or does not answer initialize; its operator has to mend that"
    )]
    NotOpened,
    /// The program has ended again and again.
    #[error("the MCP server behind this gateway keeps ending; it is started again in {} s at the earliest", seconds(.0))]
    Resting(Duration),
    /// [`Limits::processes`](super::Limits::processes).
    #[error("the server runs as many processes as it may; try again later")]
    TooManyProcesses,
    /// The gateway is being shut down.
    #[error("the server is being shut down")]
    Closing,
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        tracing::debug!(refused = %self, "a request to a stdio server is refused");
        let (status, code) = match &self {
            Self::NotAcceptable => (StatusCode::NOT_ACCEPTABLE, INVALID_REQUEST),
            Self::TooLong(_) => (StatusCode::PAYLOAD_TOO_LARGE, INVALID_REQUEST),
            Self::Unreadable => (StatusCode::BAD_REQUEST, PARSE_ERROR),
            Self::Body(error) => (StatusCode::BAD_REQUEST, error.code()),
            Self::NoSession { discover: true, .. } => (StatusCode::BAD_REQUEST, METHOD_NOT_FOUND),
            Self::NoSession { .. } | Self::InitializeWithin | Self::DuplicateId(_) => {
                (StatusCode::BAD_REQUEST, INVALID_REQUEST)
            }
            Self::NoClaim(_) => (StatusCode::FORBIDDEN, FORBIDDEN),
            Self::BatchNow => (StatusCode::BAD_REQUEST, INVALID_REQUEST),
            Self::Meta(..) => (StatusCode::BAD_REQUEST, INVALID_PARAMS),
            Self::Mirror(..) => (StatusCode::BAD_REQUEST, HEADER_MISMATCH),
            Self::Revision(id, requested) => return unsupported(id, requested),
            Self::UnknownSession => (StatusCode::NOT_FOUND, SESSION_NOT_FOUND),
            Self::Busy(_) | Self::TooManyOfYours => (StatusCode::TOO_MANY_REQUESTS, INTERNAL_ERROR),
            Self::NotStarted | Self::NotOpened => (StatusCode::BAD_GATEWAY, INTERNAL_ERROR),
            Self::TooManySessions | Self::TooManyProcesses | Self::Resting(_) | Self::Closing => {
                (StatusCode::SERVICE_UNAVAILABLE, INTERNAL_ERROR)
            }
        };
        let id = match &self {
            Self::NoSession { id, .. } | Self::Busy(id) => id.as_ref(),
            Self::DuplicateId(id) | Self::Meta(id, _) | Self::Mirror(id, _) => Some(id),
            _ => None,
        };
        let mut response = error_response(status, code, &self, id);
        let wait = match &self {
            Self::Resting(wait) => seconds(wait),
            _ => 5,
        };
        if matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(wait));
        }
        response
    }
}

/// The client chooses from what it is told ("Protocol Version Negotiation").
fn unsupported(id: &Id, requested: &str) -> Response {
    let data = json!({ "supported": REVISIONS, "requested": requested });
    let error =
        json!({ "code": UNSUPPORTED_VERSION, "message": "Unsupported protocol version", "data": data });
    (StatusCode::BAD_REQUEST, Json(json!({ "jsonrpc": "2.0", "id": id, "error": error }))).into_response()
}

/// Full seconds, none of them too few.
fn seconds(wait: &Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}
