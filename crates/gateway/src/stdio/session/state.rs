//! Who waits for what, and which stream a message goes into.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use hallpass_resource_server::json_rpc::Id;
use tokio::time::Instant;

use super::super::events::{Outgoing, Sender};
use super::super::message::Kind;

pub(super) struct State {
    pub(super) over: bool,
    pub(super) used: Instant,
    pub(super) waiting: HashMap<Id, Waiting>,
    /// The open responses to POSTs, oldest first.
    pub(super) streams: BTreeMap<u64, Stream>,
    pub(super) next_stream: u64,
    /// The response to the GET.
    pub(super) listener: Option<Sender>,
    /// What the server said while no stream was open.
    pub(super) queue: VecDeque<Outgoing>,
    /// Whether the message before was lost: the log hears of the first only.
    pub(super) losing: bool,
}

/// A request that the process has not answered.
pub(super) struct Waiting {
    pub(super) stream: u64,
    pub(super) progress: Option<Id>,
    pub(super) since: Instant,
}

pub(super) struct Stream {
    pub(super) sender: Sender,
    /// How many answers are to come.
    pub(super) open: usize,
    /// Whether it takes more than answers.
    pub(super) events: bool,
}

/// Where a message goes that answers nothing.
pub(super) enum Way {
    Beside(Sender),
    Listener(Sender),
    Queue,
}

impl State {
    pub(super) fn new() -> Self {
        Self {
            over: false,
            used: Instant::now(),
            waiting: HashMap::new(),
            streams: BTreeMap::new(),
            next_stream: 0,
            listener: None,
            queue: VecDeque::new(),
            losing: false,
        }
    }

    /// Takes the answered request off the list, and gives the stream that it belongs to. The stream
    /// ends when its last answer is sent: nobody else holds its sender then.
    pub(super) fn answered(&mut self, id: &Id) -> Option<Sender> {
        let waiting = self.waiting.remove(id)?;
        let stream = self.streams.get_mut(&waiting.stream)?;
        stream.open = stream.open.saturating_sub(1);
        if stream.open > 0 {
            return Some(stream.sender.clone());
        }
        self.streams.remove(&waiting.stream).map(|stream| stream.sender)
    }

    /// The requests that have waited for that long; they are not taken off the list.
    pub(super) fn overdue(&self, longest: Duration) -> Vec<Id> {
        let now = Instant::now();
        let overdue = self.waiting.iter().filter(|(_, waiting)| now >= waiting.since + longest);
        overdue.map(|(id, _)| id.clone()).collect()
    }

    /// When the one that has waited for longest began to.
    pub(super) fn oldest(&self) -> Option<Instant> {
        self.waiting.values().map(|waiting| waiting.since).min()
    }

    pub(super) fn only_waiting(&self) -> Option<Id> {
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
    pub(super) fn way_of(&self, kind: &Kind) -> Way {
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
    pub(super) fn flush(&mut self, sender: &Sender) {
        for message in self.queue.drain(..) {
            drop(sender.send(message));
        }
    }
}
