//! Messages as Server-Sent Events.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::{BufMut, Bytes, BytesMut};
use futures_util::stream;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::DropGuard;

use super::rewrite;
use super::room::Held;

/// A comment goes out after that long without an event, so that nothing on the way takes the stream
/// for dead, and a client that is gone is noticed.
const KEEP_ALIVE: Duration = Duration::from_secs(25);

/// One message on its way to a client.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) line: Held,
    /// Whether it answers a request.
    pub(super) is_answer: bool,
}

/// Puts messages on their way to one HTTP response. How much may be on its way is counted by the
/// [room](super::room) that each message holds.
pub(super) type Sender = mpsc::UnboundedSender<Outgoing>;

/// Messages on their way to one HTTP response.
#[derive(Debug)]
pub(super) struct Messages {
    live: mpsc::UnboundedReceiver<Outgoing>,
    unless_answered: Option<DropGuard>,
    /// Dropped with all of this.
    _end: Option<DropGuard>,
    /// What was taken out, and is still to be read.
    first: Option<Outgoing>,
}

pub(super) fn channel() -> (Sender, Messages) {
    let (sender, live) = mpsc::unbounded_channel();
    (sender, Messages { live, unless_answered: None, _end: None, first: None })
}

impl Messages {
    /// Does what the guard does if the client leaves before it got an answer.
    pub(super) fn unless_answered(&mut self, guard: DropGuard) {
        self.unless_answered = Some(guard);
    }

    /// Does what the guard does when nobody reads any more.
    pub(super) fn ends(&mut self, guard: DropGuard) {
        self._end = Some(guard);
    }

    /// The answer, where it comes before all else.
    pub(super) async fn answer_first(&mut self) -> Option<Bytes> {
        let message = self.live.recv().await?;
        if message.is_answer {
            return Some(message.line.into_bytes());
        }
        self.first = Some(message);
        None
    }

    /// Whether the first message is a result. It is still to be read.
    pub(super) async fn begins_with_a_result(&mut self) -> bool {
        if self.first.is_none() {
            self.first = self.live.recv().await;
        }
        self.first.as_ref().is_some_and(|first| rewrite::is_result(first.line.bytes()))
    }

    /// The next one; `None` when there will be no more.
    pub(super) async fn next(&mut self) -> Option<Bytes> {
        let message = match self.first.take() {
            Some(first) => first,
            None => self.live.recv().await?,
        };
        if message.is_answer {
            self.unless_answered.take().map(DropGuard::disarm);
        }
        Some(message.line.into_bytes())
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
