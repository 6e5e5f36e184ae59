//! Messages as Server-Sent Events.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::{BufMut, Bytes, BytesMut};
use futures_util::stream;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// A comment goes out after that long without an event, so that nothing on the way takes the stream
/// for dead, and a client that is gone is noticed.
const KEEP_ALIVE: Duration = Duration::from_secs(25);

/// Messages on their way to one HTTP response. The sender of a message waits while 16 are unsent: a
/// slow client slows its own server, and takes no memory.
#[derive(Debug)]
pub(super) struct Messages {
    waiting: VecDeque<Bytes>,
    live: mpsc::Receiver<Bytes>,
}

pub(super) fn channel(waiting: VecDeque<Bytes>) -> (mpsc::Sender<Bytes>, Messages) {
    let (sender, live) = mpsc::channel(16);
    (sender, Messages { waiting, live })
}

impl Messages {
    /// The next one; `None` when there will be no more.
    pub(super) async fn next(&mut self) -> Option<Bytes> {
        match self.waiting.pop_front() {
            Some(message) => Some(message),
            None => self.live.recv().await,
        }
    }

    /// As a stream that ends when there are no more.
    pub(super) fn into_response(self) -> Response {
        let events = stream::unfold(self, async |mut messages| {
            let bytes = match timeout(KEEP_ALIVE, messages.next()).await {
                Ok(message) => event(&message?),
                Err(_) => Bytes::from_static(b":\n\n"),
            };
            Some((Ok::<_, Infallible>(bytes), messages))
        });
        let headers = [
            (CONTENT_TYPE, "text/event-stream"),
            (CACHE_CONTROL, "no-cache, no-transform"),
            // MCP 2026-07-28, streamable HTTP, "Receiving Messages": nginx holds events back without.
            (http::HeaderName::from_static("x-accel-buffering"), "no"),
        ];
        (headers, Body::from_stream(events)).into_response()
    }
}

fn event(message: &[u8]) -> Bytes {
    let mut event = BytesMut::with_capacity(message.len() + 24);
    event.put_slice(b"event: message\ndata: ");
    event.put_slice(message);
    event.put_slice(b"\n\n");
    event.freeze()
}
