//! Tools that answer at once.

use rmcp::model::{CallToolRequestParams, CallToolResult};
use serde_json::{Value, json};

use crate::server::{known, text};

/// One red pixel, as PNG.
pub(crate) const PIXEL: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC";

/// The head of a WAV file without a sound in it.
const SILENCE: &str = "UklGRiQAAABXQVZFZm10IBAAAAABAAEARKwAAIhYAQACABAAZGF0YQAAAAA=";

/// What the tool answers. `None`: it is none of these.
pub(crate) fn of(call: &CallToolRequestParams) -> Option<CallToolResult> {
    let image = || json!({"type": "image", "data": PIXEL, "mimeType": "image/png"});
    Some(match &*call.name {
        "test_simple_text" => text("This is a simple text response for testing."),
        "test_image_content" => with(json!([image()])),
        "test_audio_content" => with(json!([{"type": "audio", "data": SILENCE, "mimeType": "audio/wav"}])),
        "test_embedded_resource" => with(json!([{"type": "resource", "resource": {
            "uri": "test://embedded-resource",
            "mimeType": "text/plain",
            "text": "This is an embedded resource content.",
        }}])),
        "test_multiple_content_types" => with(json!([
            {"type": "text", "text": "Multiple content types test:"},
            image(),
            {"type": "resource", "resource": {
                "uri": "test://mixed-content-resource",
                "mimeType": "application/json",
                "text": r#"{"test":"data","value":123}"#,
            }},
        ])),
        "test_error_handling" => {
            CallToolResult::error(text("This tool intentionally returns an error for testing").content)
        }
        "test_custom_header" => text(argument(call, "value").unwrap_or_default()),
        "json_schema_2020_12_tool" => text("The arguments are as the schema says"),
        _ => return None,
    })
}

/// An argument that is a string.
pub(crate) fn argument<'a>(call: &'a CallToolRequestParams, name: &str) -> Option<&'a str> {
    call.arguments.as_ref()?.get(name)?.as_str()
}

fn with(content: Value) -> CallToolResult {
    known(json!({"resultType": "complete", "content": content, "isError": false}))
}
