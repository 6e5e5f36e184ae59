//! The documents of both servers.

use axum::{
    Json,
    extract::State,
    http::{StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use serde_json::json;

use super::{S, Shared, lock};

pub(super) async fn resource_metadata(State(shared): S) -> Response {
    lock(&shared.seen).metadata_requests.push("/.well-known/oauth-protected-resource/mcp".into());
    let resource = lock(&shared.script).resource.clone();
    resource_document(&shared, resource)
}

pub(super) async fn root_metadata(State(shared): S) -> Response {
    lock(&shared.seen).metadata_requests.push("/.well-known/oauth-protected-resource".into());
    let resource = lock(&shared.script).root_resource.clone();
    resource_document(&shared, resource)
}

fn resource_document(shared: &Shared, resource: Option<String>) -> Response {
    let script = lock(&shared.script).clone();
    let issuers = script.authorization_servers.unwrap_or_else(|| vec![shared.origin.clone()]);
    match resource {
        Some(resource) => {
            let mut metadata = json!({"resource": resource, "authorization_servers": issuers});
            for (name, value) in script.resource_metadata.as_object().into_iter().flatten() {
                metadata[name] = value.clone();
            }
            ([(header::CONTENT_TYPE, script.resource_type)], metadata.to_string()).into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// What the script has at other places.
pub(super) async fn document(State(shared): S, uri: Uri) -> Response {
    let found = lock(&shared.script).documents.get(uri.path()).cloned();
    lock(&shared.seen).metadata_requests.push(uri.path().to_owned());
    found.map_or_else(|| StatusCode::NOT_FOUND.into_response(), |found| Json(found).into_response())
}

pub(super) async fn server_metadata(State(shared): S) -> Response {
    lock(&shared.seen).metadata_requests.push("/.well-known/oauth-authorization-server".into());
    let script = lock(&shared.script).clone();
    if let Some(document) = script.documents.get("/.well-known/oauth-authorization-server") {
        return Json(document).into_response();
    }
    let Some(issuer) = script.issuer else { return StatusCode::NOT_FOUND.into_response() };
    let origin = &shared.origin;
    let mut metadata = json!({
        "issuer": issuer,
        "authorization_endpoint": script.authorization_endpoint,
        "token_endpoint": format!("{origin}/token"),
        "registration_endpoint": format!("{origin}/register"),
        "revocation_endpoint": format!("{origin}/revoke"),
        "response_types_supported": ["code"],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["none"],
        "authorization_response_iss_parameter_supported": true,
    });
    if script.device.is_some() {
        metadata["device_authorization_endpoint"] = json!(format!("{origin}/device"));
    }
    for (name, value) in script.metadata.as_object().into_iter().flatten() {
        metadata[name] = value.clone();
    }
    if let Some(members) = metadata.as_object_mut() {
        members.retain(|_, value| !value.is_null());
    }
    Json(metadata).into_response()
}
