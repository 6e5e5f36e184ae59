//! One session: who waits for what, and which message goes into which stream.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use hallpass_resource_server::json_rpc::Id;
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Limits;
use super::events::{Messages, Outgoing, Sender, channel};
use super::message::{Kind, Message};
use super::refused::Refused;
use super::room::{Held, Room};
use crate::owner::Owner;

/// A session, as the HTTP side and the process's side share it.
pub(super) struct Session {
    pub(super) owner: Owner,
    /// Lines for the process.
    input: mpsc::UnboundedSender<Held>,
    /// Ends the session, whoever cancels it.
    pub(super) end: CancellationToken,
    limits: Limits,
    rooms: Rooms,
    state: Mutex<State>,
}

/// What may wait at once. Whoever does not read one kind keeps nobody from reading another.
struct Rooms {
    /// Lines that the process has not read.
    unwritten: Room,
    /// Answers that the client has not read: where there is no more room, the server waits.
    answers: Room,
    /// What was said beside answers into the streams of requests: where there is no more room, it is lost.
    beside: Room,
    /// What was said into the listening stream, or waits for one: the same.
    told: Room,
}

struct State {
    over: bool,
    used: Instant,
    waiting: HashMap<Id, Waiting>,
    /// The open responses to POSTs, oldest first.
    streams: BTreeMap<u64, Stream>,
    next_stream: u64,
    /// The response to the GET.
    listener: Option<Sender>,
    /// What the server said while no stream was open.
    queue: VecDeque<Outgoing>,
    /// Whether the message before was lost: the log hears of the first only.
    losing: bool,
}

/// A request that the process has not answered.
struct Waiting {
    stream: u64,
    progress: Option<Id>,
}

struct Stream {
    sender: Sender,
    /// How many answers are to come.
    open: usize,
    /// Whether it takes more than answers.
    events: bool,
}

/// Where a message goes that answers nothing.
enum Way {
    Beside(Sender),
    Listener(Sender),
    Queue,
}

impl Session {
    /// A session, and the lines for its process.
    pub(super) fn new(
        owner: Owner,
        limits: &Limits,
        end: CancellationToken,
    ) -> (Self, mpsc::UnboundedReceiver<Held>) {
        let state = State {
            over: false,
            used: Instant::now(),
            waiting: HashMap::new(),
            streams: BTreeMap::new(),
            next_stream: 0,
            listener: None,
            queue: VecDeque::new(),
            losing: false,
        };
        let room = || Room::new(limits.unread);
        let rooms = Rooms { unwritten: room(), answers: room(), beside: room(), told: room() };
        let (input, lines) = mpsc::unbounded_channel();
        (Self { owner, input, end, limits: limits.clone(), rooms, state: Mutex::new(state) }, lines)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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
        for line in lines {
            self.input.send(line).map_err(|_| Refused::UnknownSession)?;
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
            let waiting = Waiting { stream, progress: progress.clone() };
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
            Kind::Response(id) => self.answer(id, message.line).await,
            kind => self.tell(&kind, message.line),
        }
    }

    async fn answer(&self, id: Option<Id>, line: Bytes) {
        let (id, line) = match (id, self.state().only_waiting()) {
            (Some(id), _) => (id, line),
            // Whoever waits alone, waits for this.
            (None, Some(id)) => {
                let error = error(&id, "the MCP server's answer names no request");
                (id, error)
            }
            (None, None) => {
                tracing::warn!("an answer of the server names no request");
                return;
            }
        };
        let Some(sender) = self.state().answered(&id) else {
            tracing::debug!("an answer came that nobody waits for");
            return;
        };
        // What is for nobody needs no room.
        if sender.is_closed() {
            return;
        }
        if let Some(line) = self.rooms.answers.hold(line).await {
            drop(sender.send(Outgoing { line, is_answer: true }));
        }
    }

    /// Brings on its way what answers nothing. A client that does not read it loses it, so that the
    /// answers behind it arrive.
    fn tell(&self, kind: &Kind, line: Bytes) {
        let mut state = self.state();
        let way = state.way_of(kind);
        let room = if matches!(way, Way::Beside(_)) { &self.rooms.beside } else { &self.rooms.told };
        let full = matches!(way, Way::Queue) && state.queue.len() >= self.limits.queue;
        let line =
            if full { None } else { room.try_hold(std::iter::once(&line)).and_then(|mut held| held.pop()) };
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
            let line = self.rooms.unwritten.try_hold(std::iter::once(&line)).and_then(|mut held| held.pop());
            drop(line.map(|line| self.input.send(line)));
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

impl State {
    /// Takes the answered request off the list, and gives the stream that it belongs to. The stream
    /// ends when its last answer is sent: nobody else holds its sender then.
    fn answered(&mut self, id: &Id) -> Option<Sender> {
        let waiting = self.waiting.remove(id)?;
        let stream = self.streams.get_mut(&waiting.stream)?;
        stream.open = stream.open.saturating_sub(1);
        if stream.open > 0 {
            return Some(stream.sender.clone());
        }
        self.streams.remove(&waiting.stream).map(|stream| stream.sender)
    }

    fn only_waiting(&self) -> Option<Id> {
        let mut ids = self.waiting.keys();
        ids.next().filter(|_| ids.next().is_none()).cloned()
    }

    fn progress_of(&self, token: &Id) -> Option<Sender> {
        let waiting = self.waiting.values().find(|waiting| waiting.progress.as_ref() == Some(token))?;
        let stream = self.streams.get(&waiting.stream)?;
        stream.events.then(|| stream.sender.clone())
    }

    /// Progress: the stream of its request. All else, and progress of nothing: the listener, or else
    /// any POST's stream that is open, or else the queue.
    fn way_of(&self, kind: &Kind) -> Way {
        if let Kind::Progress(token) = kind
            && let Some(sender) = self.progress_of(token)
        {
            return Way::Beside(sender);
        }
        if let Some(listener) = self.listener.as_ref().filter(|sender| !sender.is_closed()) {
            return Way::Listener(listener.clone());
        }
        let mut posts = self.streams.values().filter(|stream| stream.events && !stream.sender.is_closed());
        posts.next().map_or(Way::Queue, |stream| Way::Beside(stream.sender.clone()))
    }

    /// What waited for a stream goes into this one.
    fn flush(&mut self, sender: &Sender) {
        for message in self.queue.drain(..) {
            drop(sender.send(message));
        }
    }
}

fn first_id(messages: &[Message]) -> Option<Id> {
    messages.iter().find_map(|message| match &message.kind {
        Kind::Request { id, .. } => Some(id.clone()),
        _ => None,
    })
}

fn error(id: &Id, message: &str) -> Bytes {
    let error = json!({ "code": -32603, "message": message });
    json!({ "jsonrpc": "2.0", "id": id, "error": error }).to_string().into()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt;

    use super::*;
    use crate::stdio::message;

    const SMALL: usize = 10_000;

    fn session() -> (Session, mpsc::UnboundedReceiver<Held>) {
        let limits = Limits { unread: SMALL, requests: 3, ..Limits::default() };
        Session::new(Owner::alice(), &limits, CancellationToken::new())
    }

    fn post(session: &Session, body: &str) -> Result<Option<Messages>, Refused> {
        session.post(&message::read(body.as_bytes()).unwrap().messages, true)
    }

    async fn says(session: &Session, line: &str) {
        for message in message::said(line.as_bytes()).unwrap() {
            session.deliver(message).await;
        }
    }

    fn said() -> String {
        format!(r#"{{"method":"notifications/message","params":"{}"}}"#, "x".repeat(1000))
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_server_says_by_itself_is_no_use() {
        let (session, _lines) = session();
        let begun = session.last_used();
        tokio::time::advance(Duration::from_secs(3600)).await;
        says(&session, &said()).await;
        assert_eq!(session.last_used(), begun);
        post(&session, r#"{"method":"notifications/x"}"#).unwrap();
        assert_eq!(session.last_used(), begun + Duration::from_secs(3600));
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_that_was_open_counts_until_it_closes() {
        let (session, _lines) = session();
        let listening = session.listen().unwrap();
        tokio::time::advance(Duration::from_secs(3600)).await;
        assert_eq!(session.last_used(), Instant::now());
        drop(listening);
        tokio::time::advance(Duration::from_secs(3600)).await;
        assert_eq!(session.last_used(), Instant::now() - Duration::from_secs(3600));
    }

    /// A laptop that sleeps: its stream is open, and nobody reads.
    #[tokio::test(start_paused = true)]
    async fn an_unread_stream_keeps_no_answer_back() {
        let (session, _lines) = session();
        let _asleep = session.listen().unwrap();
        let mut answers = post(&session, r#"{"id":1,"method":"m","params":{"_meta":{"progressToken":1}}}"#)
            .unwrap()
            .unwrap();
        let progress = r#"{"method":"notifications/progress","params":{"progressToken":1}}"#;
        for _ in 0..100 {
            says(&session, &said()).await;
            says(&session, progress).await;
        }
        says(&session, r#"{"id":1,"result":{}}"#).await;
        let mut heard = Vec::new();
        while let Some(line) = answers.next().await {
            heard.push(line);
        }
        // As much as there is room for, and the answer.
        assert_eq!(heard.len(), SMALL / 256 + 1);
        assert_eq!(heard[SMALL / 256], r#"{"id":1,"result":{}}"#);
    }

    #[tokio::test]
    async fn a_question_that_the_client_will_never_see_is_answered() {
        let (session, mut lines) = session();
        let _asleep = session.listen().unwrap();
        for _ in 0..20 {
            says(&session, &said()).await;
        }
        let question = format!(r#"{{"id":"q","method":"roots/list","params":"{}"}}"#, "x".repeat(1000));
        says(&session, &question).await;
        let line = lines.try_recv().unwrap().into_bytes();
        let answer: serde_json::Value = serde_json::from_slice(&line).unwrap();
        assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!("q"), &json!(-32603)));
    }

    #[tokio::test]
    async fn a_process_that_does_not_read_takes_no_more() {
        let (session, mut lines) = session();
        let long = format!(r#"{{"method":"notifications/x","params":{{"a":"{}"}}}}"#, "x".repeat(4000));
        for _ in 0..2 {
            post(&session, &long).unwrap();
        }
        assert!(matches!(post(&session, &long), Err(Refused::Busy(None))));
        drop(lines.try_recv().unwrap());
        post(&session, &long).unwrap();
    }

    #[tokio::test]
    async fn only_so_many_requests_wait_for_answers() {
        let (session, _lines) = session();
        let mut open = Vec::new();
        for id in 0..3 {
            open.push(post(&session, &format!(r#"{{"id":{id},"method":"m"}}"#)).unwrap().unwrap());
        }
        let refused = post(&session, r#"{"id":3,"method":"m"}"#);
        assert!(matches!(refused, Err(Refused::Busy(Some(Id::Number(3))))));
        says(&session, r#"{"id":1,"result":{}}"#).await;
        post(&session, r#"{"id":3,"method":"m"}"#).unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_without_a_name_is_for_whoever_waits_alone() {
        let (session, _lines) = session();
        for answer in
            [r#"{"id":null,"error":{"code":-32700}}"#, r#"{"id":[1],"result":{}}"#, r#"{"result":{}}"#]
        {
            let mut answers = post(&session, r#"{"id":7,"method":"m"}"#).unwrap().unwrap();
            says(&session, answer).await;
            let line: serde_json::Value =
                serde_json::from_slice(&answers.next().now_or_never().flatten().unwrap()).unwrap();
            assert_eq!((&line["id"], &line["error"]["code"]), (&json!(7), &json!(-32603)), "{answer}");
            assert!(answers.next().await.is_none());
        }
    }

    #[tokio::test]
    async fn a_client_that_leaves_before_its_answer_drops_what_it_began() {
        for (reads, ends) in [(false, true), (true, false)] {
            let (session, _lines) = session();
            let mut answers = post(&session, r#"{"id":0,"method":"initialize"}"#).unwrap().unwrap();
            answers.unless_answered(session.end.clone().drop_guard());
            says(&session, r#"{"id":0,"result":{}}"#).await;
            if reads {
                answers.next().await.unwrap();
            }
            drop(answers);
            assert_eq!(session.end.is_cancelled(), ends);
        }
    }

    /// What the server says beside the answer is not yet the answer.
    #[tokio::test]
    async fn a_client_that_leaves_after_hearing_something_else_drops_it_too() {
        let (session, _lines) = session();
        let mut answers = post(&session, r#"{"id":0,"method":"initialize"}"#).unwrap().unwrap();
        answers.unless_answered(session.end.clone().drop_guard());
        says(&session, &said()).await;
        answers.next().now_or_never().flatten().unwrap();
        drop(answers);
        assert!(session.end.is_cancelled());
    }

    /// The server waits with answers that nobody reads; with those for a client that is gone it does not.
    #[tokio::test]
    async fn unread_answers_have_an_end_and_keep_back_none_for_nobody() {
        let (session, _lines) = session();
        let ask = |id| post(&session, &format!(r#"{{"id":{id},"method":"m"}}"#)).unwrap().unwrap();
        let (mut unread, gone, third) = (ask(1), ask(2), ask(3));
        drop(gone);
        says(&session, &format!(r#"{{"id":1,"result":"{}"}}"#, "x".repeat(SMALL))).await;
        assert!(says(&session, r#"{"id":2,"result":{}}"#).now_or_never().is_some());
        let mut waits = std::pin::pin!(says(&session, r#"{"id":3,"result":{}}"#));
        assert!(waits.as_mut().now_or_never().is_none());
        unread.next().now_or_never().flatten().unwrap();
        assert!(waits.now_or_never().is_some());
        drop(third);
    }

    #[tokio::test(start_paused = true)]
    async fn to_listen_is_a_use_though_the_stream_breaks_at_once() {
        let (session, _lines) = session();
        tokio::time::advance(Duration::from_secs(3600)).await;
        drop(session.listen().unwrap());
        assert_eq!(session.last_used(), Instant::now());
    }
}
