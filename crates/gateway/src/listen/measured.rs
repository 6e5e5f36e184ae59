//! A request's body that may not stand still, and that says how long it is.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Sleep, sleep};

use super::echo::keeping;

/// What has to come within the time that a body may stand still, in bytes: drop by drop is standing still, too.
const LEAST: u64 = 1024;
/// What rules read of a body at most, too: 4 MiB.
const LONGEST: u64 = 4 * 1024 * 1024;

/// Why a body is given up.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    /// Nothing came for too long.
    #[error("the body of the request stood still")]
    StoodStill,
    /// The client broke off, or does not keep to its framing.
    #[error(transparent)]
    Broken(#[from] hyper::Error),
}

/// Its length is what hyper has read of the client's framing (RFC 9112 §6.3, RFC 9113 §8.1.1): it yields exactly so many
/// bytes, or an error. Without it a request would go to upstream in chunks, which simple HTTP servers cannot read.
///
/// A very long one keeps its length for itself: whoever refuses it reads some of it first, as the client is still sending, and
/// would lose the answer of a server that hangs up at once.
pub(super) struct Measured {
    body: Incoming,
    patience: Duration,
    /// Runs while too little comes. Most bodies are there at once, and need no timer.
    waiting: Option<Pin<Box<Sleep>>>,
    /// What has come since it runs, in bytes.
    came: u64,
    /// In bytes; `None` where the client does not say, or a very large number.
    left: Option<u64>,
    /// Whether it is of a stream of an HTTP/2 connection.
    is_stream: bool,
}

impl Measured {
    pub(super) fn new(patience: Duration, body: Incoming, is_stream: bool) -> Self {
        let left = body.size_hint().exact().filter(|length| *length <= LONGEST);
        Self { body, patience, waiting: None, came: 0, left, is_stream }
    }

    /// The next piece. The last one of an HTTP/1 body is not reported to hyper, which has read all of it by then; a stream's
    /// peer is told that there is room again.
    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Some(left) = self.left.filter(|_| !self.is_stream) else {
            return Pin::new(&mut self.body).poll_frame(context);
        };
        let (frame, kept) = keeping(|| Pin::new(&mut self.body).poll_frame(context));
        let is_last = matches!(&frame, Poll::Ready(Some(Ok(frame))) if length(frame) >= left);
        if !is_last {
            kept.pass_on();
        }
        frame
    }
}

/// In bytes.
fn length(frame: &Frame<Bytes>) -> u64 {
    frame.data_ref().map_or(0, |data| data.len() as u64)
}

impl Body for Measured {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let Poll::Ready(frame) = self.poll_piece(context) else {
            let patience = self.patience;
            let waiting = self.waiting.get_or_insert_with(|| Box::pin(sleep(patience)));
            ready!(waiting.as_mut().poll(context));
            return Poll::Ready(Some(Err(Broken::StoodStill)));
        };
        if let Some(Ok(frame)) = &frame {
            self.came += length(frame);
        }
        if self.came >= LEAST {
            (self.waiting, self.came) = (None, 0);
        }
        match (&frame, &mut self.left) {
            (None, left) => *left = Some(0),
            (Some(Ok(frame)), Some(left)) => {
                *left = left.saturating_sub(length(frame));
            }
            _ => {}
        }
        Poll::Ready(frame.map(|frame| frame.map_err(Broken::Broken)))
    }

    fn is_end_stream(&self) -> bool {
        self.left == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
