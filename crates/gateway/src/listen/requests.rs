//! Which requests of a connection are under way.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};

use axum::body::Body;
use bytes::Bytes;
use http_body::{Frame, SizeHint};

use super::looks::Seen;
use super::written::Written;
use crate::edge::Arrival;

/// Counts the requests of one connection.
#[derive(Clone, Default)]
pub(super) struct Requests {
    begun: Arc<AtomicUsize>,
    /// Whether several may be under way at once (HTTP/2).
    are_streams: Arc<AtomicBool>,
    /// Each that is under way holds one more.
    under_way: Arc<Flow>,
}

/// How answers get on.
#[derive(Default)]
struct Flow {
    /// How often a piece of an answer was asked for.
    asked: AtomicUsize,
    /// So many answers have given a piece, and were not asked for the next: the peer has not taken it yet.
    waiting: AtomicUsize,
}

/// A request that is under way, until this is dropped.
pub(super) struct UnderWay {
    flow: Arc<Flow>,
    /// Whether it has given a piece, and was not asked for the next.
    waits: bool,
}

impl UnderWay {
    fn asked(&mut self) {
        self.flow.asked.fetch_add(1, Ordering::Relaxed);
        self.waits(false);
    }

    fn waits(&mut self, waits: bool) {
        match (std::mem::replace(&mut self.waits, waits), waits) {
            (false, true) => drop(self.flow.waiting.fetch_add(1, Ordering::Relaxed)),
            (true, false) => drop(self.flow.waiting.fetch_sub(1, Ordering::Relaxed)),
            _ => {}
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.waits(false);
    }
}

impl Requests {
    pub(super) fn begin(&self, is_stream: bool) -> UnderWay {
        self.begun.fetch_add(1, Ordering::Relaxed);
        self.are_streams.store(is_stream, Ordering::Relaxed);
        UnderWay { flow: Arc::clone(&self.under_way), waits: false }
    }

    /// What can be seen of the connection, whose peer has taken so much.
    pub(super) fn seen(&self, written: &Written) -> Seen {
        let Flow { asked, waiting } = &*self.under_way;
        Seen {
            begun: self.begun.load(Ordering::Relaxed),
            are_streams: self.are_streams.load(Ordering::Relaxed),
            // One is held by the connection, one by its service.
            under_way: Arc::strong_count(&self.under_way) > 2,
            written: written.so_far(),
            waits: written.waits(),
            pieces: asked.load(Ordering::Relaxed),
            piece_waits: waiting.load(Ordering::Relaxed) > 0,
        }
    }
}

/// The body of an answer: its request is under way until all of it was sent, or given up.
pub(super) struct Noted {
    pub(super) body: Body,
    /// Of the request, where somebody wants to know.
    pub(super) arrival: Option<Box<Arrival>>,
    pub(super) under_way: UnderWay,
    /// How it broke off, until what came before was written.
    pub(super) broken: Option<axum::Error>,
}

impl http_body::Body for Noted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.under_way.asked();
        if let Some(error) = self.broken.take() {
            return Poll::Ready(Some(Err(error)));
        }
        let frame = match Pin::new(&mut self.body).poll_frame(context) {
            // hyper drops what it has not written yet, head and all, where the next piece is an error: upstream's last
            // words would be lost with it.
            Poll::Ready(Some(Err(error))) => {
                self.broken = Some(error);
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            frame => frame,
        };
        self.under_way.waits(matches!(frame, Poll::Ready(Some(Ok(_)))));
        if let (Some(arrival), Poll::Ready(Some(Ok(frame)))) = (&mut self.arrival, &frame) {
            arrival.sent(frame.data_ref().map_or(0, Bytes::len));
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.broken.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
