//! What the process says, on its way to those it is for.

use std::sync::Arc;

use bytes::Bytes;
use hallpass_resource_server::json_rpc::Id;

use super::super::era::Era;
use super::super::message::{Kind, Message};
use super::super::rewrite;
use super::super::session::{NAMELESS, error_with};
use super::earlier::refused_to_tell;
use super::{Asked, Becomes, INTERNAL_ERROR, METHOD_NOT_FOUND, Question, Switch, asking, earlier, native};

/// How many questions of a process may wait for their answers.
pub(super) const QUESTIONS: usize = 1024;

impl Switch {
    /// Brings a message of the process to whom it is for.
    pub(in crate::stdio) fn deliver(&self, Message { kind, line }: Message) {
        match kind {
            Kind::Response(id) => self.answer(id.as_ref(), &line),
            Kind::Progress(token) => self.progress(&token, &line),
            Kind::Request { method, .. } if self.era() == Era::Modern => {
                // "The server MUST NOT write JSON-RPC requests", and gets no answer (2026-07-28, stdio).
                tracing::debug!(method, "a request of a server whose revision has none");
            }
            Kind::Request { id, method, .. } => self.question(id, &method, line),
            Kind::Cancelled(id) if self.era() == Era::Modern => self.no_longer_listens(&id),
            Kind::Cancelled(id) => {
                let question = self.state().questions.remove(&id);
                if let Some(question) = question {
                    question.session.hand(Message { kind: Kind::Cancelled(id), line });
                }
            }
            Kind::Notification(method) => {
                if method == "notifications/tools/list_changed" {
                    self.tools_changed();
                }
                self.notify(&method, &line);
            }
        }
    }

    fn answer(&self, id: Option<&Id>, line: &Bytes) {
        let asked = {
            let mut state = self.state();
            match id {
                Some(Id::Number(number)) => {
                    state.left.answered(*number);
                    state.asked.remove(number)
                }
                Some(Id::Text(_)) => None,
                // Whoever waits alone, waits for this.
                None => {
                    let only = state.only_call().and_then(|number| state.asked.remove(&number));
                    drop(state);
                    if let Some(Asked::Session { session, id, .. }) = only {
                        session.fail(&id, NAMELESS);
                    }
                    return;
                }
            }
        };
        match asked {
            Some(Asked::Session { session, id, progress, becomes: Becomes::Earlier(again), .. })
                if asking::asks(line) =>
            {
                self.ask_client(session, id, progress, again, line);
            }
            Some(Asked::Session { session, id, subscribes, becomes, .. }) => {
                if let Some(uri) = subscribes.filter(|_| rewrite::is_result(line)) {
                    session.standing().subscriptions.insert(uri);
                }
                let line = rewrite::answer(line, &id);
                if matches!(&becomes, Becomes::Modern(method) if method == "tools/list") {
                    self.hear_tools(&line);
                }
                let line = match becomes {
                    Becomes::Itself => line,
                    Becomes::Listed => {
                        self.hear_tools(&line);
                        line
                    }
                    Becomes::Modern(method) => self.now(&line, &method),
                    Becomes::Listened => native::listened(&line, &id),
                    Becomes::Discovered => native::discovered(&line, self.everybodys),
                    Becomes::Earlier(_) => earlier::result_before(&line, &id),
                };
                session.hand(Message { kind: Kind::Response(Some(id)), line });
            }
            // It listens no more: the server has torn it down, or refuses it.
            Some(Asked::Hears { session, uri, waits }) => {
                if let Some(uri) = uri {
                    session.standing().subscriptions.remove(&uri);
                }
                if let Some(id) = waits {
                    let line = rewrite::answer(line, &id);
                    let line = if rewrite::is_result(&line) { refused_to_tell(&id) } else { line };
                    session.hand(Message { kind: Kind::Response(Some(id)), line });
                }
            }
            Some(Asked::Own(waits)) => drop(waits.send(line.clone())),
            None => tracing::debug!("an answer came that nobody waits for"),
        }
    }

    fn progress(&self, token: &Id, line: &Bytes) {
        let Id::Number(number) = token else { return };
        let (session, token) = match self.state().asked.get(number) {
            Some(Asked::Session { session, progress: Some(token), .. }) => {
                (Arc::clone(session), token.clone())
            }
            _ => return,
        };
        let line = rewrite::progress(line, &token);
        session.hand(Message { kind: Kind::Progress(token), line });
    }

    /// A request of the server: for a client, which cannot see whom it is about.
    fn question(&self, id: Id, method: &str, line: Bytes) {
        if method == "ping" {
            return self
                .say(serde_json::json!({ "jsonrpc": "2.0", "id": id, "result": {} }).to_string().into());
        }
        let mut state = self.state();
        if state.questions.len() >= QUESTIONS {
            return self.say(error_with(&id, INTERNAL_ERROR, "too many questions are not answered yet"));
        }
        let Some(session) = state.sole_caller() else {
            let why = "no call of one client alone is under way, so nobody can be asked";
            return self.say(error_with(&id, INTERNAL_ERROR, why));
        };
        if !session.standing().can(method) {
            return self.say(error_with(
                &id,
                METHOD_NOT_FOUND,
                "the client that is served has no such capability",
            ));
        }
        let progress = rewrite::token_of(&line);
        state
            .questions
            .insert(id.clone(), Question { session: Arc::clone(&session), progress, part_of: None });
        drop(state);
        session.hand(Message { kind: Kind::Request { id, method: method.to_owned(), progress: None }, line });
    }
}
