//! One session: who waits for what, and which message goes into which stream.

mod standing;
mod state;
mod watch;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use bytes::Bytes;
use hallpass_resource_server::json_rpc::Id;
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub(super) use self::standing::{Listening, Standing, level_at, place_of};
use self::state::{State, Stream, Waiting, Way};
pub(super) use self::watch::watch;
use super::events::{Messages, Outgoing, Sender, channel};
use super::message::{Kind, Message};
use super::refused::Refused;
use super::room::{Held, Room};
use super::shared::Shared;
use super::{Lent, Limits};
use crate::owner::Owner;

/// A message of the client's on its way to the process.
#[derive(Debug)]
pub(super) struct Input {
    pub(super) kind: Kind,
    pub(super) line: Held,
}

impl From<Input> for Held {
    fn from(input: Input) -> Self {
        input.line
    }
}

/// A session, as the HTTP side and the process's side share it.
pub(super) struct Session {
    /// No other has it.
    pub(super) number: u64,
    pub(super) owner: Owner,
    /// Messages for the process.
    input: mpsc::UnboundedSender<Input>,
    /// Ends the session, whoever cancels it.
    pub(super) end: CancellationToken,
    limits: Limits,
    rooms: Rooms,
    state: Mutex<State>,
    /// What a process that others share has to know of it.
    standing: Mutex<Standing>,
    /// Where its process is one that others have, too.
    shared: OnceLock<Arc<Shared>>,
}

/// How many rooms for answers those requests of a client's have in common that stand alone: several are read at a time.
const ANSWERS: usize = 4;

/// What may wait at once. Whoever does not read one kind keeps nobody from reading another.
#[derive(Clone)]
struct Rooms {
    /// Lines that the process has not read.
    unwritten: Room,
    /// Answers that the client has not read: where there is no more room, the server waits.
    answers: Room,
    /// What was said beside answers into the streams of requests: where there is no more room, it is lost.
    beside: Room,
    /// What was said into the listening stream, or waits for one: the same.
    told: Room,
    /// Calls that may have to be sent again.
    kept: Room,
}

impl Session {
    /// A session, and the messages for its process.
    pub(super) fn new(
        owner: Owner,
        limits: &Limits,
        end: CancellationToken,
    ) -> (Self, mpsc::UnboundedReceiver<Input>) {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let room = || Room::new(limits.unread);
        let rooms = Rooms { unwritten: room(), answers: room(), beside: room(), told: room(), kept: room() };
        let (input, inputs) = mpsc::unbounded_channel();
        let session = Self {
            number: NEXT.fetch_add(1, Ordering::Relaxed),
            owner,
            input,
            end,
            limits: limits.clone(),
            rooms,
            state: Mutex::new(State::new()),
            standing: Mutex::default(),
            shared: OnceLock::new(),
        };
        (session, inputs)
    }

    /// A request that stands alone. It has its rooms in common with another one of the same client's that is under way: else
    /// as many as there may be at once would hold so much each.
    pub(super) fn alone(
        owner: Owner,
        limits: &Limits,
        end: CancellationToken,
        other: Option<&Self>,
    ) -> (Self, mpsc::UnboundedReceiver<Input>) {
        let (mut session, inputs) = Self::new(owner, limits, end);
        session.rooms.answers = Room::new(limits.unread.saturating_mul(ANSWERS));
        if let Some(other) = other {
            session.rooms = other.rooms.clone();
        }
        session.standing().stands_alone = true;
        (session, inputs)
    }

    /// It will speak to processes that others have, too.
    pub(super) fn shares(&self, shared: &Arc<Shared>) {
        // It begins once.
        drop(self.shared.set(Arc::clone(shared)));
    }

    /// These came with its latest request.
    pub(super) fn lend(&self, lent: &Lent) {
        self.shared.get().iter().for_each(|shared| shared.lend(lent));
    }

    /// Ends it, where a process of its own has tokens; else that process ends, and it goes on with another.
    pub(super) fn take_back(&self) {
        if self.shared.get().is_none() {
            self.end.cancel();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn standing(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When the client last did something, or had a stream open. What the server says by itself does
    /// not count: a server that ticks would never be idle.
    pub(super) fn last_used(&self) -> Instant {
        let mut state = self.state();
        let listening = state.listener.as_ref().is_some_and(|sender| !sender.is_closed());
        if listening || state.streams.values().any(|stream| !stream.sender.is_closed()) {
            state.used = Instant::now();
        }
        state.used
    }

    /// Sends messages to the process. If there are requests among them, their answers, and with
    /// `events` all that belongs to them, come out of what is returned. Nothing waits here: a process
    /// that cannot get rid of its answers takes no more lines.
    pub(super) fn post(&self, messages: &[Message], events: bool) -> Result<Option<Messages>, Refused> {
        let lines = self.rooms.unwritten.try_hold(messages.iter().map(|message| &message.line));
        let lines = lines.ok_or_else(|| Refused::Busy(first_id(messages)))?;
        let answers = self.expect_answers(messages, events)?;
        for message in messages {
            if let Kind::Cancelled(id) = &message.kind {
                // A cancelled request gets no answer (MCP, basic/utilities/cancellation).
                self.state().answered(id);
            }
        }
        for (message, line) in messages.iter().zip(lines) {
            let input = Input { kind: message.kind.clone(), line };
            self.input.send(input).map_err(|_| Refused::UnknownSession)?;
        }
        Ok(answers)
    }

    fn expect_answers(&self, messages: &[Message], events: bool) -> Result<Option<Messages>, Refused> {
        let mut state = self.state();
        if state.over {
            return Err(Refused::UnknownSession);
        }
        state.used = Instant::now();
        let stream = state.next_stream;
        let mut ids = HashMap::new();
        for message in messages {
            let Kind::Request { id, progress, .. } = &message.kind else { continue };
            let waiting = Waiting { stream, progress: progress.clone(), since: state.used };
            if state.waiting.contains_key(id) || ids.insert(id.clone(), waiting).is_some() {
                return Err(Refused::DuplicateId(id.clone()));
            }
        }
        if ids.is_empty() {
            return Ok(None);
        }
        if state.waiting.len() + ids.len() > self.limits.requests {
            return Err(Refused::Busy(first_id(messages)));
        }
        let (sender, messages) = channel();
        if events {
            state.flush(&sender);
        }
        state.next_stream += 1;
        state.streams.insert(stream, Stream { sender, open: ids.len(), events });
        state.waiting.extend(ids);
        Ok(Some(messages))
    }

    /// Opens the stream of what belongs to no request. One that was open before ends: a client asks
    /// again when it has lost the first, which this side may not know yet.
    pub(super) fn listen(&self) -> Result<Messages, Refused> {
        let mut state = self.state();
        if state.over {
            return Err(Refused::UnknownSession);
        }
        state.used = Instant::now();
        let (sender, messages) = channel();
        state.flush(&sender);
        state.listener = Some(sender);
        Ok(messages)
    }

    /// Brings a message of the process on its way. Waits for nothing but room for an answer.
    pub(super) async fn deliver(&self, message: Message) {
        match message.kind {
            Kind::Response(id) => {
                let Some((_, sender, line)) = self.asker(id, message.line) else { return };
                if let Some(line) = self.rooms.answers.hold(line).await {
                    drop(sender.send(Outgoing { line, is_answer: true }));
                }
            }
            kind => self.tell(&kind, message.line),
        }
    }

    /// The same, and waits for nothing: other clients wait for what the process says next. An answer for which there is
    /// no room is lost.
    pub(super) fn hand(&self, message: Message) {
        match message.kind {
            Kind::Response(id) => {
                let Some((id, sender, line)) = self.asker(id, message.line) else { return };
                let line = hold_one(&self.rooms.answers, &line).unwrap_or_else(|| {
                    let lost = "the answer is lost: the client has not read those before it";
                    Held::beyond(error(&id, lost))
                });
                drop(sender.send(Outgoing { line, is_answer: true }));
            }
            kind => self.tell(&kind, message.line),
        }
    }

    /// Who waits for an answer, if anybody does.
    fn asker(&self, id: Option<Id>, line: Bytes) -> Option<(Id, Sender, Bytes)> {
        let mut state = self.state();
        let (id, line) = match (id, state.only_waiting()) {
            (Some(id), _) => (id, line),
            // Whoever waits alone, waits for this.
            (None, Some(id)) => {
                let error = error(&id, NAMELESS);
                (id, error)
            }
            (None, None) => {
                tracing::warn!("an answer of the server names no request");
                return None;
            }
        };
        let Some(sender) = state.answered(&id) else {
            tracing::debug!("an answer came that nobody waits for");
            return None;
        };
        // What is for nobody needs no room.
        (!sender.is_closed()).then_some((id, sender, line))
    }

    /// Answers a request that will get no other answer.
    pub(super) fn fail(&self, id: &Id, message: &str) {
        let sender = self.state().answered(id);
        let line = Held::beyond(error(id, message));
        drop(sender.map(|sender| sender.send(Outgoing { line, is_answer: true })));
    }

    /// Keeps a call, where there is room.
    pub(super) fn keep(&self, line: &Bytes) -> Option<Held> {
        hold_one(&self.rooms.kept, line)
    }

    /// Ends requests that have waited for too long: the client gets an error, and the process is told.
    fn end_overdue(&self) {
        let Some(longest) = self.limits.call else { return };
        let overdue = self.state().overdue(longest);
        for id in overdue {
            tracing::info!("a call took too long, and is cancelled");
            self.fail(&id, TOO_LONG);
            let line = cancelled(&id, "it took too long");
            self.tell_process(Kind::Cancelled(id), &line);
        }
    }

    fn tell_process(&self, kind: Kind, line: &Bytes) {
        let line = hold_one(&self.rooms.unwritten, line);
        drop(line.map(|line| self.input.send(Input { kind, line })));
    }

    /// Brings on its way what answers nothing. A client that does not read it loses it, so that the
    /// answers behind it arrive.
    fn tell(&self, kind: &Kind, line: Bytes) {
        let mut state = self.state();
        let way = state.way_of(kind);
        let room = if matches!(way, Way::Beside(_)) { &self.rooms.beside } else { &self.rooms.told };
        let full = matches!(way, Way::Queue) && state.queue.len() >= self.limits.queue;
        let line = if full { None } else { hold_one(room, &line) };
        let Some(line) = line else {
            if !std::mem::replace(&mut state.losing, true) {
                tracing::warn!(
                    "messages of the server are lost: the client does not read, or has no stream open"
                );
            }
            drop(state);
            self.answer_for_the_client(kind);
            return;
        };
        state.losing = false;
        let message = Outgoing { line, is_answer: false };
        match way {
            // A client that has left needs nothing.
            Way::Beside(sender) | Way::Listener(sender) => drop(sender.send(message)),
            Way::Queue => state.queue.push_back(message),
        }
    }

    /// A request of the server that the client will never see must not keep the server waiting.
    fn answer_for_the_client(&self, kind: &Kind) {
        if let Kind::Request { id, .. } = kind {
            let line = error(id, "the client does not read what the server asks");
            self.tell_process(Kind::Response(Some(id.clone())), &line);
        }
    }

    /// Ends all streams; each request that still waits gets an error.
    pub(super) fn close(&self) {
        let mut state = self.state();
        state.over = true;
        state.listener = None;
        let streams = std::mem::take(&mut state.streams);
        for (id, waiting) in std::mem::take(&mut state.waiting) {
            let Some(stream) = streams.get(&waiting.stream) else { continue };
            let line = Held::beyond(error(&id, "the MCP server ended before it answered"));
            drop(stream.sender.send(Outgoing { line, is_answer: true }));
        }
    }
}

/// What is said of an answer that names no request.
pub(super) const NAMELESS: &str = "the MCP server's answer names no request";

/// What is said of a call that [`Limits::call`] ends.
pub(super) const TOO_LONG: &str = "the MCP server did not answer in the time that a call may take";

fn hold_one(room: &Room, line: &Bytes) -> Option<Held> {
    room.try_hold(std::iter::once(line)).and_then(|mut held| held.pop())
}

fn first_id(messages: &[Message]) -> Option<Id> {
    messages.iter().find_map(|message| match &message.kind {
        Kind::Request { id, .. } => Some(id.clone()),
        _ => None,
    })
}

pub(super) fn error(id: &Id, message: &str) -> Bytes {
    error_with(id, -32603, message)
}

pub(super) fn error_with(id: &Id, code: i64, message: &str) -> Bytes {
    let error = json!({ "code": code, "message": message });
    json!({ "jsonrpc": "2.0", "id": id, "error": error }).to_string().into()
}

/// basic/utilities/cancellation.
pub(super) fn cancelled(id: &Id, reason: &str) -> Bytes {
    let params = json!({ "requestId": id, "reason": reason });
    json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": params }).to_string().into()
}

#[cfg(test)]
mod tests;
