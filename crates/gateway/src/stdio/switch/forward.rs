//! What clients send, on its way to the process.

use std::sync::Arc;

use hallpass_resource_server::json_rpc::Id;

use super::super::era::Era;
use super::super::message::Kind;
use super::super::rewrite;
use super::super::room::Held;
use super::super::session::{Input, Session, cancelled};
use super::{
    Asked, Becomes, INVALID_PARAMS, METHOD_NOT_FOUND, Question, Switch, asking, bridge, earlier, native,
    notified,
};

impl Switch {
    /// Takes a message of a session's on to the process. Gives it back where another one has to be asked, which takes this one's
    /// place.
    pub(in crate::stdio) fn forward(
        &self,
        session: &Arc<Session>,
        Input { kind, line }: Input,
    ) -> Option<Input> {
        self.attach(session);
        match &kind {
            Kind::Request { id, method, progress } => {
                let back = self.request(session, id, method, progress.as_ref(), line);
                return back.map(|line| Input { kind, line });
            }
            Kind::Cancelled(id) => self.cancel(session, id),
            Kind::Response(Some(id)) => match self.was_asked(session, id) {
                Some(Question { part_of: Some(call), .. }) => self.answered_by_client(call, id, line.bytes()),
                Some(_) => self.send(line),
                None => tracing::debug!(?kind, "an answer to what nobody asked"),
            },
            // Clients of 2026-07-28 notify of nothing.
            _ if self.era() == Era::Modern => {
                tracing::debug!(?kind, "a message of a client that the server's revision has not");
            }
            Kind::Progress(token)
                if self.was_asked_with(session, token)
                    && rewrite::names_one(line.bytes(), "progressToken") =>
            {
                self.send(line);
            }
            Kind::Notification(method) if notified::is_the_clients_own(method) => self.send(line),
            kind => tracing::debug!(?kind, "a message of a client is about nothing of its own"),
        }
        None
    }

    fn request(
        &self,
        session: &Arc<Session>,
        id: &Id,
        method: &str,
        progress: Option<&Id>,
        line: Held,
    ) -> Option<Held> {
        // What names requests names those of this process, which are everybody's.
        if method.starts_with("notifications/") {
            self.refuse(session, id, METHOD_NOT_FOUND, "a notification is sent without an id");
            return None;
        }
        let alone = session.standing().stands_alone;
        let (answered, becomes) = match (self.era(), alone) {
            (Era::Legacy, false) => (self.answered_here(session, id, method, line.bytes()), Becomes::Itself),
            (Era::Legacy, true) => {
                let answered = self.answered_here_now(session, id, method, line.bytes());
                (answered, Becomes::Modern(method.to_owned()))
            }
            (Era::Modern, false) => {
                (self.answered_here_before(session, id, method, line.bytes()), Becomes::Earlier(None))
            }
            (Era::Modern, true) => (self.refused_here(session, id, method), native::becomes(method)),
        };
        if answered {
            return None;
        }
        let plain = match (self.era(), alone) {
            (Era::Legacy, true) => bridge::request_before(line.bytes()),
            (Era::Modern, true) if self.everybodys => native::without_tasks(line.bytes()),
            (Era::Modern, false) => earlier::request_now(line.bytes(), session),
            _ => line.bytes().clone(),
        };
        let becomes = match becomes {
            Becomes::Earlier(_) => Becomes::Earlier(asking::may_ask(session, method, &plain)),
            becomes => becomes,
        };
        let mut state = self.state();
        if state.retired {
            return Some(line);
        }
        if state.over {
            drop(state);
            session.fail(id, "the MCP server has ended");
            return None;
        }
        let number = state.next;
        let rewritten = match rewrite::request(&plain, number) {
            Ok(rewritten) => rewritten,
            Err(ambiguous) => {
                drop(state);
                self.refuse(session, id, INVALID_PARAMS, &ambiguous.to_string());
                return None;
            }
        };
        state.next += 1;
        let subscribes = (method == "resources/subscribe").then(|| rewrite::text_of(line.bytes(), "uri"));
        let asked = Asked::Session {
            session: Arc::clone(session),
            id: id.clone(),
            progress: progress.cloned(),
            subscribes: subscribes.flatten(),
            becomes,
        };
        state.asked.insert(number, asked);
        // Within the lock: a cancellation must not overtake what it cancels.
        self.send(line.replaced(rewritten));
        None
    }

    fn cancel(&self, session: &Session, id: &Id) {
        let mut state = self.state();
        let is_it = |asked: &Asked| matches!(asked, Asked::Session { session: other, id: its, .. } if other.number == session.number && its == id);
        let Some(number) = state.asked.iter().find(|(_, asked)| is_it(asked)).map(|(number, _)| *number)
        else {
            let is_it = |call: &asking::Waiting| call.session.number == session.number && call.id == *id;
            let call = state.waiting.iter().find(|(_, call)| is_it(call)).map(|(call, _)| *call);
            call.map(|call| state.give_up_call(call));
            return;
        };
        let subscribed = state.leave(number, session);
        // Written anew: what else stands in the client's own, the process might take for an id.
        self.say(cancelled(&Id::Number(number), "the client cancelled it"));
        drop(state);
        self.give_up(subscribed);
    }

    fn was_asked(&self, session: &Session, id: &Id) -> Option<Question> {
        let mut state = self.state();
        let asked = state.questions.get(id).is_some_and(|question| question.session.number == session.number);
        if asked { state.questions.remove(id) } else { None }
    }

    fn was_asked_with(&self, session: &Session, token: &Id) -> bool {
        let state = self.state();
        let mut own = state.questions.values().filter(|question| question.session.number == session.number);
        own.any(|question| question.progress.as_ref() == Some(token))
    }
}
