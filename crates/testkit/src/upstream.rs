//! An MCP server to stand behind a gateway: records what arrives and answers by script.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{HeaderMap, Method, StatusCode, Uri};
use http_body_util::BodyExt;
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc};
use url::Url;

/// What an upstream received.
#[derive(Clone, Debug)]
pub struct Received {
    /// The method.
    pub method: Method,
    /// Path and query, as they were sent.
    pub target: Uri,
    /// All fields.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
}

/// An HTTP server on a free port of 127.0.0.1. It stops when it is dropped.
#[derive(Clone)]
pub struct Upstream {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    received: Mutex<Vec<Received>>,
    script: Mutex<VecDeque<Response>>,
    arrived: Notify,
    gone: Notify,
}

impl Upstream {
    /// Starts one. Without a script it answers everything with `{"jsonrpc":"2.0","id":1,"result":{}}`.
    pub async fn start() -> Self {
        #[allow(clippy::expect_used)] // The kit is for tests; without a port there is no test.
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        #[allow(clippy::expect_used)]
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared::default());
        let router = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        tokio::spawn(axum::serve(listener, router).into_future());
        Self { address, shared }
    }

    /// Its URL with that path.
    pub fn url(&self, path: &str) -> Url {
        #[allow(clippy::expect_used)]
        Url::parse(&format!("http://{}{path}", self.address)).expect("a path")
    }

    /// Says what the next request without an answer gets.
    pub fn answer(&self, response: Response) {
        lock(&self.shared.script).push_back(response);
    }

    /// The next request gets a stream of Server-Sent Events, whose bytes are released one by one.
    pub fn answer_with_events(&self) -> Events {
        self.answer_with_events_and(("content-type", "text/event-stream"))
    }

    /// The same with that field, of that value.
    pub fn answer_with_events_and(&self, (name, value): (&'static str, &'static str)) -> Events {
        let (chunks, receiver) = mpsc::unbounded_channel::<Bytes>();
        let stream = stream::unfold(receiver, async |mut receiver| {
            receiver.recv().await.map(|chunk| (Ok::<_, Infallible>(chunk), receiver))
        });
        let mut response = Response::new(Body::from_stream(stream.boxed()));
        response
            .headers_mut()
            .insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("text/event-stream"));
        response.headers_mut().insert(name, http::HeaderValue::from_static(value));
        self.answer(response);
        Events(chunks)
    }

    /// All that arrived so far.
    pub fn received(&self) -> Vec<Received> {
        lock(&self.shared.received).clone()
    }

    /// Waits until that many requests have arrived in all.
    pub async fn until_received(&self, count: usize) -> Vec<Received> {
        loop {
            let arrived = self.shared.arrived.notified();
            if self.received().len() >= count {
                return self.received();
            }
            arrived.await;
        }
    }

    /// Waits until a client that was being answered has gone away.
    pub async fn until_abandoned(&self) {
        self.shared.gone.notified().await;
    }
}

/// The far end of a stream of Server-Sent Events. It ends when this is dropped.
pub struct Events(mpsc::UnboundedSender<Bytes>);

impl Events {
    /// Releases these bytes.
    pub fn release(&self, bytes: impl Into<Bytes>) {
        // A client that is gone needs nothing.
        drop(self.0.send(bytes.into()));
    }

    /// Waits until nobody listens any more.
    pub async fn until_abandoned(&self) {
        self.0.closed().await;
    }
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = match body.collect().await {
        Ok(body) => body.to_bytes(),
        Err(_) => {
            shared.gone.notify_one();
            return plain(StatusCode::BAD_REQUEST, "");
        }
    };
    lock(&shared.received).push(Received {
        method: parts.method,
        target: parts.uri,
        headers: parts.headers,
        body,
    });
    shared.arrived.notify_waiters();
    let scripted = lock(&shared.script).pop_front();
    scripted.unwrap_or_else(|| plain(StatusCode::OK, r#"{"jsonrpc":"2.0","id":1,"result":{}}"#))
}

/// An answer with a body of JSON.
pub fn plain(status: StatusCode, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    response
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
