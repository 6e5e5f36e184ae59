//! A server that knows 2026-07-28 alone, and sessions of clients that know `initialize`.
//!
//! | the client sends | the server hears |
//! |---|---|
//! | `initialize` | nothing: hallpass answers from what the server said to `server/discover` |
//! | `ping`, `logging/setLevel` | nothing |
//! | a request | the same with revision, client, capabilities and log level in `_meta` |
//! | `resources/subscribe` | `subscriptions/listen` for that resource; and once for each session, for changes of lists |
//! | `resources/unsubscribe` | `notifications/cancelled` for what listens |
//!
//! | the server sends | the client hears |
//! |---|---|
//! | a result | the same without `resultType`, `ttlMs` and `cacheScope` |
//! | a result that asks | the questions, as requests; with the answers the request is sent again: [`super::asking`] |
//! | what is heard by listening | the same without `subscriptionId` |

use std::sync::Arc;

use bytes::Bytes;
use hallpass_resource_server::json_rpc::Id;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::super::message::{Kind, Message};
use super::super::rewrite;
use super::super::session::{Session, cancelled, error_with, place_of};
use super::super::stateless::SUBSCRIPTION;
use super::bridge::OF_A_REQUEST;
use super::{Asked, INTERNAL_ERROR, INVALID_PARAMS, METHOD_NOT_FOUND, Switch};
use crate::members::{Members, push};

/// What a result says that clients of earlier revisions have no use for.
const OF_A_RESULT: [&str; 3] = ["resultType", "ttlMs", "cacheScope"];

impl Switch {
    /// Whether a request of a session was answered without the process.
    pub(super) fn answered_here_before(
        &self,
        session: &Arc<Session>,
        id: &Id,
        method: &str,
        line: &Bytes,
    ) -> bool {
        match method {
            "initialize" => {
                session.standing().introduce(line);
                let asked = rewrite::text_of(line, "protocolVersion").unwrap_or_default();
                match self.opened.get() {
                    Some(opened) => self.reply(session, id, opened.initialized(&asked)),
                    None => session.fail(id, "the MCP server has not begun"),
                }
                self.hears_of_lists(session);
            }
            "ping" => self.reply(session, id, json!({})),
            "logging/setLevel" if self.offers("logging") => {
                match rewrite::text_of(line, "level").as_deref().and_then(place_of) {
                    Some(level) => {
                        session.standing().level = Some(level);
                        self.reply(session, id, json!({}));
                    }
                    None => self.refuse(session, id, INVALID_PARAMS, "there is no such level"),
                }
            }
            "resources/subscribe" => {
                if self.refuses_to_subscribe(session, id, line) {
                    return true;
                }
                let Some(uri) = rewrite::text_of(line, "uri") else {
                    self.refuse(session, id, INVALID_PARAMS, "there is no uri");
                    return true;
                };
                match self.listens_for(session, &uri) {
                    None => self.listen_for(session, Some(uri), Some(id.clone())),
                    Some(true) => self.reply(session, id, json!({})),
                    Some(false) => {
                        let why = "this resource is being subscribed to already; wait for that answer";
                        self.refuse(session, id, INVALID_PARAMS, why);
                    }
                }
            }
            "resources/unsubscribe" => {
                let uri = rewrite::text_of(line, "uri").unwrap_or_default();
                session.standing().subscriptions.remove(&uri);
                self.listen_no_more(session, &uri);
                self.reply(session, id, json!({}));
            }
            "logging/setLevel" | "server/discover" | "subscriptions/listen" => {
                self.refuse(session, id, METHOD_NOT_FOUND, "there is no such method in this revision");
            }
            _ if method.starts_with("tasks/") => {
                let why = "tasks of this revision are not offered";
                self.refuse(session, id, METHOD_NOT_FOUND, why);
            }
            _ => return false,
        }
        true
    }

    /// What a session has said to a process that is gone by now.
    pub(super) fn listen_again(&self, session: &Arc<Session>) {
        if !session.standing().is_introduced {
            return;
        }
        let subscriptions: Vec<String> = session.standing().subscriptions.iter().cloned().collect();
        self.hears_of_lists(session);
        for uri in subscriptions {
            self.listen_for(session, Some(uri), None);
        }
    }

    /// In sessions, everybody hears of changed lists.
    fn hears_of_lists(&self, session: &Arc<Session>) {
        if !self.lists().is_empty() {
            self.listen_for(session, None, None);
        }
    }

    fn lists(&self) -> serde_json::Map<String, Value> {
        let Some(opened) = self.opened.get() else { return serde_json::Map::new() };
        [
            ("tools", "toolsListChanged"),
            ("prompts", "promptsListChanged"),
            ("resources", "resourcesListChanged"),
        ]
        .into_iter()
        .filter(|(capability, _)| opened.has(capability, "listChanged"))
        .map(|(_, filter)| (filter.to_owned(), true.into()))
        .collect()
    }

    /// Whether something listens for that resource on behalf of a session already, and whether nobody waits for the server's
    /// yes. What listens goes on until it is told to end: one more for each request would never be too many.
    fn listens_for(&self, session: &Session, uri: &str) -> Option<bool> {
        self.state().asked.values().find_map(|asked| match asked {
            Asked::Hears { session: other, uri: Some(its), waits }
                if other.number == session.number && its == uri =>
            {
                Some(waits.is_none())
            }
            _ => None,
        })
    }

    /// Listens on behalf of a session: for one resource, or for changes of lists.
    fn listen_for(&self, session: &Arc<Session>, uri: Option<String>, waits: Option<Id>) {
        let filter = match &uri {
            Some(uri) => json!({ "resourceSubscriptions": [uri] }),
            None => Value::Object(self.lists()),
        };
        let params = json!({ "_meta": session.standing().meta(), "notifications": filter });
        let mut state = self.state();
        if state.over {
            drop(state);
            waits.iter().for_each(|id| session.fail(id, "the MCP server has ended"));
            return;
        }
        let (number, line) = state.next_of_own("subscriptions/listen", &params);
        if self.is_said(line) {
            state.asked.insert(number, Asked::Hears { session: Arc::clone(session), uri, waits });
        } else {
            drop(state);
            waits.iter().for_each(|id| session.fail(id, "the MCP server does not read what it is told"));
        }
    }

    /// What a session listens for no more.
    fn listen_no_more(&self, session: &Session, uri: &str) {
        let mut state = self.state();
        let is_it = |asked: &Asked| matches!(asked, Asked::Hears { session: other, uri: Some(its), .. } if other.number == session.number && its == uri);
        let numbers: Vec<i64> =
            state.asked.iter().filter(|(_, asked)| is_it(asked)).map(|(number, _)| *number).collect();
        let mut unanswered = Vec::new();
        for number in numbers {
            if let Some(Asked::Hears { waits: Some(id), .. }) = state.asked.remove(&number) {
                unanswered.push(id);
            }
            self.say(cancelled(&Id::Number(number), "nobody listens any more"));
        }
        drop(state);
        for id in unanswered {
            self.refuse(session, &id, INVALID_PARAMS, "the resource was unsubscribed from meanwhile");
        }
    }

    /// What the server says to a request that listens on behalf of a session.
    pub(super) fn told(&self, number: i64, method: &str, line: &Bytes) {
        if method == "notifications/subscriptions/acknowledged" {
            return self.agreed(number, line);
        }
        let session = match self.state().asked.get(&number) {
            Some(Asked::Hears { session, .. }) => Arc::clone(session),
            _ => return,
        };
        let line = without_subscription(line);
        session.hand(Message { kind: Kind::Notification(method.to_owned()), line });
    }

    fn agreed(&self, number: i64, line: &Bytes) {
        let mut state = self.state();
        let Some(Asked::Hears { session, uri: Some(uri), waits }) = state.asked.get_mut(&number) else {
            return;
        };
        let (session, uri, waits) = (Arc::clone(session), uri.clone(), waits.take());
        let agreed = agrees_to(line, &uri);
        if !agreed {
            state.asked.remove(&number);
            self.say(cancelled(&Id::Number(number), "there is nothing to be heard"));
        }
        drop(state);
        if agreed {
            session.standing().subscriptions.insert(uri);
        } else {
            session.standing().subscriptions.remove(&uri);
        }
        match waits {
            Some(id) if agreed => self.reply(&session, &id, json!({})),
            Some(id) => {
                let line = refused_to_tell(&id);
                session.hand(Message { kind: Kind::Response(Some(id)), line });
            }
            None => {}
        }
    }
}

/// What a client hears that would subscribe to what the server does not tell of.
pub(super) fn refused_to_tell(id: &Id) -> Bytes {
    error_with(id, INVALID_PARAMS, "the MCP server does not tell of changes of this resource")
}

/// A request as a server of 2026-07-28 has to hear it.
pub(super) fn request_now(line: &Bytes, session: &Session) -> Bytes {
    let Some(message) = rewrite::read(line) else { return line.clone() };
    let own = session.standing().meta();
    let params = message.get("params").and_then(Members::read).unwrap_or(Members(Vec::new()));
    let meta = params.get("_meta").and_then(Members::read).unwrap_or(Members(Vec::new()));
    let mut text =
        meta.written(|name, value| (!OF_A_REQUEST.contains(&name)).then(|| value.get().to_owned()));
    text.pop();
    for (name, value) in &own {
        push(&mut text, name, &value.to_string());
    }
    text.push('}');
    rewrite::with_params(line, &["_meta"], &[("_meta", text)])
}

/// An answer as clients of earlier revisions know it, under its id there.
pub(super) fn result_before(line: &Bytes, id: &Id) -> Bytes {
    let Some(message) = rewrite::read(line) else { return line.clone() };
    let kind = message.get("result").and_then(Members::read).and_then(|result| result.text("resultType"));
    if kind.is_some_and(|kind| kind != "complete") {
        return error_with(id, INTERNAL_ERROR, "the MCP server answers with what this revision has not");
    }
    message
        .written(|name, value| {
            let result = (name == "result").then(|| Members::read(value)).flatten();
            Some(match result {
                Some(result) => result
                    .written(|name, value| (!OF_A_RESULT.contains(&name)).then(|| value.get().to_owned())),
                None => value.get().to_owned(),
            })
        })
        .into()
}

fn without_subscription(line: &Bytes) -> Bytes {
    let Some(message) = rewrite::read(line) else { return line.clone() };
    let Some(params) = message.get("params").and_then(Members::read) else { return line.clone() };
    let without = |meta: &RawValue| {
        let meta = Members::read(meta)?;
        Some(meta.written(|name, value| (name != SUBSCRIPTION).then(|| value.get().to_owned())))
    };
    let params = params.written(|name, value| {
        let meta = (name == "_meta").then(|| without(value)).flatten();
        Some(meta.unwrap_or_else(|| value.get().to_owned()))
    });
    message
        .written(|name, value| Some(if name == "params" { params.clone() } else { value.get().to_owned() }))
        .into()
}

/// Whether the server agreed to tell of that resource.
fn agrees_to(line: &[u8], uri: &str) -> bool {
    let message: Value = serde_json::from_slice(line).unwrap_or_default();
    let agreed = message["params"]["notifications"]["resourceSubscriptions"].as_array();
    agreed.is_some_and(|all| all.iter().any(|one| one == uri))
}

#[cfg(test)]
mod tests {
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::Limits;
    use crate::owner::Owner;

    /// Of two members of one name, some take the first: there is one.
    #[test]
    fn what_a_client_says_of_itself_in_a_request_is_not_there() {
        let session = Session::new(Owner::alice(), &Limits::default(), CancellationToken::new()).0;
        let line = Bytes::from(
            r#"{"id":1,"params":{"a":1e400,"_meta":{"x":1,"io.modelcontextprotocol/clientCapabilities":{"sampling":{}}}}}"#,
        );
        let heard = r#"{"id":1,"params":{"a":1e400,"_meta":{"x":1,"io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}"#;
        assert_eq!(request_now(&line, &session), heard);
    }
}
