//! The tools, as a table. The suite names them.

use rmcp::model::Tool;
use serde_json::{Value, json};

use crate::server::known;

/// Name, description, and properties of the arguments.
type Line = (&'static str, &'static str, Value);

/// Every tool of this server.
pub(crate) fn all() -> Vec<Tool> {
    let plain = lines().into_iter().map(|(name, description, properties)| {
        let required: Vec<&String> =
            properties.as_object().into_iter().flatten().map(|(name, _)| name).collect();
        let mut schema = json!({"type": "object", "properties": properties});
        if !required.is_empty() && !OPTIONAL.contains(&name) {
            schema["required"] = json!(required);
        }
        tool(name, description, schema)
    });
    let by_schema =
        tool("json_schema_2020_12_tool", "Has all of JSON Schema 2020-12 in its schema", schema_2020_12());
    plain.chain([by_schema]).collect()
}

fn tool(name: &str, description: &str, schema: Value) -> Tool {
    known(json!({"name": name, "description": description, "inputSchema": schema}))
}

/// Tools that can be called without their arguments.
const OPTIONAL: [&str; 3] = ["slow_compute", "confirm_delete", "greet"];

#[rustfmt::skip]
fn lines() -> Vec<Line> {
    let none = || json!({});
    vec![
        ("test_simple_text", "Answers with text", none()),
        ("test_image_content", "Answers with an image", none()),
        ("test_audio_content", "Answers with audio", none()),
        ("test_embedded_resource", "Answers with a resource", none()),
        ("test_multiple_content_types", "Answers with text, an image and a resource", none()),
        ("test_error_handling", "Fails, and says so in its result", none()),
        ("test_custom_header", "Answers with an argument that a header has to repeat", json!({"value": {"type": "string", "x-mcp-header": "Value"}})),
        ("test_trigger_tool_change", "Tells streams that the tools have changed", none()),
        ("test_trigger_prompt_change", "Tells streams that the prompts have changed", none()),

        ("test_tool_with_logging", "Writes three lines to the client's log", none()),
        ("test_logging_tool", "Writes a line to the client's log if the request asks for it", none()),
        ("test_tool_with_progress", "Says three times how far it is", none()),
        ("test_reconnection", "Loses its stream while it works", none()),
        ("test_sampling", "Asks the client's model", json!({"prompt": {"type": "string", "description": "What to ask"}})),
        ("test_elicitation", "Asks the person at the client", json!({"message": {"type": "string", "description": "What to ask"}})),
        ("test_elicitation_sep1034_defaults", "Asks with an answer already filled in for every type", none()),
        ("test_elicitation_sep1330_enums", "Asks with every kind of choice", none()),
        ("test_missing_capability", "Needs a client that can sample", none()),

        ("test_streaming_elicitation", "Asks by its answer, never on the stream", none()),
        ("test_input_required_result_elicitation", "Asks the person before it answers", none()),
        ("test_input_required_result_sampling", "Asks the model before it answers", none()),
        ("test_input_required_result_list_roots", "Asks for the client's roots before it answers", none()),
        ("test_input_required_result_request_state", "Has the client carry sealed state", none()),
        ("test_input_required_result_tampered_state", "Refuses state that was changed", none()),
        ("test_input_required_result_multiple_inputs", "Asks three things at once", none()),
        ("test_input_required_result_multi_round", "Asks twice, one after the other", none()),
        ("test_input_required_result_capabilities", "Asks only what the client can answer", none()),

        ("greet", "Answers at once, never as a task", json!({"name": {"type": "string"}})),
        ("slow_compute", "Answers after some seconds, as a task where the client knows tasks", json!({"seconds": {"type": "number"}, "label": {"type": "string"}})),
        ("failing_job", "A task whose result is an error", none()),
        ("protocol_error_job", "A task that fails as a request does", none()),
        ("confirm_delete", "A task that asks the person", json!({"filename": {"type": "string"}})),
        ("multi_input", "A task that asks two things at once", none()),
        ("test_tool_with_task", "Asks first, then answers as a task", none()),
    ]
}

/// The schema that the suite looks for, keyword by keyword.
fn schema_2020_12() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "$defs": {
            "address": {
                "$anchor": "addressDef",
                "type": "object",
                "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
            },
        },
        "properties": {
            "name": {"type": "string"},
            "address": {"$ref": "#/$defs/address"},
            "contactMethod": {"type": "string", "enum": ["phone", "email"]},
            "phone": {"type": "string"},
            "email": {"type": "string"},
        },
        "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
        "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
        "then": {"required": ["phone"]},
        "else": {"required": ["email"]},
        "additionalProperties": false,
    })
}
