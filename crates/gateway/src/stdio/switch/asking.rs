//! A server of 2026-07-28 asks by its answer, and wants the request again with what it asked for (basic/patterns/mrtr). A
//! client of an earlier revision is asked in the middle of its call, which goes on meanwhile.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use hallpass_resource_server::json_rpc::Id;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::super::message::{Kind, Message};
use super::super::rewrite;
use super::super::room::Held;
use super::super::session::{Session, cancelled};
use super::{Asked, Becomes, INTERNAL_ERROR, Question, Switch};
use crate::members::Members;

/// How often one call may ask.
const ROUNDS: u32 = 32;
/// How much it may ask at once.
const QUESTIONS: usize = 16;

/// A call that may be sent again.
pub(super) struct Again {
    /// As the server heard it, but for its id and its progress token.
    line: Held,
    rounds: u32,
}

/// A call that waits for its client's answers.
pub(super) struct Waiting {
    pub(super) session: Arc<Session>,
    pub(super) id: Id,
    progress: Option<Id>,
    again: Again,
    /// What the server wants to hear again (`requestState`), in the room of all that it asked; empty where that is nothing.
    state: Held,
    /// What was asked, by the ids that the client sees: by what name the server knows it, and what came.
    asked: BTreeMap<String, (String, Option<Held>)>,
}

/// Why a client is not asked.
#[derive(Debug, thiserror::Error)]
enum NotAsked {
    #[error("the MCP server asks what its revision has not")]
    Unreadable,
    #[error("the MCP server asks more than {QUESTIONS} things at once")]
    TooMany,
    #[error("the MCP server has asked {ROUNDS} times in this call, as often as it may")]
    TooOften,
    #[error("the MCP server asks for {0}, which this client has not declared")]
    Cannot(String),
    #[error("the MCP server asks in a call that is too long to be sent again")]
    TooLong,
}

/// What the server wants to know.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct InputRequired {
    input_requests: BTreeMap<String, InputRequest>,
    request_state: Option<String>,
}

#[derive(Debug, Deserialize)]
struct InputRequest {
    method: String,
    params: Option<Box<RawValue>>,
}

/// A call that may ask is kept, so that it can be sent again ("Supported Requests").
pub(super) fn may_ask(session: &Session, method: &str, line: &Bytes) -> Option<Again> {
    let may = matches!(method, "tools/call" | "prompts/get" | "resources/read");
    may.then(|| session.keep(line)).flatten().map(|line| Again { line, rounds: 0 })
}

/// Whether an answer asks.
pub(super) fn asks(line: &[u8]) -> bool {
    let result = || Members::read(rewrite::read(line)?.get("result")?)?.text("resultType");
    result().as_deref() == Some("input_required")
}

impl Switch {
    /// Asks the client what the server asks by its answer.
    pub(super) fn ask_client(
        &self,
        session: Arc<Session>,
        id: Id,
        progress: Option<Id>,
        again: Option<Again>,
        line: &Bytes,
    ) {
        let required = match again.ok_or(NotAsked::TooLong).and_then(|again| read(&session, again, line)) {
            Ok(required) => required,
            Err(error) => return self.refuse(&session, &id, INTERNAL_ERROR, &error.to_string()),
        };
        let (again, InputRequired { input_requests, request_state }, kept) = required;
        let state =
            kept.replaced(request_state.map_or_else(Bytes::new, |state| json!(state).to_string().into()));
        let asked = BTreeMap::new();
        let mut waiting = Waiting { session: Arc::clone(&session), id, progress, again, state, asked };
        if input_requests.is_empty() {
            return self.send_again(waiting);
        }
        let mut questions = Vec::new();
        {
            let mut state = self.state();
            // Whoever has left meanwhile is asked nothing: nobody would ever take that away again.
            if !state.sessions.contains_key(&session.number) {
                return;
            }
            let call = state.next;
            for (name, InputRequest { method, params }) in input_requests {
                let question = format!("hallpass-{}", state.next);
                state.next += 1;
                let line = question_of(&question, &method, params.as_deref());
                let asked = Id::Text(question.clone());
                let progress = rewrite::token_of(&line);
                let part_of = Some(call);
                let kept = Question { session: Arc::clone(&session), progress, part_of };
                state.questions.insert(asked.clone(), kept);
                waiting.asked.insert(question, (name, None));
                questions.push(Message { kind: Kind::Request { id: asked, method, progress: None }, line });
            }
            state.waiting.insert(call, waiting);
        }
        for question in questions {
            session.hand(question);
        }
    }

    /// A client's answer to a question that is part of a call.
    pub(super) fn answered_by_client(&self, call: i64, id: &Id, line: &[u8]) {
        let mut state = self.state();
        let Id::Text(question) = id else { return };
        let Some(waiting) = state.waiting.get_mut(&call) else { return };
        let answer = rewrite::read(line);
        let result = answer.as_ref().and_then(|answer| answer.get("result"));
        let result = result.map(|result| Bytes::copy_from_slice(result.get().as_bytes()));
        let Some((_, came)) = waiting.asked.get_mut(question) else { return };
        // It waits for the others, in the room that the session has for that.
        let kept = match result {
            Some(result) => {
                waiting.session.keep(&result).ok_or("there is no room for more of the client's answers")
            }
            // The revision has no word for it.
            None => Err("the client did not answer what the MCP server asked"),
        };
        match kept {
            Ok(kept) => *came = Some(kept),
            Err(why) => {
                waiting.asked.remove(question);
                let Some(waiting) = state.give_up_call(call) else { return };
                drop(state);
                return self.refuse(&waiting.session, &waiting.id, INTERNAL_ERROR, why);
            }
        }
        if waiting.asked.values().all(|(_, came)| came.is_some())
            && let Some(waiting) = state.waiting.remove(&call)
        {
            drop(state);
            self.send_again(waiting);
        }
    }

    /// The same request with what the server asked for, under another id.
    fn send_again(&self, Waiting { session, id, progress, again, state: request_state, asked }: Waiting) {
        let Again { line, rounds } = again;
        let answers = asked.values().filter_map(|(name, came)| {
            let answer: &RawValue = serde_json::from_slice(came.as_ref()?.bytes()).ok()?;
            Some((name, answer))
        });
        let answers: BTreeMap<&String, &RawValue> = answers.collect();
        let mut changes = Vec::new();
        if !answers.is_empty() {
            changes.push(("inputResponses", serde_json::to_string(&answers).unwrap_or_default()));
        }
        if !request_state.bytes().is_empty() {
            changes.push(("requestState", String::from_utf8_lossy(request_state.bytes()).into_owned()));
        }
        let whole = rewrite::with_params(line.bytes(), &["inputResponses", "requestState"], &changes);
        let mut state = self.state();
        if state.over {
            drop(state);
            return session.fail(&id, "the MCP server has ended");
        }
        let number = state.next;
        let Ok(rewritten) = rewrite::request(&whole, number) else {
            drop(state);
            return self.refuse(&session, &id, INTERNAL_ERROR, "the call cannot be sent again");
        };
        state.next += 1;
        let becomes = Becomes::Earlier(Some(Again { line, rounds: rounds + 1 }));
        let failed = (Arc::clone(&session), id.clone());
        state.asked.insert(number, Asked::Session { session, id, progress, subscribes: None, becomes });
        if !self.is_said(rewritten) {
            state.asked.remove(&number);
            drop(state);
            failed.0.fail(&failed.1, "the MCP server does not read what it is told");
        }
    }
}

impl super::State {
    /// Nobody waits for that call any more: whatever was asked for it.
    pub(super) fn give_up_call(&mut self, call: i64) -> Option<Waiting> {
        let waiting = self.waiting.remove(&call)?;
        for (question, (_, came)) in &waiting.asked {
            let id = Id::Text(question.clone());
            self.questions.remove(&id);
            if came.is_none() {
                let line = cancelled(&id, "the call has ended");
                waiting.session.hand(Message { kind: Kind::Cancelled(id), line });
            }
        }
        Some(waiting)
    }
}

fn read(session: &Session, again: Again, line: &Bytes) -> Result<(Again, InputRequired, Held), NotAsked> {
    let result = rewrite::read(line).and_then(|answer| answer.get("result").map(RawValue::get));
    let required: InputRequired =
        result.and_then(|result| serde_json::from_str(result).ok()).ok_or(NotAsked::Unreadable)?;
    if required.input_requests.is_empty() && required.request_state.is_none() {
        return Err(NotAsked::Unreadable);
    }
    if required.input_requests.len() > QUESTIONS {
        return Err(NotAsked::TooMany);
    }
    if again.rounds >= ROUNDS {
        return Err(NotAsked::TooOften);
    }
    for InputRequest { method, .. } in required.input_requests.values() {
        if !matches!(&**method, "elicitation/create" | "sampling/createMessage" | "roots/list") {
            return Err(NotAsked::Unreadable);
        }
        if !session.standing().can(method) {
            return Err(NotAsked::Cannot(method.clone()));
        }
    }
    let kept = session.keep(line).ok_or(NotAsked::TooLong)?;
    Ok((again, required, kept))
}

/// The question as a request. A URL to be opened has a name of its own in 2025-11-25 (client/elicitation).
fn question_of(id: &str, method: &str, params: Option<&RawValue>) -> Bytes {
    let mut message = json!({ "jsonrpc": "2.0", "id": id, "method": method });
    if let Some(params) = params {
        let mut params: Value = serde_json::from_str(params.get()).unwrap_or_default();
        if params["mode"] == "url" && params.get("elicitationId").is_none() {
            params["elicitationId"] = id.into();
        }
        message["params"] = params;
    }
    message.to_string().into()
}
