//! Tools that speak to the client while they work, as revisions with a handshake do it.

// Sampling and logging go out of use with revision 2026-07-28; they are in use before it.
#![allow(deprecated)]

use std::time::Duration;

use rmcp::model::*;
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::content::argument;
use crate::server::{known, text};
use crate::sessions;

/// The suite wants to see that messages come one by one, not all at the end.
const STEP: Duration = Duration::from_millis(50);

type Context = RequestContext<RoleServer>;

/// What the tool answers. `None`: it is none of these.
pub(crate) async fn answer(
    call: &CallToolRequestParams,
    context: &Context,
) -> Option<Result<CallToolResult, ErrorData>> {
    Some(Ok(match &*call.name {
        "test_tool_with_logging" => logging(context).await,
        "test_logging_tool" => logging_on_request(context).await,
        "test_tool_with_progress" => progress(context).await,
        sessions::LOSES_ITS_STREAM => {
            // Long enough for the stream to be closed before, and the client to come back after.
            sleep(6 * STEP).await;
            text("The answer came over another stream")
        }
        "test_sampling" => sampling(argument(call, "prompt").unwrap_or_default(), context).await,
        "test_elicitation" => {
            elicitation(argument(call, "message").unwrap_or_default(), name_and_address(), context).await
        }
        "test_elicitation_sep1034_defaults" => elicitation("Is this right?", defaults(), context).await,
        "test_elicitation_sep1330_enums" => elicitation("Please choose", choices(), context).await,
        "test_missing_capability" => match context.client_capabilities() {
            Some(ClientCapabilities { sampling: Some(_), .. }) => text("The client can sample"),
            _ => {
                return Some(Err(ErrorData::missing_required_client_capability(known(
                    json!({"sampling": {}}),
                ))));
            }
        },
        _ => return None,
    }))
}

/// Messages go to whoever called. If nobody listens any more, the call goes on.
async fn log(context: &Context, level: LoggingLevel, line: &str) {
    let message = LoggingMessageNotificationParam::new(level, json!(line)).with_logger("conformance-server");
    let _gone = context.peer.notify_logging_message(message).await;
}

async fn logging(context: &Context) -> CallToolResult {
    for line in ["Tool execution started", "Tool processing data", "Tool execution completed"] {
        log(context, LoggingLevel::Info, line).await;
        sleep(STEP).await;
    }
    text("Three lines were written")
}

/// Revision 2026-07-28: a request without a level wants no lines.
async fn logging_on_request(context: &Context) -> CallToolResult {
    if let Some(level) = context.meta.log_level() {
        log(context, level, "The request asked for this line").await;
    }
    text("A line was written if it was asked for")
}

async fn progress(context: &Context) -> CallToolResult {
    let token = context.meta.get_progress_token();
    for step in [0.0, 50.0, 100.0] {
        if let Some(token) = &token {
            let far = ProgressNotificationParam::new(token.clone(), step).with_total(100.0);
            let _gone = context.peer.notify_progress(far).await;
        }
        sleep(STEP).await;
    }
    text("It is done")
}

async fn sampling(prompt: &str, context: &Context) -> CallToolResult {
    let message = SamplingMessage::user_text(prompt);
    match context.peer.create_message(CreateMessageRequestParams::new(vec![message], 100)).await {
        Ok(answer) => {
            let said =
                answer.message.content.first().and_then(|content| content.as_text().map(|it| &*it.text));
            text(format!("LLM response: {}", said.unwrap_or("nothing")))
        }
        Err(error) => failed(&error),
    }
}

async fn elicitation(message: &str, schema: Value, context: &Context) -> CallToolResult {
    let form = known(json!({"message": message, "requestedSchema": schema}));
    match context.peer.create_elicitation(form).await {
        Ok(answer) => {
            let action = serde_json::to_value(&answer.action).unwrap_or_default();
            let content = json!(answer.content);
            text(format!("User response: action={}, content={content}", action.as_str().unwrap_or("?")))
        }
        Err(error) => failed(&error),
    }
}

fn failed(error: &impl ToString) -> CallToolResult {
    CallToolResult::error(text(error.to_string()).content)
}

fn name_and_address() -> Value {
    json!({
        "type": "object",
        "properties": {
            "username": {"type": "string", "description": "User's response"},
            "email": {"type": "string", "description": "User's email address"},
        },
        "required": ["username", "email"],
    })
}

/// Every type that can have a default value.
fn defaults() -> Value {
    json!({
        "type": "object",
        "properties": {
            "name": {"type": "string", "description": "User name", "default": "John Doe"},
            "age": {"type": "integer", "description": "User age", "default": 30},
            "score": {"type": "number", "description": "User score", "default": 95.5},
            "status": {"type": "string", "description": "User status", "enum": ["active", "inactive", "pending"], "default": "active"},
            "verified": {"type": "boolean", "description": "Verification status", "default": true},
        },
        "required": [],
    })
}

/// One or several, with and without titles, and the old form.
fn choices() -> Value {
    let titled = |word: &str| {
        let choice = |value: &str, which: &str| json!({"const": value, "title": format!("{which} {word}")});
        json!([choice("value1", "First"), choice("value2", "Second"), choice("value3", "Third")])
    };
    let plain = json!(["option1", "option2", "option3"]);
    json!({
        "type": "object",
        "properties": {
            "untitledSingle": {"type": "string", "description": "Select one", "enum": plain},
            "titledSingle": {"type": "string", "description": "Select one", "oneOf": titled("Option")},
            "legacyEnum": {
                "type": "string",
                "description": "Select one",
                "enum": ["opt1", "opt2", "opt3"],
                "enumNames": ["Option One", "Option Two", "Option Three"],
            },
            "untitledMulti": {
                "type": "array",
                "description": "Select some",
                "minItems": 1,
                "maxItems": 3,
                "items": {"type": "string", "enum": plain},
            },
            "titledMulti": {
                "type": "array",
                "description": "Select some",
                "minItems": 1,
                "maxItems": 3,
                "items": {"anyOf": titled("Choice")},
            },
        },
        "required": [],
    })
}
