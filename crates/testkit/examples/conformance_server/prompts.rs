//! What can be prompted.

use rmcp::ErrorData;
use rmcp::model::{GetPromptRequestParams, GetPromptResponse, GetPromptResult, Prompt};
use serde_json::{Value, json};

use crate::content::PIXEL;
use crate::input;
use crate::server::known;

pub(crate) fn all() -> Vec<Prompt> {
    let argument = |name: &str| json!({"name": name, "description": "An argument", "required": true});
    known(json!([
        {"name": "test_simple_prompt", "description": "A text"},
        {
            "name": "test_prompt_with_arguments",
            "description": "A text with arguments in it",
            "arguments": [argument("arg1"), argument("arg2")],
        },
        {
            "name": "test_prompt_with_embedded_resource",
            "description": "A resource and a text",
            "arguments": [argument("resourceUri")],
        },
        {"name": "test_prompt_with_image", "description": "An image and a text"},
        {"name": "test_input_required_result_prompt", "description": "Asks the person before it answers"},
    ]))
}

pub(crate) fn get(request: &GetPromptRequestParams) -> Result<GetPromptResponse, ErrorData> {
    let argument = |name: &str| {
        let value = request.arguments.as_ref().and_then(|all| all.get(name)?.as_str());
        value.unwrap_or_default().to_owned()
    };
    let messages = match request.name.as_str() {
        "test_simple_prompt" => vec![text("This is a simple prompt for testing.")],
        "test_prompt_with_arguments" => {
            let (one, two) = (argument("arg1"), argument("arg2"));
            vec![text(&format!("Prompt with arguments: arg1='{one}', arg2='{two}'"))]
        }
        "test_prompt_with_embedded_resource" => vec![
            json!({"type": "resource", "resource": {
                "uri": argument("resourceUri"),
                "mimeType": "text/plain",
                "text": "Embedded resource content for testing.",
            }}),
            text("Please process the embedded resource above."),
        ],
        "test_prompt_with_image" => vec![
            json!({"type": "image", "data": PIXEL, "mimeType": "image/png"}),
            text("Please analyze the image above."),
        ],
        "test_input_required_result_prompt" => {
            match input::response(request.input_responses.as_ref(), "context") {
                Some(answer) => vec![text(&input::field(answer, "context"))],
                None => {
                    let ask = input::elicitation("context", "What is this about?");
                    return Ok(input::required([ask], None).into());
                }
            }
        }
        name => return Err(ErrorData::invalid_params(format!("There is no prompt {name}"), None)),
    };
    let said = |content: Value| json!({"role": "user", "content": content});
    let messages: Vec<Value> = messages.into_iter().map(said).collect();
    let prompt: GetPromptResult = known(json!({"resultType": "complete", "messages": messages}));
    Ok(prompt.into())
}

fn text(text: &str) -> Value {
    json!({"type": "text", "text": text})
}
