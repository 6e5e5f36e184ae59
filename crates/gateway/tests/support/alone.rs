//! Clients of MCP 2026-07-28, whose requests stand alone.

use axum::response::Response;
use http::StatusCode;
use serde_json::{Value, json};

use super::{Protected, text};

pub(crate) const NOW: &str = "2026-07-28";

pub(crate) fn message(id: i64, method: &str, params: Value) -> Value {
    let mut params = params;
    params["_meta"]["io.modelcontextprotocol/protocolVersion"] = NOW.into();
    params["_meta"]["io.modelcontextprotocol/clientInfo"] = json!({"name":"t","version":"1"});
    params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json!({"sampling":{}});
    json!({"jsonrpc":"2.0","id":id,"method":method,"params":params})
}

pub(crate) async fn post_as(
    gateway: &Protected,
    user: &str,
    message: &Value,
    fields: &[(&str, &str)],
) -> Response {
    let token = gateway.token_for(user, "notes:read");
    let mut request = gateway.request_as(&token, "POST");
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    gateway.send(request.body(message.to_string().into()).unwrap()).await
}

pub(crate) async fn call_as(
    gateway: &Protected,
    user: &str,
    id: i64,
    method: &str,
    params: Value,
) -> Response {
    let fields = [("mcp-protocol-version", NOW), ("mcp-method", method)];
    post_as(gateway, user, &message(id, method, params), &fields).await
}

pub(crate) async fn call(gateway: &Protected, id: i64, method: &str, params: Value) -> Response {
    call_as(gateway, "alice", id, method, params).await
}

pub(crate) async fn document(response: Response) -> (StatusCode, Value) {
    assert_eq!(response.headers()["content-type"], "application/json");
    let status = response.status();
    (status, serde_json::from_str(&text(response).await).unwrap())
}
