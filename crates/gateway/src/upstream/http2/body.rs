//! The body of an answer, as it comes.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::Body;
use bytes::Bytes;
use h2::RecvStream;
use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use http_body::{Frame, SizeHint};

use super::connections::UnderWay;
use super::exchange::{Sending, poll_send};
use crate::upstream::wire::Fault;

/// Reads a stream no faster than the client takes it. Its trailers are not passed on: nobody asked for them by `TE`.
pub(super) struct AnswerBody {
    received: RecvStream,
    /// What is still being told.
    sending: Option<Sending>,
    /// In bytes, where upstream says so. That it is true is h2's to see to (RFC 9113 §8.1.1).
    left: Option<u64>,
    _under_way: UnderWay,
}

impl AnswerBody {
    pub(super) fn of(
        received: RecvStream,
        fields: &HeaderMap,
        sending: Option<Sending>,
        under_way: UnderWay,
    ) -> Body {
        if received.is_end_stream() {
            return Body::empty();
        }
        let left = fields.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        Body::new(Self { received, sending, left, _under_way: under_way })
    }
}

impl http_body::Body for AnswerBody {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        poll_send(&mut self.sending, context)?;
        let Some(data) = ready!(self.received.poll_data(context)).transpose()? else {
            return Poll::Ready(None);
        };
        // Whoever asks has room for it.
        self.received.flow_control().release_capacity(data.len())?;
        self.left = self.left.map(|left| left.saturating_sub(data.len() as u64));
        Poll::Ready(Some(Ok(Frame::data(data))))
    }

    fn is_end_stream(&self) -> bool {
        self.received.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
