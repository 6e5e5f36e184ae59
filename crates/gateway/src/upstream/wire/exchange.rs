//! One request and its answer over one connection.

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::Body;
use axum::response::Response;
use bytes::BytesMut;
use http::{HeaderMap, Method};
use http_body::Body as _;
use tokio::io::ReadBuf;

use super::body::AnswerBody;
use super::framing::{self, Framing, LAST_CHUNK};
use super::head::{self, Head, Target};
use super::{Fault, Idle, Stream};
use crate::upstream::onward::Onward;

/// How much of a body is taken before it is written, and how much is read at once, in bytes.
const AT_ONCE: usize = 16 * 1024;

/// Sends a request, and waits for the head of its answer. The connection goes to the idle ones when all is over.
pub(in crate::upstream) fn exchange<S: Stream>(
    stream: S,
    Message { output, sending, mut room }: Message,
    idle: &Idle<S>,
) -> impl Future<Output = Result<Response, Fault>> + Send + use<'_, S> {
    let mut exchange = Exchange::begin(stream, output, sending);
    async move {
        let head = poll_fn(|context| exchange.poll_head(&mut room, context)).await?;
        let Head { status, fields, framing, stays } = head;
        let mut response = Response::new(AnswerBody::of(exchange, framing, stays.then(|| idle.clone()))?);
        *response.status_mut() = status;
        *response.headers_mut() = fields;
        Ok(response)
    }
}

/// A request, ready to be sent.
#[derive(Debug)]
pub(in crate::upstream) struct Message {
    /// The head, and what goes with it.
    output: Vec<u8>,
    /// None where there is no body.
    sending: Option<Sending>,
    /// Where the fields of the answer will be.
    room: HeaderMap,
}

impl Message {
    /// Its head is written at once, from the fields as they came.
    pub(in crate::upstream) fn new(method: &Method, to: Target<'_>, fields: Onward<'_>, body: Body) -> Self {
        let framing = Framing::of_request(&body, &fields);
        let mut output = Vec::with_capacity(1024);
        head::write(&mut output, method, to, &fields, framing);
        let sending = (framing != Framing::None).then_some(Sending { body, framing });
        Self { output, sending, room: fields.into_room() }
    }
}

/// A request that is being sent, and the bytes of an answer to it. Both go on at once: upstream may answer while it is still
/// being told, and may want to be read before it reads on.
pub(super) struct Exchange<S> {
    pub(super) stream: S,
    /// What came and was not looked at yet.
    pub(super) input: BytesMut,
    output: Vec<u8>,
    written: usize,
    sending: Option<Sending>,
    flushed: bool,
    /// Why nothing can be sent any more. An answer may come all the same.
    deaf: Option<io::Error>,
}

/// The body of a request, as far as it was not taken yet.
#[derive(Debug)]
struct Sending {
    body: Body,
    framing: Framing,
}

impl<S: Stream> Exchange<S> {
    fn begin(stream: S, output: Vec<u8>, sending: Option<Sending>) -> Self {
        Self { stream, input: BytesMut::new(), output, written: 0, sending, flushed: false, deaf: None }
    }

    /// Whether upstream has been told all.
    pub(super) fn is_sent(&self) -> bool {
        self.sending.is_none() && self.output.is_empty() && self.flushed && self.deaf.is_none()
    }

    fn poll_head(&mut self, room: &mut HeaderMap, context: &mut Context<'_>) -> Poll<Result<Head, Fault>> {
        loop {
            self.poll_send(context)?;
            if let Some(head) = head::read(&mut self.input, room)? {
                return Poll::Ready(Ok(head));
            }
            let read = ready!(self.poll_more(context));
            match (read, self.deaf.take()) {
                (Ok(1..), deaf) => self.deaf = deaf,
                (_, Some(error)) | (Err(error), None) => return Poll::Ready(Err(error.into())),
                (Ok(0), None) => return Poll::Ready(Err(Fault::Closed)),
            }
        }
    }

    /// Goes on sending, as far as the body is there and upstream takes it.
    pub(super) fn poll_send(&mut self, context: &mut Context<'_>) -> Result<(), Fault> {
        loop {
            self.fill(context)?;
            if self.output.is_empty() {
                if !self.flushed {
                    match Pin::new(&mut self.stream).poll_flush(context) {
                        Poll::Ready(Ok(())) => self.flushed = true,
                        Poll::Ready(Err(error)) => self.give_up(error),
                        Poll::Pending => {}
                    }
                }
                return Ok(());
            }
            match Pin::new(&mut self.stream).poll_write(context, &self.output[self.written..]) {
                Poll::Ready(Ok(0)) => self.give_up(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(written)) => self.written += written,
                Poll::Ready(Err(error)) => self.give_up(error),
                Poll::Pending => return Ok(()),
            }
            self.flushed = false;
            if self.written >= self.output.len() {
                self.output.clear();
                self.written = 0;
            }
        }
    }

    /// Takes of the body what is there, so that a short request is one write.
    fn fill(&mut self, context: &mut Context<'_>) -> Result<(), Fault> {
        while self.output.len() < AT_ONCE
            && let Some(Sending { body, framing }) = &mut self.sending
        {
            let Poll::Ready(frame) = Pin::new(body).poll_frame(context) else { return Ok(()) };
            let frame = frame.transpose().map_err(|error| Fault::RequestBody(error.to_string()))?;
            match (frame.map(|frame| frame.into_data()), &mut *framing) {
                // Trailers: nobody upstream has asked for them.
                (Some(Err(_)), _) => {}
                (Some(Ok(data)), Framing::Length(left)) => {
                    let rest = left.checked_sub(data.len() as u64);
                    *left = rest.ok_or_else(|| Fault::RequestBody("it is longer than it said".to_owned()))?;
                    self.output.extend_from_slice(&data);
                    if *left == 0 {
                        self.sending = None;
                    }
                }
                (Some(Ok(data)), _) => framing::chunk(&mut self.output, &data),
                (None, Framing::Length(1..)) => {
                    return Err(Fault::RequestBody("it is shorter than it said".to_owned()));
                }
                (None, framing) => {
                    if *framing == Framing::Chunks {
                        self.output.extend_from_slice(LAST_CHUNK);
                    }
                    self.sending = None;
                }
            }
        }
        Ok(())
    }

    fn give_up(&mut self, error: io::Error) {
        self.sending = None;
        self.output.clear();
        self.written = 0;
        self.flushed = true;
        self.deaf = Some(error);
    }

    /// Reads what is there. A stream on which nothing happens holds no memory for what may come.
    pub(super) fn poll_more(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut space = [const { MaybeUninit::uninit() }; AT_ONCE];
        let mut space = ReadBuf::uninit(&mut space);
        ready!(Pin::new(&mut self.stream).poll_read(context, &mut space))?;
        self.input.extend_from_slice(space.filled());
        Poll::Ready(Ok(space.filled().len()))
    }
}
