//! JSON-RPC error objects (JSON-RPC 2.0 §5.1).

use std::fmt::Display;

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::json;

use super::Id;

/// Not JSON.
pub const PARSE_ERROR: i64 = -32700;
/// JSON, and no request.
pub const INVALID_REQUEST: i64 = -32600;
/// Wrong parameters.
pub const INVALID_PARAMS: i64 = -32602;
/// Refused by policy: of the codes that a server may choose (JSON-RPC 2.0 §5.1).
pub const FORBIDDEN: i64 = -32003;
/// MCP 2026-07-28, streamable HTTP, "Server Validation".
pub const HEADER_MISMATCH: i64 = -32020;

/// An error that answers an HTTP request. Without an id, `id` is `null`.
pub fn error_response(status: StatusCode, code: i64, message: impl Display, id: Option<&Id>) -> Response {
    let error = json!({ "code": code, "message": message.to_string() });
    let body = json!({ "jsonrpc": "2.0", "id": id, "error": error });
    (status, Json(body)).into_response()
}
