//! What can be read.

use rmcp::ErrorData;
use rmcp::model::{Resource, ResourceContents, ResourceTemplate};
use serde_json::json;

use crate::content::PIXEL;
use crate::server::known;

pub(crate) fn all() -> Vec<Resource> {
    known(json!([
        {"uri": "test://static-text", "name": "Text", "description": "A text", "mimeType": "text/plain"},
        {"uri": "test://static-binary", "name": "Binary", "description": "A picture", "mimeType": "image/png"},
        {"uri": "test://watched-resource", "name": "Watched", "description": "Can be subscribed to", "mimeType": "text/plain"},
    ]))
}

pub(crate) fn templates() -> Vec<ResourceTemplate> {
    known(json!([{
        "uriTemplate": "test://template/{id}/data",
        "name": "Template",
        "description": "Any number of texts",
        "mimeType": "application/json",
    }]))
}

/// The contents, or the error that no such resource is there. rmcp gives that the code of the revision.
pub(crate) fn read(uri: &str) -> Result<ResourceContents, ErrorData> {
    let text = |text: String, kind: &str| Ok(known(json!({"uri": uri, "mimeType": kind, "text": text})));
    match uri {
        "test://static-text" => {
            text("This is the content of the static text resource.".to_owned(), "text/plain")
        }
        "test://static-binary" => Ok(known(json!({"uri": uri, "mimeType": "image/png", "blob": PIXEL}))),
        "test://watched-resource" => text("Nothing here changes.".to_owned(), "text/plain"),
        _ => match uri.strip_prefix("test://template/").and_then(|rest| rest.strip_suffix("/data")) {
            Some(id) => {
                let data = json!({"id": id, "templateTest": true, "data": format!("Data for ID: {id}")});
                text(data.to_string(), "application/json")
            }
            None => Err(ErrorData::resource_not_found(
                format!("There is no resource {uri}"),
                Some(json!({"uri": uri})),
            )),
        },
    }
}
