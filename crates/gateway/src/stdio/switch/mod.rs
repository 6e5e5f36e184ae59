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

mod asking;
mod bridge;
mod deliver;
mod earlier;
mod forward;
mod left;
mod mirrored;
mod native;
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
use self::mirrored::Listed;
pub(super) use self::opened::NotOpened;
use self::opened::Opened;
use super::Lent;
use super::Limits;
use super::era::Era;
use super::message::{Kind, Message};
use super::room::{Held, Room};
use super::session::{Listening, Session, cancelled, error_with};
use crate::owner::Owner;

/// What is said of a request that the process did not live to answer.
const ENDED: &str = "the MCP server ended before it answered; the next request starts it again";
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
    /// Whether it is everybody's, and not one user's.
    everybodys: bool,
    /// What the server said at the beginning.
    opened: OnceLock<Opened>,
    /// Tokens of third parties that the process was started with.
    lent: Lent,
    listed: Mutex<Listed>,
    /// Whoever asks for its tools holds it: the next one may know them by then.
    asks_for_tools: tokio::sync::Mutex<()>,
    state: Mutex<State>,
}

struct State {
    over: bool,
    /// Another process takes its place: nothing is under way, and nothing more comes.
    retired: bool,
    used: Instant,
    next: i64,
    /// Requests that the process has not answered, by the ids that it knows.
    asked: HashMap<i64, Asked>,
    /// Those among them that nobody waits for any more.
    left: Left,
    /// Requests of the process that a client has not answered.
    questions: HashMap<Id, Question>,
    /// Calls that wait for what their clients answer, by numbers that no request has.
    waiting: HashMap<i64, asking::Waiting>,
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
        becomes: Becomes,
    },
    /// What listens on behalf of a session: for one resource, or for changes of lists.
    Hears {
        session: Arc<Session>,
        uri: Option<String>,
        /// The request that subscribes, until the server has agreed.
        waits: Option<Id>,
    },
    Own(oneshot::Sender<Bytes>),
}

/// What an answer becomes before it is the client's, beside its id.
enum Becomes {
    /// What it is: both speak revisions of the same kind.
    Itself,
    /// An answer of 2026-07-28 to that method, from a server of an earlier revision.
    Modern(String),
    /// The end of `subscriptions/listen`, which the server knows.
    Listened,
    /// What `server/discover` says of a server that knows it.
    Discovered,
    /// What it is, and the tools that it lists are remembered.
    Listed,
    /// An answer of an earlier revision, from a server of 2026-07-28; and the call, if it may be sent again.
    Earlier(Option<asking::Again>),
}

/// Who was asked by the process.
struct Question {
    session: Arc<Session>,
    progress: Option<Id>,
    /// The call that waits for the answer, where the server asked by its answer.
    part_of: Option<i64>,
}

impl Switch {
    /// A switch, and the lines for its process.
    pub(super) fn new(
        limits: &Limits,
        everybodys: bool,
        end: CancellationToken,
    ) -> (Self, mpsc::UnboundedReceiver<Held>) {
        let state = State {
            over: false,
            retired: false,
            used: Instant::now(),
            next: 1,
            asked: HashMap::new(),
            left: Left::new(limits.call),
            questions: HashMap::new(),
            waiting: HashMap::new(),
            sessions: HashMap::new(),
        };
        let (input, lines) = mpsc::unbounded_channel();
        let room = Room::new(limits.unread);
        let (opened, lent) = (OnceLock::new(), Lent::default());
        let (listed, asks_for_tools) = Default::default();
        let state = Mutex::new(state);
        (Self { input, room, end, everybodys, opened, lent, listed, asks_for_tools, state }, lines)
    }

    /// The process has these.
    pub(super) fn with(self, lent: Lent) -> Self {
        Self { lent, ..self }
    }

    /// Ends the process if it has other tokens than these and no call is under way in it. In one step: what comes after that goes to
    /// the next one.
    pub(super) fn retire_for(&self, lent: &Lent) {
        if self.lent.are_those_of(lent) {
            return;
        }
        let mut state = self.state();
        if state.calls_nothing() {
            state.retired = true;
            self.end.cancel();
        }
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

    /// Which revisions it was begun with.
    pub(super) fn era(&self) -> Era {
        self.opened.get().map_or(Era::Legacy, |opened| opened.era)
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

    /// Another request of that client's that stands alone, if one is under way.
    pub(super) fn alone_of(&self, owner: &Owner) -> Option<Arc<Session>> {
        let state = self.state();
        let mut own = state.sessions.values().filter(|session| session.owner == *owner);
        own.find(|session| session.standing().stands_alone).cloned()
    }

    /// How many requests are under way for one user through one client.
    pub(super) fn under_way(&self, owner: &Owner) -> usize {
        self.state().sessions.values().filter(|session| session.owner == *owner).count()
    }

    /// A session has ended: nothing is under way for it any more.
    pub(super) fn leave(&self, session: &Session) {
        let mut state = self.state();
        if state.sessions.remove(&session.number).is_none() {
            return;
        }
        state.used = Instant::now();
        let own = |asked: &Asked| matches!(asked, Asked::Session { session: other, .. } | Asked::Hears { session: other, .. } if other.number == session.number);
        let numbers: Vec<i64> =
            state.asked.iter().filter(|(_, asked)| own(asked)).map(|(number, _)| *number).collect();
        let mut subscribed: Vec<String> = session.standing().subscriptions.iter().cloned().collect();
        for number in numbers {
            subscribed.extend(state.leave(number, session));
            self.say(cancelled(&Id::Number(number), "the client has left"));
        }
        let calls = state.waiting.iter().filter(|(_, waiting)| waiting.session.number == session.number);
        let calls: Vec<i64> = calls.map(|(call, _)| *call).collect();
        for call in calls {
            state.give_up_call(call);
        }
        let (left, others) = std::mem::take(&mut state.questions)
            .into_iter()
            .partition(|(_, question)| question.session.number == session.number);
        state.questions = others;
        drop(state);
        let left: HashMap<Id, Question> = left;
        // A client of 2026-07-28 writes no answers.
        for id in left.into_keys().filter(|_| self.era() == Era::Legacy) {
            self.say(error_with(&id, INTERNAL_ERROR, "the client has left"));
        }
        // Else the end of what listened is all.
        if self.era() == Era::Legacy {
            self.give_up(subscribed);
        }
    }

    /// The process has ended; each request that still waits gets an error.
    pub(super) fn close(&self) {
        let (asked, waiting, sessions) = {
            let mut state = self.state();
            state.over = true;
            state.questions.clear();
            let waiting = std::mem::take(&mut state.waiting);
            (std::mem::take(&mut state.asked), waiting, std::mem::take(&mut state.sessions))
        };
        for call in waiting.into_values() {
            call.session.fail(&call.id, ENDED);
        }
        for session in sessions.into_values() {
            let listening = session.standing().listening.take();
            if let Some(Listening { id, .. }) = listening {
                let line = bridge::listened(&id);
                session.hand(Message { kind: Kind::Response(Some(id)), line });
            }
        }
        for asked in asked.into_values() {
            match asked {
                Asked::Session { session, id, becomes: Becomes::Listened, .. } => {
                    let line = bridge::listened(&id);
                    session.hand(Message { kind: Kind::Response(Some(id)), line });
                }
                Asked::Session { session, id, .. } => {
                    session.fail(&id, ENDED);
                }
                Asked::Hears { session, waits, .. } => {
                    waits.iter().for_each(|id| session.fail(id, ENDED));
                }
                Asked::Own(_) => {}
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

impl Asked {
    /// Who listens waits for nothing else.
    fn listens(&self) -> bool {
        matches!(self, Self::Hears { .. } | Self::Session { becomes: Becomes::Listened, .. })
    }
}

impl State {
    /// The only call under way.
    fn only_call(&self) -> Option<i64> {
        let mut calls = self.asked.iter().filter(|(_, asked)| !asked.listens()).map(|(number, _)| *number);
        calls.next().filter(|_| calls.next().is_none() && self.left.are_none())
    }

    /// Whether nobody waits for anything but what they listen to.
    fn calls_nothing(&self) -> bool {
        self.waiting.is_empty() && self.asked.values().all(Asked::listens)
    }

    /// The session that all calls under way belong to.
    fn sole_caller(&self) -> Option<Arc<Session>> {
        let mut sessions = self.asked.values().filter_map(|asked| match asked {
            Asked::Session { becomes: Becomes::Listened, .. } | Asked::Hears { .. } | Asked::Own(_) => None,
            Asked::Session { session, .. } => Some(session),
        });
        let first = sessions.next()?;
        let is_sole = sessions.all(|other| other.number == first.number) && self.left.are_of(first);
        is_sole.then(|| Arc::clone(first))
    }

    /// Nobody waits for the answer to that request any more, though the process may work on it; gives the resource that it
    /// would subscribe to.
    fn leave(&mut self, number: i64, session: &Session) -> Option<String> {
        match self.asked.remove(&number) {
            // Who listens calls nothing.
            Some(Asked::Session { becomes: Becomes::Listened, .. }) => None,
            Some(Asked::Session { subscribes, .. }) => {
                self.left.add(number, session);
                subscribes
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
