//! Tools that ask by their answer (revision 2026-07-28): the client answers by calling once more.

use rmcp::model::*;
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer};
use serde_json::{Map, Value, json};

use crate::sealed::Seal;
use crate::server::{known, text};

type Answer = Result<CallToolResponse, ErrorData>;

/// What the tool answers. `None`: it is none of these.
pub(crate) fn answer(
    call: &CallToolRequestParams,
    context: &RequestContext<RoleServer>,
    seal: &Seal,
) -> Option<Answer> {
    let responses = call.input_responses.as_ref();
    Some(match &*call.name {
        "test_streaming_elicitation" => asking([elicitation("value", "Which value?")]),
        "test_input_required_result_elicitation" => match response(responses, "user_name") {
            Some(answer) => done(format!("Hello, {}!", field(answer, "name"))),
            None => asking([elicitation("user_name", "What is your name?")]),
        },
        "test_input_required_result_sampling" => match response(responses, "capital_question") {
            Some(answer) => {
                done(format!("The model says: {}", answer["content"]["text"].as_str().unwrap_or("?")))
            }
            None => asking([sampling("capital_question", "What is the capital of France?")]),
        },
        "test_input_required_result_list_roots" => match response(responses, "client_roots") {
            Some(answer) => done(format!("The roots: {}", answer["roots"])),
            None => asking([roots("client_roots")]),
        },
        "test_input_required_result_request_state" | "test_input_required_result_tampered_state" => {
            match &call.request_state {
                Some(state) => seal.open(state).and_then(|_| done("state-ok")),
                None => asking_with([elicitation("confirm", "Is that so?")], seal.close(&json!("confirm"))),
            }
        }
        "test_input_required_result_multiple_inputs" => several(call, seal),
        "test_input_required_result_multi_round" => rounds(call, seal),
        "test_input_required_result_capabilities" => {
            let can = context.client_capabilities().unwrap_or_default();
            if responses.is_some() {
                return Some(done("All that could be asked was answered"));
            }
            let mut asks = Vec::new();
            asks.extend(can.elicitation.map(|_| elicitation("user_name", "What is your name?")));
            asks.extend(can.sampling.map(|_| sampling("greeting", "Make a greeting")));
            asks.extend(can.roots.map(|_| roots("client_roots")));
            if asks.is_empty() { done("This client can be asked nothing") } else { asking(asks) }
        }
        _ => return None,
    })
}

/// Three questions of three kinds in one answer.
fn several(call: &CallToolRequestParams, seal: &Seal) -> Answer {
    let asks = [
        elicitation("user_name", "What is your name?"),
        sampling("greeting", "Make a greeting"),
        roots("client_roots"),
    ];
    let responses = call.input_responses.as_ref();
    let is_answered = asks.iter().all(|(key, _)| response(responses, key).is_some());
    match &call.request_state {
        Some(state) if is_answered => seal.open(state).and_then(|_| done("All three were answered")),
        _ => asking_with(asks, seal.close(&json!("several"))),
    }
}

/// The state says how far the conversation is.
fn rounds(call: &CallToolRequestParams, seal: &Seal) -> Answer {
    let round = match &call.request_state {
        Some(state) => seal.open(state)?.as_u64().unwrap_or_default(),
        None => 0,
    };
    match round {
        0 => asking_with([elicitation("step1", "What is your name?")], seal.close(&json!(1))),
        1 => asking_with([elicitation("step2", "What is your favourite colour?")], seal.close(&json!(2))),
        _ => done("Both were answered"),
    }
}

/// A question, under the key that its answer comes back with.
type Ask = (String, InputRequest);

/// A form with one field.
pub(crate) fn elicitation(key: &str, message: &str) -> Ask {
    let field = if key == "user_name" { "name" } else { key };
    let schema = json!({"type": "object", "properties": {field: {"type": "string"}}, "required": [field]});
    let params = json!({"mode": "form", "message": message, "requestedSchema": schema});
    (key.to_owned(), known(json!({"method": "elicitation/create", "params": params})))
}

fn sampling(key: &str, prompt: &str) -> Ask {
    let message = json!({"role": "user", "content": {"type": "text", "text": prompt}});
    let params = json!({"messages": [message], "maxTokens": 100});
    (key.to_owned(), known(json!({"method": "sampling/createMessage", "params": params})))
}

fn roots(key: &str) -> Ask {
    (key.to_owned(), known(json!({"method": "roots/list"})))
}

/// The result that asks.
pub(crate) fn required(asks: impl IntoIterator<Item = Ask>, state: Option<String>) -> InputRequiredResult {
    InputRequiredResult::new(Some(asks.into_iter().collect()), state)
}

fn asking(asks: impl IntoIterator<Item = Ask>) -> Answer {
    Ok(required(asks, None).into())
}

fn asking_with(asks: impl IntoIterator<Item = Ask>, state: String) -> Answer {
    Ok(required(asks, Some(state)).into())
}

fn done(line: impl Into<String>) -> Answer {
    Ok(text(line).into())
}

/// The client's answer to a question. What is no object is no answer, and the question is asked again.
pub(crate) fn response<'a>(responses: Option<&'a InputResponses>, key: &str) -> Option<&'a Value> {
    responses?.get(key).filter(|answer| answer.is_object())
}

/// What a person typed into a field.
pub(crate) fn field(answer: &Value, name: &str) -> String {
    let content: Option<&Map<String, Value>> = answer["content"].as_object();
    content.and_then(|content| content.get(name)?.as_str()).unwrap_or("nobody").to_owned()
}
