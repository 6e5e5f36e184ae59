//! HTTP+SSE, the transport of MCP 2024-11-05: messages go to a place that the server names on a stream, and
//! all answers come on that stream.

use std::{
    sync::{Arc, Mutex as StdMutex, PoisonError},
    time::Duration,
};

use futures_util::{Stream, StreamExt as _, future::ready};
use http::{HeaderValue, Method, StatusCode, header};
use reqwest::{Request, Response};
use serde_json::Value;
use sse_stream::{Sse, SseStream};
use tokio::{
    sync::{Mutex, Notify, mpsc, oneshot},
    task::JoinHandle,
};
use url::Url;

use super::{
    events::is_event_stream,
    message::{Message, error_line},
    tools::Tools,
};
use crate::{Client, Error};

/// How long a server may take to name the place for messages.
const PATIENCE: Duration = Duration::from_secs(30);

const NOT_DELIVERED: i32 = -32000;
const NOT_AUTHORIZED: i32 = -32001;

/// A server of that time.
pub(super) struct Legacy {
    client: Client,
    lines: mpsc::Sender<Vec<u8>>,
    tools: Tools,
    /// Ids that the stream is to answer.
    awaited: StdMutex<Vec<Value>>,
    /// Told when one of them is struck.
    struck: Notify,
    /// Told when the answer to an `initialize` of our own comes, and whether it is a result.
    reopening: StdMutex<Option<(Value, oneshot::Sender<bool>)>>,
    /// The local client's own `initialize`, to begin anew with.
    opening: StdMutex<Option<Vec<u8>>>,
    stream: Mutex<Option<Open>>,
}

/// A stream that is being read.
struct Open {
    endpoint: Url,
    reading: JoinHandle<()>,
}

/// Why a message was not taken.
pub(super) enum Refused {
    /// There is no such stream: the server does not speak this transport.
    NoStream(String),
    /// The client's own reason.
    Failed(Error),
}

impl Legacy {
    pub(super) fn new(client: Client, lines: mpsc::Sender<Vec<u8>>, tools: Tools) -> Arc<Self> {
        Arc::new(Self {
            client,
            lines,
            tools,
            awaited: StdMutex::default(),
            struck: Notify::new(),
            reopening: StdMutex::default(),
            opening: StdMutex::default(),
            stream: Mutex::default(),
        })
    }

    /// Whether a server that refused a first message in this way may be of that time (MCP 2025-11-25,
    /// "Backwards Compatibility").
    pub(super) fn is_likely(status: StatusCode) -> bool {
        matches!(status, StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED)
    }

    /// Carries a message; its answer comes on the stream, or is an error here.
    pub(super) async fn run(self: &Arc<Self>, message: &Message) {
        if let Err(refused) = self.send(message).await {
            let (code, why) = match refused {
                Refused::NoStream(why) => (NOT_DELIVERED, why),
                Refused::Failed(
                    error @ (Error::Http(_) | Error::ThroughProxy { .. } | Error::Transient { .. }),
                ) => (NOT_DELIVERED, error.to_string()),
                Refused::Failed(error) => (NOT_AUTHORIZED, error.to_string()),
            };
            self.fail(&message.ids, code, &why).await;
        }
    }

    /// The same, where the caller knows better what to say of a failure.
    pub(super) async fn send(self: &Arc<Self>, message: &Message) -> Result<(), Refused> {
        if message.is_initialize() {
            *lock(&self.opening) = Some(message.body.clone());
        }
        let endpoint = self.endpoint(message.is_initialize()).await?;
        lock(&self.awaited).extend(message.ids.iter().cloned());
        let outcome = self.post(&endpoint, message).await;
        let refused = match outcome {
            Ok(response) if response.status().is_success() => return Ok(()),
            Ok(response) => Refused::NoStream(format!("the server answered {}", response.status())),
            Err(error) => Refused::Failed(error),
        };
        lock(&self.awaited).retain(|id| !message.ids.contains(id));
        self.struck.notify_waiters();
        Err(refused)
    }

    async fn post(&self, endpoint: &Url, message: &Message) -> Result<Response, Error> {
        let mut request = Request::new(Method::POST, endpoint.clone());
        request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        *request.body_mut() = Some(message.body.clone().into());
        self.client.send_operation(&message.operation(), request).await
    }

    /// Where messages go. Opens the stream where there is none (any more), and begins the session anew if this is
    /// not its beginning.
    async fn endpoint(self: &Arc<Self>, is_initialize: bool) -> Result<Url, Refused> {
        let mut stream = self.stream.lock().await;
        if let Some(open) = stream.as_ref().filter(|open| !open.reading.is_finished()) {
            return Ok(open.endpoint.clone());
        }
        let (endpoint, events) = self.open().await?;
        let legacy = Arc::clone(self);
        let opening = lock(&self.opening).clone().filter(|_| !is_initialize);
        let reading = tokio::spawn(async move { legacy.read(events).await });
        *stream = Some(Open { endpoint: endpoint.clone(), reading });
        if let Some(Ok(initialize)) = opening.map(Message::parse) {
            self.begin_anew(&endpoint, &initialize).await;
        }
        Ok(endpoint)
    }

    /// MCP 2024-11-05, "Lifecycle": `initialized` comes after the answer to `initialize`, which here is for nobody else. If
    /// any of this fails, so will the message that it is for, and that one is answered.
    async fn begin_anew(&self, endpoint: &Url, initialize: &Message) {
        let Some(id) = initialize.ids.first().cloned() else { return };
        let (told, answer) = oneshot::channel();
        *lock(&self.reopening) = Some((id, told));
        let taken = self.post(endpoint, initialize).await.is_ok_and(|answer| answer.status().is_success());
        let is_open = taken && matches!(tokio::time::timeout(PATIENCE, answer).await, Ok(Ok(true)));
        lock(&self.reopening).take();
        let initialized = br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#.to_vec();
        if let (true, Ok(initialized)) = (is_open, Message::parse(initialized)) {
            drop(self.post(endpoint, &initialized).await);
        }
    }

    async fn open(&self) -> Result<(Url, impl Stream<Item = Sse> + Send + Unpin + 'static), Refused> {
        let mut request = Request::new(Method::GET, self.client.server().url().clone());
        request.headers_mut().insert(header::ACCEPT, HeaderValue::from_static("text/event-stream"));
        let response =
            self.client.send_operation("the event stream", request).await.map_err(Refused::Failed)?;
        if !response.status().is_success() || !is_event_stream(&response) {
            let status = response.status();
            return Err(Refused::NoStream(format!(
                "the server answered {status}, and opened no event stream"
            )));
        }
        let events = SseStream::from_bytes_stream(Box::pin(response.bytes_stream()));
        let mut events =
            Box::pin(events.take_while(|event| ready(event.is_ok())).filter_map(|event| ready(event.ok())));
        let named = async {
            while let Some(event) = events.next().await {
                if event.event.as_deref() == Some("endpoint") {
                    return event.data;
                }
            }
            None
        };
        let named = tokio::time::timeout(PATIENCE, named).await.ok().flatten();
        let named = named.ok_or_else(|| Refused::NoStream("the server's stream names no endpoint".into()))?;
        match self.client.adopt_endpoint(named.trim()) {
            Some(endpoint) => Ok((endpoint, events)),
            None => Err(Refused::NoStream(
                "the server names an endpoint of another origin, where its token must not go".into(),
            )),
        }
    }

    /// Delivers what comes. When the stream ends, what is still awaited will not come.
    async fn read(&self, mut events: impl Stream<Item = Sse> + Unpin) {
        while let Some(event) = events.next().await {
            let is_message = event.event.as_deref().is_none_or(|kind| kind == "message");
            let Some(data) = event.data.filter(|data| is_message && !data.trim().is_empty()) else {
                continue;
            };
            if let Some(message) = self.pass(data.into_bytes()) {
                self.deliver(message).await;
            }
        }
        lock(&self.reopening).take();
        let lost = std::mem::take(&mut *lock(&self.awaited));
        self.struck.notify_waiters();
        self.fail(&lost, NOT_DELIVERED, "the connection to the server was lost before it answered").await;
    }

    /// Strikes what is answered, and drops answers that nobody awaits.
    fn pass(&self, message: Vec<u8>) -> Option<Vec<u8>> {
        let value: Value = serde_json::from_slice(&message).ok()?;
        let is_answer = value.get("method").is_none();
        if let Some(id) = value.get("id").filter(|_| is_answer) {
            let mut reopening = lock(&self.reopening);
            if let Some((_, told)) = reopening.take_if(|(awaited, _)| awaited == id) {
                let _ = told.send(value.get("result").is_some());
                return None;
            }
            drop(reopening);
            let mut awaited = lock(&self.awaited);
            let at = awaited.iter().position(|awaited| awaited == id)?;
            awaited.swap_remove(at);
            drop(awaited);
            self.struck.notify_waiters();
        }
        Some(if is_answer { self.tools.shown(message) } else { message })
    }

    async fn deliver(&self, mut message: Vec<u8>) {
        message.iter_mut().filter(|byte| matches!(byte, b'\n' | b'\r')).for_each(|byte| *byte = b' ');
        let _ = self.lines.send(message).await;
    }

    async fn fail(&self, ids: &[Value], code: i32, why: &str) {
        for id in ids {
            self.deliver(error_line(id, code, why)).await;
        }
    }

    /// Waits until none of these is awaited any more.
    pub(super) async fn answered(&self, ids: &[Value]) {
        self.until(|awaited| !awaited.iter().any(|id| ids.contains(id))).await;
    }

    /// Waits until nothing is awaited any more.
    pub(super) async fn answered_all(&self) {
        self.until(<[Value]>::is_empty).await;
    }

    async fn until(&self, met: impl Fn(&[Value]) -> bool) {
        loop {
            let mut struck = std::pin::pin!(self.struck.notified());
            struck.as_mut().enable();
            if met(&lock(&self.awaited)) {
                return;
            }
            struck.await;
        }
    }

    /// Stops listening.
    pub(super) async fn end(&self) {
        if let Some(open) = self.stream.lock().await.take() {
            open.reading.abort();
            drop(open.reading.await);
        }
    }
}

fn lock<T>(mutex: &StdMutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
