//! What this server can do (RFC 7644 §4, RFC 7643 §5 to §7), and nothing that it cannot.

use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;
use serde_json::{Value, json};

use super::BASE;
use super::bearer::Provisioner;
use super::error::ScimError;
use super::resource::{USER, answer};
use crate::endpoints::Server;
use crate::server::Inner;

/// RFC 7644 §3.4.2.4: so many in one answer, at most.
pub(super) const MOST_RESULTS: usize = 200;

pub(super) async fn configuration(State(server): State<Server>, _: Provisioner) -> Response {
    let no = json!({ "supported": false });
    answer(
        StatusCode::OK,
        &json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
            "patch": { "supported": true },
            "bulk": { "supported": false, "maxOperations": 0, "maxPayloadSize": 0 },
            "filter": { "supported": true, "maxResults": MOST_RESULTS },
            "changePassword": no,
            "sort": no,
            "etag": { "supported": true },
            "authenticationSchemes": [{
                "type": "oauthbearertoken",
                "name": "Bearer token",
                "description": "A token that `hallpass scim token issue` has printed",
                "primary": true,
            }],
            "meta": meta(&server, "ServiceProviderConfig", "/ServiceProviderConfig"),
        }),
    )
}

pub(super) async fn resource_types(State(server): State<Server>, _: Provisioner) -> Response {
    answer(StatusCode::OK, &list(&[user_type(&server)], 1, 1))
}

pub(super) async fn resource_type(State(server): State<Server>, _: Provisioner) -> Response {
    answer(StatusCode::OK, &user_type(&server))
}

pub(super) async fn schemas(State(server): State<Server>, _: Provisioner) -> Response {
    answer(StatusCode::OK, &list(&[user_schema(&server)], 1, 1))
}

pub(super) async fn schema(
    State(server): State<Server>,
    _: Provisioner,
    Path(id): Path<String>,
) -> Result<Response, ScimError> {
    match id.eq_ignore_ascii_case(USER) {
        true => Ok(answer(StatusCode::OK, &user_schema(&server))),
        false => Err(ScimError::NotFound),
    }
}

/// RFC 7644 §3.12: whoever may ask hears it in SCIM's form, whatever it is asked for by.
pub(super) async fn nothing(_: Provisioner) -> ScimError {
    ScimError::NotFound
}

pub(super) async fn no_groups(_: Provisioner) -> ScimError {
    ScimError::NoGroups
}

/// RFC 7644 §3.4.2: a page of so many in all, which begins with the one of that number.
pub(super) fn list(page: &[Value], first: usize, total: u64) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
        "totalResults": total,
        "startIndex": first,
        "itemsPerPage": page.len(),
        "Resources": page,
    })
}

fn meta(server: &Inner, kind: &str, path: &str) -> Value {
    json!({ "resourceType": kind, "location": server.url(&format!("{BASE}{path}")) })
}

fn user_type(server: &Inner) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],
        "id": "User",
        "name": "User",
        "endpoint": "/Users",
        "description": "Somebody who may log in",
        "schema": USER,
        "meta": meta(server, "ResourceType", "/ResourceTypes/User"),
    })
}

/// RFC 7643 §7: one attribute.
fn attribute(name: &str, kind: &str, more: &Value) -> Value {
    let mut described = json!({
        "name": name,
        "type": kind,
        "multiValued": false,
        "required": false,
        "caseExact": false,
        "mutability": "readWrite",
        "returned": "default",
        "uniqueness": "none",
        "description": name,
    });
    for (key, value) in more.as_object().into_iter().flatten() {
        described[key] = value.clone();
    }
    described
}

fn user_schema(server: &Inner) -> Value {
    let text = |name: &str| attribute(name, "string", &json!({}));
    let (name, part) =
        (["formatted", "familyName", "givenName"].map(text), attribute("primary", "boolean", &json!({})));
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Schema"],
        "id": USER,
        "name": "User",
        "description": "Somebody who may log in",
        "attributes": [
            attribute("userName", "string", &json!({ "required": true, "uniqueness": "server" })),
            attribute("externalId", "string", &json!({ "caseExact": true })),
            attribute("active", "boolean", &json!({})),
            text("displayName"),
            attribute("name", "complex", &json!({ "subAttributes": name })),
            attribute("emails", "complex", &json!({
                "multiValued": true,
                "subAttributes": [text("value"), text("type"), part],
            })),
        ],
        "meta": meta(server, "Schema", &format!("/Schemas/{USER}")),
    })
}
