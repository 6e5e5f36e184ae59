//! A bridge: MCP over stdio on one side, streamable HTTP with authorization on the other.
//!
//! Every message is carried as it came, known or not; nothing is read but what routing needs. Messages
//! are independent: a slow call holds up no other. A person is asked to log in only when a request of
//! theirs meets a 401 or 403; what runs in the background never asks.
//!
//! | MCP revision | what is different |
//! |---|---|
//! | 2024-11-05 | HTTP+SSE: one stream for all answers, messages to a place that it names |
//! | 2025-03-26 to 2025-11-25 | session id, version header from the negotiated result, a GET stream, resumption, DELETE at the end |
//! | 2026-07-28 | each message stands alone: version and name headers come from the message, closing a stream cancels |

pub(crate) mod events;
mod exchange;
mod headers;
mod legacy;
mod limit;
mod listen;
mod message;
mod options;
mod refusal;
mod session;
mod tool_headers;
mod tools;
mod underway;

pub use options::{Options, Transport};
pub use tools::Tools;

use std::{collections::HashMap, io, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader},
    sync::{mpsc, watch},
    task::{AbortHandle, JoinSet},
};

use self::{legacy::Legacy, message::Message, session::Session, underway::Underway};
use crate::Client;

/// How long answers may still come after the local side has stopped speaking.
const DRAIN: Duration = Duration::from_secs(60);

/// Carries messages between a local MCP client and `client`'s server until the local side closes its end
/// and all answers in flight have been delivered.
///
/// # Errors
/// When the local side cannot be read or written any more. Trouble with the server is told to the local
/// client, as the answer to its request.
pub async fn run(
    client: Client,
    reader: impl AsyncRead + Send + Unpin,
    writer: impl AsyncWrite + Send + Unpin + 'static,
) -> io::Result<()> {
    run_with(client, Options::default(), reader, writer).await
}

/// The same, as `options` say.
///
/// # Errors
/// As [`run`].
pub async fn run_with(
    client: Client,
    options: Options,
    reader: impl AsyncRead + Send + Unpin,
    writer: impl AsyncWrite + Send + Unpin + 'static,
) -> io::Result<()> {
    let (lines, inbox) = mpsc::channel(64);
    let writing = tokio::spawn(write_lines(writer, inbox));
    let legacy = Legacy::new(client.clone(), lines.clone(), options.tools.clone());
    let bridge = Arc::new(Bridge {
        session: Session::new(client),
        lines,
        underway: Underway::default(),
        tools: options.tools,
        transport: std::sync::RwLock::new(options.transport),
        legacy,
    });
    let mut work = Work::default();
    let read = read_lines(&bridge, reader, &mut work).await;
    work.finish(&bridge).await;
    bridge.session.end().await;
    bridge.legacy.end().await;
    drop(bridge);
    drop(work);
    let written = writing.await.unwrap_or_else(|error| Err(io::Error::other(error)));
    read.and(written)
}

/// What all tasks share.
struct Bridge {
    session: Session,
    /// To the local client, a message each.
    lines: mpsc::Sender<Vec<u8>>,
    /// Requests without an answer.
    underway: Underway,
    /// What the local client may see and call.
    tools: Tools,
    /// As it was set, then as it was found to be.
    transport: std::sync::RwLock<Transport>,
    legacy: Arc<Legacy>,
}

impl Bridge {
    fn transport(&self) -> Transport {
        *self.transport.read().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn settle(&self, transport: Transport) {
        *self.transport.write().unwrap_or_else(std::sync::PoisonError::into_inner) = transport;
    }

    /// Delivers a message to the local client. If that is gone, there is nobody to tell.
    async fn deliver(&self, message: Vec<u8>) {
        self.deliver_with(|| (message, ())).await;
    }

    /// The same, where the message is made as it goes out: nothing comes between the two.
    async fn deliver_with<T>(&self, make: impl FnOnce() -> (Vec<u8>, T)) -> Option<T> {
        let room = self.lines.reserve().await.ok()?;
        let (mut message, made) = make();
        // In JSON a raw line break is white space, and on stdio it would end the message.
        message.iter_mut().filter(|byte| matches!(byte, b'\n' | b'\r')).for_each(|byte| *byte = b' ');
        room.send(message);
        Some(made)
    }
}

async fn read_lines(
    bridge: &Arc<Bridge>,
    reader: impl AsyncRead + Send + Unpin,
    work: &mut Work,
) -> io::Result<()> {
    let mut reader = BufReader::new(reader);
    loop {
        let mut line = Vec::new();
        tokio::select! {
            read = reader.read_until(b'\n', &mut line) => if read? == 0 { return Ok(()) },
            () = bridge.lines.closed() => return Ok(()),
        }
        work.reap();
        if line.trim_ascii().is_empty() {
            continue;
        }
        match Message::parse(line.trim_ascii().to_vec()) {
            Ok(message) => work.start(bridge, message),
            Err(why) => bridge.deliver(why.line()).await,
        }
    }
}

async fn write_lines(
    mut writer: impl AsyncWrite + Unpin,
    mut inbox: mpsc::Receiver<Vec<u8>>,
) -> io::Result<()> {
    while let Some(mut line) = inbox.recv().await {
        line.push(b'\n');
        writer.write_all(&line).await?;
        writer.flush().await?;
    }
    Ok(())
}

/// Messages under way.
#[derive(Default)]
struct Work {
    /// What ends by itself.
    exchanges: JoinSet<()>,
    /// What lasts as long as the local side: streams of changes.
    streams: JoinSet<()>,
    /// Requests by id, to end when they are cancelled; and whether they are stateless.
    cancellable: HashMap<String, (AbortHandle, bool)>,
    /// Shut while a message is under way that nothing may overtake.
    gate: Gate,
}

/// Open once its other end is dropped.
#[derive(Clone, Default)]
struct Gate(Option<watch::Receiver<()>>);

impl Gate {
    async fn passed(self) {
        if let Some(mut shut) = self.0 {
            while shut.changed().await.is_ok() {}
        }
    }
}

impl Work {
    fn start(&mut self, bridge: &Arc<Bridge>, message: Message) {
        if let Some((handle, is_stateless)) = message.cancels().and_then(|id| self.cancellable.remove(&id)) {
            // Nobody waits for that answer any more.
            handle.abort();
            // MCP 2026-07-28, "Cancellation": to close the stream is to cancel. Before, the server is told.
            if is_stateless {
                return;
            }
        }
        let (bridge, key, is_stateless) = (Arc::clone(bridge), message.cancel_key(), message.is_stateless());
        let gate = if is_stateless { Gate::default() } else { self.gate.clone() };
        // MCP 2025-11-25, "Initialization": the answer to `initialize` comes first, then the server is told so, then
        // everything else, which needs what that answer has settled.
        let handle = if message.is_initialize() {
            let shut = self.shut();
            let ids = message.ids.clone();
            self.exchanges.spawn(async move {
                gate.passed().await;
                exchange::run(&bridge, message).await;
                bridge.legacy.answered(&ids).await;
                drop(shut);
            })
        } else if message.is_initialized() {
            let shut = self.shut();
            self.streams.spawn(async move {
                gate.passed().await;
                exchange::run(&bridge, message).await;
                listen::run(&bridge, shut).await;
            })
        } else {
            let set = if message.is_subscription() { &mut self.streams } else { &mut self.exchanges };
            set.spawn(async move {
                gate.passed().await;
                exchange::run(&bridge, message).await;
            })
        };
        if let Some(key) = key {
            self.cancellable.insert(key, (handle, is_stateless));
        }
    }

    /// Lets what comes from now on wait until the other end is dropped.
    fn shut(&mut self) -> watch::Sender<()> {
        let (shut, gate) = watch::channel(());
        self.gate = Gate(Some(gate));
        shut
    }

    /// Forgets what has ended, so that a long session does not grow.
    fn reap(&mut self) {
        while self.exchanges.try_join_next().is_some() {}
        while self.streams.try_join_next().is_some() {}
        self.cancellable.retain(|_, (handle, _)| !handle.is_finished());
    }

    /// Lets answers in flight arrive, then ends what has no end of its own.
    async fn finish(&mut self, bridge: &Bridge) {
        let drained = async {
            while self.exchanges.join_next().await.is_some() {}
            self.gate.clone().passed().await;
            bridge.legacy.answered_all().await;
        };
        if tokio::time::timeout(DRAIN, drained).await.is_err() {
            self.exchanges.shutdown().await;
        }
        self.streams.shutdown().await;
    }
}
