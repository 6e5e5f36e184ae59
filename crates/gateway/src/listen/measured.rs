//! A request's body that may not stand still, and that says how long it is.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tower_http::timeout::TimeoutBody;

/// What rules read of a body at most, too: 4 MiB.
const LONGEST: u64 = 4 * 1024 * 1024;

/// `TimeoutBody` does not say how long the body is, and without that a request goes to upstream in chunks, which simple
/// HTTP servers cannot read. The length is what hyper has read of the client's framing (RFC 9112 §6.3, RFC 9113 §8.1.1): it
/// yields exactly so many bytes, or an error.
///
/// A very long one keeps its length for itself: whoever refuses it reads some of it first, as the client is still sending, and
/// would lose the answer of a server that hangs up at once.
pub(super) struct Measured {
    body: Pin<Box<TimeoutBody<Incoming>>>,
    /// In bytes; `None` where the client does not say, or a very large number.
    left: Option<u64>,
}

impl Measured {
    pub(super) fn new(patience: Duration, body: Incoming) -> Self {
        let left = body.size_hint().exact().filter(|length| *length <= LONGEST);
        Self { body: Box::pin(TimeoutBody::new(patience, body)), left }
    }
}

impl Body for Measured {
    type Data = Bytes;
    type Error = <TimeoutBody<Incoming> as Body>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let frame = ready!(self.body.as_mut().poll_frame(context));
        match (&frame, &mut self.left) {
            (None, left) => *left = Some(0),
            (Some(Ok(frame)), Some(left)) => {
                *left = left.saturating_sub(frame.data_ref().map_or(0, |data| data.len() as u64));
            }
            _ => {}
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.left == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
