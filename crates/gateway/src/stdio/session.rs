//! One session: who waits for what, and which message goes into which stream.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use hallpass_resource_server::Caller;
use hallpass_resource_server::json_rpc::Id;
use serde_json::json;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::events::{Messages, channel};
use super::message::{Kind, Message};
use super::refused::Refused;

/// Whose a session is. Nobody else can use it, whatever they know.
#[derive(PartialEq, Eq)]
pub(super) struct Owner {
    issuer: String,
    subject: String,
    client: String,
}

impl From<&Caller> for Owner {
    fn from(caller: &Caller) -> Self {
        Self {
            issuer: caller.issuer().to_owned(),
            subject: caller.subject().to_owned(),
            client: caller.client_id().to_owned(),
        }
    }
}

/// A session, as the HTTP side and the process's side share it.
pub(super) struct Session {
    owner: Owner,
    /// Lines for the process.
    input: mpsc::Sender<Bytes>,
    /// Ends the session, whoever cancels it.
    pub(super) end: CancellationToken,
    queue_limit: usize,
    state: Mutex<State>,
}

struct State {
    over: bool,
    used: Instant,
    waiting: HashMap<Id, Waiting>,
    /// The open responses to POSTs, oldest first.
    streams: BTreeMap<u64, Stream>,
    next_stream: u64,
    /// The response to the GET.
    listener: Option<mpsc::Sender<Bytes>>,
    /// What the server said while no stream was open.
    queue: VecDeque<Bytes>,
}

/// A request that the process has not answered.
struct Waiting {
    stream: u64,
    progress: Option<Id>,
}

struct Stream {
    sender: mpsc::Sender<Bytes>,
    /// How many answers are to come.
    open: usize,
    /// Whether it takes more than answers.
    events: bool,
}

impl Session {
    pub(super) fn new(
        caller: &Caller,
        input: mpsc::Sender<Bytes>,
        queue_limit: usize,
        end: CancellationToken,
    ) -> Self {
        let state = State {
            over: false,
            used: Instant::now(),
            waiting: HashMap::new(),
            streams: BTreeMap::new(),
            next_stream: 0,
            listener: None,
            queue: VecDeque::new(),
        };
        Self { owner: caller.into(), input, end, queue_limit, state: Mutex::new(state) }
    }

    pub(super) fn belongs_to(&self, caller: &Caller) -> bool {
        self.owner == caller.into()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.used = Instant::now();
        state
    }

    /// When the session will have been idle for that long; `None` if it is in use.
    pub(super) fn idle_since(&self) -> Option<Instant> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let listening = state.listener.as_ref().is_some_and(|sender| !sender.is_closed());
        let answering = state.streams.values().any(|stream| !stream.sender.is_closed());
        (!listening && !answering).then_some(state.used)
    }

    /// Sends messages to the process. If there are requests among them, their answers, and with
    /// `events` all that belongs to them, come out of what is returned.
    pub(super) async fn post(
        &self,
        messages: Vec<Message>,
        events: bool,
    ) -> Result<Option<Messages>, Refused> {
        let answers = self.expect_answers(&messages, events)?;
        for message in &messages {
            if let Kind::Cancelled(id) = &message.kind {
                self.forget(id);
            }
        }
        let lines = messages.into_iter().map(|message| message.line);
        self.send(lines, answers.is_some()).await?;
        Ok(answers)
    }

    /// Hands lines to the process. Where answers go to the very client that waits for this, nothing may
    /// wait here: a process that cannot get rid of its answers takes no more lines.
    async fn send(
        &self,
        lines: impl Iterator<Item = Bytes> + Send + 'static,
        answered: bool,
    ) -> Result<(), Refused> {
        let mut lines = lines;
        while let Some(line) = lines.next() {
            let line = match self.input.try_send(line) {
                Ok(()) => continue,
                Err(TrySendError::Closed(_)) => return Err(Refused::UnknownSession),
                Err(TrySendError::Full(line)) => line,
            };
            let input = self.input.clone();
            let rest = async move {
                for line in std::iter::once(line).chain(lines) {
                    input.send(line).await.map_err(|_| Refused::UnknownSession)?;
                }
                Ok(())
            };
            if answered {
                tokio::spawn(rest);
                return Ok(());
            }
            return rest.await;
        }
        Ok(())
    }

    fn expect_answers(&self, messages: &[Message], events: bool) -> Result<Option<Messages>, Refused> {
        let mut state = self.state();
        if state.over {
            return Err(Refused::UnknownSession);
        }
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
        let queued = if events { std::mem::take(&mut state.queue) } else { VecDeque::new() };
        let (sender, messages) = channel(queued);
        state.next_stream += 1;
        state.streams.insert(stream, Stream { sender, open: ids.len(), events });
        state.waiting.extend(ids);
        Ok(Some(messages))
    }

    /// Opens the stream of what belongs to no request.
    pub(super) fn listen(&self) -> Result<Messages, Refused> {
        let mut state = self.state();
        if state.over {
            return Err(Refused::UnknownSession);
        }
        if state.listener.as_ref().is_some_and(|sender| !sender.is_closed()) {
            return Err(Refused::StreamTaken);
        }
        let (sender, messages) = channel(std::mem::take(&mut state.queue));
        state.listener = Some(sender);
        Ok(messages)
    }

    /// Brings a message of the process on its way. Waits for a client that is slow.
    pub(super) async fn deliver(&self, message: Message) {
        let Some(sender) = self.way_of(&message) else { return };
        if sender.send(message.line).await.is_err() {
            tracing::debug!("a message came for a client that has left");
        }
    }

    fn way_of(&self, message: &Message) -> Option<mpsc::Sender<Bytes>> {
        let mut state = self.state();
        match &message.kind {
            Kind::Response(id) => {
                let sender = id.as_ref().and_then(|id| state.answered(id));
                if sender.is_none() {
                    tracing::debug!(?id, "an answer came that nobody waits for");
                }
                sender
            }
            Kind::Progress(token) => {
                state.progress_of(token).or_else(|| state.any_stream(message, self.queue_limit))
            }
            _ => state.any_stream(message, self.queue_limit),
        }
    }

    /// A cancelled request gets no answer (MCP, basic/utilities/cancellation), so nobody waits for it.
    fn forget(&self, id: &Id) {
        self.state().answered(id);
    }

    /// Ends all streams; each request that still waits gets an error.
    pub(super) async fn close(&self) {
        let (waiting, streams) = {
            let mut state = self.state();
            state.over = true;
            state.listener = None;
            (std::mem::take(&mut state.waiting), std::mem::take(&mut state.streams))
        };
        let errors = waiting.into_iter().filter_map(|(id, waiting)| {
            let sender = streams.get(&waiting.stream)?.sender.clone();
            Some(async move { drop(sender.send(died(&id)).await) })
        });
        let errors = futures_util::future::join_all(errors);
        // A client that does not read must not keep the session.
        drop(tokio::time::timeout(Duration::from_secs(5), errors).await);
    }
}

impl State {
    /// Takes the answered request off the list, and gives the stream that it belongs to. The stream
    /// ends when its last answer is sent: nobody else holds its sender then.
    fn answered(&mut self, id: &Id) -> Option<mpsc::Sender<Bytes>> {
        let waiting = self.waiting.remove(id)?;
        let stream = self.streams.get_mut(&waiting.stream)?;
        stream.open = stream.open.saturating_sub(1);
        if stream.open > 0 {
            return Some(stream.sender.clone());
        }
        self.streams.remove(&waiting.stream).map(|stream| stream.sender)
    }

    fn progress_of(&self, token: &Id) -> Option<mpsc::Sender<Bytes>> {
        let waiting = self.waiting.values().find(|waiting| waiting.progress.as_ref() == Some(token))?;
        let stream = self.streams.get(&waiting.stream)?;
        stream.events.then(|| stream.sender.clone())
    }

    /// The listener, or else any POST's stream that is open, or else the queue.
    fn any_stream(&mut self, message: &Message, queue_limit: usize) -> Option<mpsc::Sender<Bytes>> {
        let posts = self.streams.values().filter(|stream| stream.events).map(|stream| &stream.sender);
        let open = self.listener.iter().chain(posts).find(|sender| !sender.is_closed());
        if open.is_none() {
            if self.queue.len() < queue_limit {
                self.queue.push_back(message.line.clone());
            } else {
                tracing::warn!("a message of the server is dropped: the client has no stream open");
            }
        }
        open.cloned()
    }
}

fn died(id: &Id) -> Bytes {
    let error = json!({ "code": -32603, "message": "the MCP server ended before it answered" });
    json!({ "jsonrpc": "2.0", "id": id, "error": error }).to_string().into()
}
