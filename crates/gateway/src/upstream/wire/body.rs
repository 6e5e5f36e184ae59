//! The body of an answer, as it comes.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::Body;
use bytes::Bytes;
use http_body::{Frame, SizeHint};

use super::exchange::Exchange;
use super::framing::{Framing, Rest, Taken};
use super::{Fault, Idle, Stream};

/// Reads upstream no faster than the client takes it. Whoever drops it closes the connection: upstream hears that nobody
/// waits any more.
pub(super) struct AnswerBody<S> {
    /// None once it is over.
    exchange: Option<Exchange<S>>,
    rest: Rest,
    /// Where the connection goes when it can be used again.
    idle: Option<Idle<S>>,
}

impl<S: Stream> AnswerBody<S> {
    /// The body that follows a head. Most are there whole already.
    pub(super) fn of(exchange: Exchange<S>, framing: Framing, idle: Option<Idle<S>>) -> Result<Body, Fault> {
        let mut body = Self { exchange: Some(exchange), rest: Rest::of(framing), idle };
        if body.rest.exact() == Some(0) {
            body.end();
            return Ok(Body::empty());
        }
        let whole = body.rest.exact();
        if let (Some(exchange), Some(length)) = (&mut body.exchange, whole)
            && exchange.input.len() as u64 >= length
            && let Taken::Data(data) = body.rest.take(&mut exchange.input)?
        {
            body.end();
            return Ok(Body::from(data));
        }
        Ok(Body::new(body))
    }

    /// A connection that still says something, or was not told all, is closed.
    fn end(&mut self) {
        let (exchange, idle) = (self.exchange.take(), self.idle.take());
        if let (Some(exchange), Some(idle)) = (exchange, idle)
            && exchange.is_sent()
            && exchange.input.is_empty()
        {
            idle.put(exchange.stream);
        }
    }

    fn poll_data(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Fault>> {
        loop {
            let Some(exchange) = &mut self.exchange else { return Poll::Ready(Ok(None)) };
            exchange.poll_send(context)?;
            match self.rest.take(&mut exchange.input)? {
                Taken::Data(data) => {
                    if self.rest.exact() == Some(0) {
                        self.end();
                    }
                    return Poll::Ready(Ok(Some(data)));
                }
                Taken::End => self.end(),
                Taken::More => {
                    let read = ready!(exchange.poll_more(context))?;
                    match (read, &self.rest) {
                        (0, Rest::UntilClose) => self.exchange = None,
                        (0, _) => return Poll::Ready(Err(Fault::Incomplete)),
                        _ => {}
                    }
                }
            }
        }
    }
}

impl<S: Stream> http_body::Body for AnswerBody<S> {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        let data = ready!(self.poll_data(context));
        if data.is_err() {
            self.exchange = None;
        }
        Poll::Ready(data.transpose().map(|data| data.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.exchange.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        self.rest.exact().map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
