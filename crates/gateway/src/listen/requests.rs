//! Which requests of a connection are under way.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use axum::body::Body;
use bytes::Bytes;
use http_body::{Frame, SizeHint};

use crate::edge::Arrival;

/// Counts the requests of one connection.
#[derive(Clone, Default)]
pub(super) struct Requests {
    begun: Arc<AtomicUsize>,
    /// Each that is under way holds one more.
    under_way: Arc<()>,
}

/// A request that is under way, until this is dropped.
pub(super) struct UnderWay(#[allow(dead_code)] Arc<()>); // Being there is all.

impl Requests {
    pub(super) fn begin(&self) -> UnderWay {
        self.begun.fetch_add(1, Ordering::Relaxed);
        UnderWay(Arc::clone(&self.under_way))
    }

    pub(super) fn begun(&self) -> usize {
        self.begun.load(Ordering::Relaxed)
    }

    pub(super) fn are_under_way(&self) -> bool {
        // One is held by the connection, one by its service.
        Arc::strong_count(&self.under_way) > 2
    }
}

/// The body of an answer: its request is under way until all of it was sent, or given up.
pub(super) struct Noted {
    pub(super) body: Body,
    /// Of the request, where somebody wants to know.
    pub(super) arrival: Option<Box<Arrival>>,
    pub(super) _under_way: UnderWay,
}

impl http_body::Body for Noted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        if let (Some(arrival), Poll::Ready(Some(Ok(frame)))) = (&mut self.arrival, &frame) {
            arrival.sent(frame.data_ref().map_or(0, Bytes::len));
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
