//! One process, and the sessions that speak through it (never-again 43).
//!
//! | way | what holds |
//! |---|---|
//! | a request | gets an id that no other request to this process has; its progress token is that id |
//! | an answer, progress | goes to whoever asked, under the names that they gave |
//! | a cancellation | names a request of the session that cancels, or goes nowhere; what was cancelled counts as [`left`] until it is answered |
//! | a question of the server (sampling, elicitation, roots) | goes to the session that all calls under way belong to, if its client can answer; else it is refused here |
//! | an answer of a client | goes to the server only from the session that was asked |
//! | a notification | [`notified`] says to whom |
//!
//! `initialize`, `logging/setLevel` and part of the subscriptions are answered here: they are about the process, which has
//! many clients. Tasks are not offered: the server could not tell whose they are.

mod bridge;
mod left;
mod notified;
mod opened;
mod own;
mod subscriptions;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use bytes::Bytes;
use hallpass_resource_server::json_rpc::Id;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::left::Left;
pub(super) use self::opened::NotOpened;
use self::opened::Opened;
use super::Limits;
use super::message::{Kind, Message};
use super::rewrite;
use super::room::{Held, Room};
use super::session::{Input, Listening, NAMELESS, Session, cancelled, error_with};
use crate::owner::Owner;

const METHOD_NOT_FOUND: i64 = -32601;
const INVALID_PARAMS: i64 = -32602;
const INTERNAL_ERROR: i64 = -32603;

pub(super) struct Switch {
    /// Lines for the process.
    input: mpsc::UnboundedSender<Held>,
    /// For what is said here on behalf of nobody.
    room: Room,
    /// Ends the process, whoever cancels it.
    pub(super) end: CancellationToken,
    /// What the server said at the beginning.
    opened: OnceLock<Opened>,
    state: Mutex<State>,
}

struct State {
    over: bool,
    used: Instant,
    next: i64,
    /// Requests that the process has not answered, by the ids that it knows.
    asked: HashMap<i64, Asked>,
    /// Those among them that nobody waits for any more.
    left: Left,
    /// Requests of the process that a client has not answered.
    questions: HashMap<Id, Question>,
    sessions: HashMap<u64, Arc<Session>>,
}

/// Who waits for an answer of the process.
enum Asked {
    Session {
        session: Arc<Session>,
        id: Id,
        progress: Option<Id>,
        /// The resource that it subscribes to.
        subscribes: Option<String>,
        /// Its method, where the client speaks 2026-07-28.
        stands_alone: Option<String>,
    },
    Own(oneshot::Sender<Bytes>),
}

/// Who was asked by the process.
struct Question {
    session: Arc<Session>,
    progress: Option<Id>,
}

impl Switch {
    /// A switch, and the lines for its process.
    pub(super) fn new(limits: &Limits, end: CancellationToken) -> (Self, mpsc::UnboundedReceiver<Held>) {
        let state = State {
            over: false,
            used: Instant::now(),
            next: 1,
            asked: HashMap::new(),
            left: Left::new(limits.call),
            questions: HashMap::new(),
            sessions: HashMap::new(),
        };
        let (input, lines) = mpsc::unbounded_channel();
        let room = Room::new(limits.unread);
        (Self { input, room, end, opened: OnceLock::new(), state: Mutex::new(state) }, lines)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the process has ended, or is about to.
    pub(super) fn is_over(&self) -> bool {
        self.end.is_cancelled() || self.state().over
    }

    /// Whether it could be used at all.
    pub(super) fn has_opened(&self) -> bool {
        self.opened.get().is_some()
    }

    /// When somebody last needed the process.
    pub(super) fn last_used(&self) -> Instant {
        let mut state = self.state();
        if !state.sessions.is_empty() {
            state.used = Instant::now();
        }
        state.used
    }

    /// Makes a session known to the process, if it is not: what it has said before is said again.
    pub(super) fn attach(&self, session: &Arc<Session>) {
        let mut state = self.state();
        if state.over || state.sessions.insert(session.number, Arc::clone(session)).is_some() {
            return;
        }
        drop(state);
        self.say_again(session);
    }

    /// How many requests are under way for one user through one client.
    pub(super) fn under_way(&self, owner: &Owner) -> usize {
        self.state().sessions.values().filter(|session| session.owner == *owner).count()
    }

    /// Takes a message of a session's on to the process.
    pub(super) fn forward(&self, session: &Arc<Session>, Input { kind, line }: Input) {
        self.attach(session);
        match &kind {
            Kind::Request { id, method, progress } => {
                self.request(session, id, method, progress.as_ref(), line)
            }
            Kind::Cancelled(id) => self.cancel(session, id),
            Kind::Response(Some(id)) if self.was_asked(session, id) => self.send(line),
            Kind::Progress(token)
                if self.was_asked_with(session, token)
                    && rewrite::names_one(line.bytes(), "progressToken") =>
            {
                self.send(line);
            }
            Kind::Notification(method) if notified::is_the_clients_own(method) => self.send(line),
            kind => tracing::debug!(?kind, "a message of a client is about nothing of its own"),
        }
    }

    fn request(&self, session: &Arc<Session>, id: &Id, method: &str, progress: Option<&Id>, line: Held) {
        // What names requests names those of this process, which are everybody's.
        if method.starts_with("notifications/") {
            return self.refuse(session, id, METHOD_NOT_FOUND, "a notification is sent without an id");
        }
        let alone = session.standing().stands_alone;
        let answered = match alone {
            true => self.answered_here_now(session, id, method, line.bytes()),
            false => self.answered_here(session, id, method, line.bytes()),
        };
        if answered {
            return;
        }
        let plain = if alone { bridge::request_before(line.bytes()) } else { line.bytes().clone() };
        let mut state = self.state();
        if state.over {
            drop(state);
            return session.fail(id, "the MCP server has ended");
        }
        let number = state.next;
        let rewritten = match rewrite::request(&plain, number) {
            Ok(rewritten) => rewritten,
            Err(ambiguous) => {
                drop(state);
                return self.refuse(session, id, INVALID_PARAMS, &ambiguous.to_string());
            }
        };
        state.next += 1;
        let subscribes = (method == "resources/subscribe").then(|| rewrite::text_of(line.bytes(), "uri"));
        let asked = Asked::Session {
            session: Arc::clone(session),
            id: id.clone(),
            progress: progress.cloned(),
            subscribes: subscribes.flatten(),
            stands_alone: alone.then(|| method.to_owned()),
        };
        state.asked.insert(number, asked);
        // Within the lock: a cancellation must not overtake what it cancels.
        self.send(line.replaced(rewritten));
    }

    fn cancel(&self, session: &Session, id: &Id) {
        let mut state = self.state();
        let is_it = |asked: &Asked| matches!(asked, Asked::Session { session: other, id: its, .. } if other.number == session.number && its == id);
        let Some(number) = state.asked.iter().find(|(_, asked)| is_it(asked)).map(|(number, _)| *number)
        else {
            return;
        };
        let subscribed = state.leave(number, session);
        // Written anew: what else stands in the client's own, the process might take for an id.
        self.say(cancelled(&Id::Number(number), "the client cancelled it"));
        drop(state);
        self.give_up(subscribed);
    }

    fn was_asked(&self, session: &Session, id: &Id) -> bool {
        let mut state = self.state();
        let asked = state.questions.get(id).is_some_and(|question| question.session.number == session.number);
        if asked {
            state.questions.remove(id);
        }
        asked
    }

    fn was_asked_with(&self, session: &Session, token: &Id) -> bool {
        let state = self.state();
        let mut own = state.questions.values().filter(|question| question.session.number == session.number);
        own.any(|question| question.progress.as_ref() == Some(token))
    }

    /// Brings a message of the process to whom it is for.
    pub(super) fn deliver(&self, Message { kind, line }: Message) {
        match kind {
            Kind::Response(id) => self.answer(id.as_ref(), &line),
            Kind::Progress(token) => self.progress(&token, &line),
            Kind::Request { id, method, .. } => self.question(id, &method, line),
            Kind::Cancelled(id) => {
                let question = self.state().questions.remove(&id);
                if let Some(question) = question {
                    question.session.hand(Message { kind: Kind::Cancelled(id), line });
                }
            }
            Kind::Notification(method) => self.notify(&method, &line),
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
                None if state.asked.len() == 1 && state.left.are_none() => {
                    let only = state.asked.drain().next().map(|(_, asked)| asked);
                    drop(state);
                    if let Some(Asked::Session { session, id, .. }) = only {
                        session.fail(&id, NAMELESS);
                    }
                    return;
                }
                None => None,
            }
        };
        match asked {
            Some(Asked::Session { session, id, subscribes, stands_alone, .. }) => {
                if let Some(uri) = subscribes.filter(|_| rewrite::is_result(line)) {
                    session.standing().subscriptions.insert(uri);
                }
                let mut line = rewrite::answer(line, &id);
                if let Some(method) = stands_alone {
                    line = self.now(&line, &method);
                }
                session.hand(Message { kind: Kind::Response(Some(id)), line });
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
        state.questions.insert(id.clone(), Question { session: Arc::clone(&session), progress });
        drop(state);
        session.hand(Message { kind: Kind::Request { id, method: method.to_owned(), progress: None }, line });
    }

    /// A session has ended: nothing is under way for it any more.
    pub(super) fn leave(&self, session: &Session) {
        let mut state = self.state();
        if state.sessions.remove(&session.number).is_none() {
            return;
        }
        state.used = Instant::now();
        let own = |asked: &Asked| matches!(asked, Asked::Session { session: other, .. } if other.number == session.number);
        let numbers: Vec<i64> =
            state.asked.iter().filter(|(_, asked)| own(asked)).map(|(number, _)| *number).collect();
        let mut subscribed: Vec<String> = session.standing().subscriptions.iter().cloned().collect();
        for number in numbers {
            subscribed.extend(state.leave(number, session));
            self.say(cancelled(&Id::Number(number), "the client has left"));
        }
        let (left, others) = std::mem::take(&mut state.questions)
            .into_iter()
            .partition(|(_, question)| question.session.number == session.number);
        state.questions = others;
        drop(state);
        let left: HashMap<Id, Question> = left;
        for id in left.into_keys() {
            self.say(error_with(&id, INTERNAL_ERROR, "the client has left"));
        }
        self.give_up(subscribed);
    }

    /// The process has ended; each request that still waits gets an error.
    pub(super) fn close(&self) {
        let (asked, sessions) = {
            let mut state = self.state();
            state.over = true;
            state.questions.clear();
            (std::mem::take(&mut state.asked), std::mem::take(&mut state.sessions))
        };
        for session in sessions.into_values() {
            let listening = session.standing().listening.take();
            if let Some(Listening { id, .. }) = listening {
                let line = bridge::listened(&id);
                session.hand(Message { kind: Kind::Response(Some(id)), line });
            }
        }
        for asked in asked.into_values() {
            if let Asked::Session { session, id, .. } = asked {
                session
                    .fail(&id, "the MCP server ended before it answered; the next request starts it again");
            }
        }
    }

    fn refuse(&self, session: &Session, id: &Id, code: i64, message: &str) {
        let line = error_with(id, code, message);
        session.hand(Message { kind: Kind::Response(Some(id.clone())), line });
    }

    fn send(&self, line: Held) {
        // A process that is gone is told about by `close`.
        drop(self.input.send(line));
    }
}

impl State {
    /// The session that all calls under way belong to.
    fn sole_caller(&self) -> Option<Arc<Session>> {
        let mut sessions = self.asked.values().filter_map(|asked| match asked {
            Asked::Session { session, .. } => Some(session),
            Asked::Own(_) => None,
        });
        let first = sessions.next()?;
        let is_sole = sessions.all(|other| other.number == first.number) && self.left.are_of(first);
        is_sole.then(|| Arc::clone(first))
    }

    /// Nobody waits for the answer to that request any more, though the process may work on it; gives the resource that it
    /// would subscribe to.
    fn leave(&mut self, number: i64, session: &Session) -> Option<String> {
        self.left.add(number, session);
        match self.asked.remove(&number) {
            Some(Asked::Session { subscribes, .. }) => subscribes,
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
