//! One request and its answer, on a stream of its own.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use h2::SendStream;
use http::Request;
use http::header::CONTENT_LENGTH;
use http_body::Body as _;

use super::Place;
use super::body::AnswerBody;
use crate::upstream::wire::Fault;

/// Sends a request, and waits for the head of its answer. Whoever drops this, or the answer's body, resets the stream: upstream
/// hears that nobody waits any more (RFC 9113 §5.4.2).
pub(in crate::upstream) async fn exchange(
    place: Place,
    mut head: Request<()>,
    body: Body,
) -> Result<Response, Fault> {
    let Place { mut sender, under_way } = place;
    let length = body.size_hint().exact();
    if let Some(length @ 1..) = length {
        head.headers_mut().insert(CONTENT_LENGTH, length.into());
    }
    let is_all = length == Some(0);
    let (mut answer, stream) = sender.send_request(head, is_all)?;
    let mut sending = (!is_all).then_some(Sending { stream, body, left: length });
    let answer = poll_fn(|context| {
        poll_send(&mut sending, context)?;
        Pin::new(&mut answer).poll(context).map_err(Fault::from)
    });
    let (parts, received) = answer.await?.into_parts();
    let mut response = Response::new(AnswerBody::of(received, &parts.headers, sending, under_way));
    *response.status_mut() = parts.status;
    *response.headers_mut() = parts.headers;
    Ok(response)
}

/// The body of a request, as far as it was not sent yet. Upstream may answer while it is still being told.
pub(super) struct Sending {
    stream: SendStream<Bytes>,
    body: Body,
    /// In bytes, where that is known.
    left: Option<u64>,
}

/// Goes on sending, as far as the body is there and upstream takes it. Where upstream wants no more, an answer may come all the
/// same.
pub(super) fn poll_send(sending: &mut Option<Sending>, context: &mut Context<'_>) -> Result<(), Fault> {
    while let Some(one) = sending {
        match one.poll_piece(context) {
            Poll::Pending => return Ok(()),
            Poll::Ready(Ok(Piece::More)) => {}
            Poll::Ready(Ok(Piece::Last)) => *sending = None,
            Poll::Ready(Err(fault)) => return Err(fault),
        }
    }
    Ok(())
}

/// What comes after a piece of a body.
enum Piece {
    More,
    Last,
}

impl Sending {
    /// Takes no piece of the body that upstream has no window for.
    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Result<Piece, Fault>> {
        self.stream.reserve_capacity(1);
        if self.stream.capacity() == 0 {
            return match self.stream.poll_capacity(context) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(Some(Ok(_))) => Poll::Ready(Ok(Piece::More)),
                Poll::Ready(Some(Err(_)) | None) => Poll::Ready(Ok(Piece::Last)),
            };
        }
        if self.stream.poll_reset(context).is_ready() {
            return Poll::Ready(Ok(Piece::Last));
        }
        let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) else { return Poll::Pending };
        let frame = frame.transpose().map_err(|error| Fault::RequestBody(error.to_string()))?;
        let (data, is_last) = match frame.map(|frame| frame.into_data()) {
            // Trailers: nobody upstream has asked for them.
            Some(Err(_)) => return Poll::Ready(Ok(Piece::More)),
            Some(Ok(data)) => {
                let is_last = self.count(data.len() as u64)?;
                (data, is_last)
            }
            None if self.left.is_some_and(|left| left > 0) => {
                return Poll::Ready(Err(Fault::RequestBody("it is shorter than it said".to_owned())));
            }
            None => (Bytes::new(), true),
        };
        let sent = self.stream.send_data(data, is_last);
        Poll::Ready(Ok(if is_last || sent.is_err() { Piece::Last } else { Piece::More }))
    }

    /// Whether nothing is left.
    fn count(&mut self, length: u64) -> Result<bool, Fault> {
        let Some(left) = &mut self.left else { return Ok(false) };
        let rest = left.checked_sub(length);
        *left = rest.ok_or_else(|| Fault::RequestBody("it is longer than it said".to_owned()))?;
        Ok(*left == 0)
    }
}
