//! A body on its way, listened to. Nothing is read ahead, held back or changed for it: what the log says of a request
//! must not decide what becomes of it.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use hallpass_resource_server::json_rpc::{Message, peek};
use http_body::{Body, Frame, SizeHint};
use tokio::time::Instant;

use super::observed::Observed;
use super::words::{Words, uri, word};

/// What is longer goes by unheard, in bytes.
const LONGEST: usize = 64 * 1024;

/// Notes what a body asks for, once all of it has passed, and how long its client was waited for.
pub(crate) struct Overheard<B> {
    body: B,
    observed: Observed,
    /// What has passed so far; nothing where nobody wants to know.
    heard: Option<BytesMut>,
    waiting: Option<Instant>,
}

impl<B: Body<Data = Bytes>> Overheard<B> {
    /// With `words`, what it asks for is noted; without, how long it took alone.
    pub(crate) fn new(body: B, observed: Observed, words: bool) -> Self {
        let heard = (words && !body.is_end_stream()).then(BytesMut::new);
        Self { body, observed, heard, waiting: None }
    }

    fn hear(&mut self, data: &Bytes) {
        if let Some(heard) = &mut self.heard {
            // One copy, whatever it is cut into: pieces of a byte each would cost more than what is in them.
            match heard.len() + data.len() > LONGEST {
                true => self.heard = None,
                false => heard.extend_from_slice(data),
            }
        }
    }

    fn understand(&mut self) {
        let Some(heard) = self.heard.take() else { return };
        if let Some(words) = said(&heard.freeze()) {
            self.observed.note(|details| details.words = Some(words));
        }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Overheard<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) else {
            self.waiting.get_or_insert_with(Instant::now);
            return Poll::Pending;
        };
        if let Some(since) = self.waiting.take() {
            self.observed.note(|details| details.client += since.elapsed());
        }
        match &frame {
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    self.hear(data);
                }
                // Whoever knows the length asks no further.
                if self.body.is_end_stream() {
                    self.understand();
                }
            }
            Some(Err(_)) => self.heard = None,
            None => self.understand(),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// As policy reads it: the first message that asks for something, and how many more there are.
fn said(body: &[u8]) -> Option<Words> {
    let messages = peek(body).ok()?;
    let mut asking = messages.iter().filter_map(|message| Some((message, message.method.as_deref()?)));
    let (first, method) = asking.next()?;
    Some(Words { method: word(method), name: name(first), more: asking.count() })
}

fn name(message: &Message<'_>) -> Option<String> {
    let name = message.name.as_deref().or(message.ref_name.as_deref()).map(word);
    name.or_else(|| message.uri.as_deref().or(message.ref_uri.as_deref()).map(uri))
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt, Full, StreamBody};

    use super::*;

    async fn heard(pieces: &[&'static str]) -> (Bytes, Option<Words>) {
        let observed = Observed::default();
        let frames: Vec<_> =
            pieces.iter().map(|piece| Ok(Frame::data(Bytes::from_static(piece.as_bytes())))).collect();
        let body = StreamBody::new(futures_util::stream::iter(frames));
        let body: Overheard<StreamBody<_>> = Overheard::new(body, observed.clone(), true);
        let passed =
            body.collect().await.map_err(|error: std::convert::Infallible| error).unwrap().to_bytes();
        (passed, observed.note(|details| details.words.take()))
    }

    #[tokio::test]
    async fn what_a_body_asks_for_is_heard_however_it_is_cut() {
        let call = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"purge"}}"#;
        let (start, end) = call.split_at(40);
        for pieces in [&[call][..], &[start, end], &["", start, "", end, ""]] {
            let (passed, words) = heard(pieces).await;
            assert_eq!(passed, call);
            let words = words.unwrap();
            assert_eq!((&*words.method, words.name.as_deref(), words.more), ("tools/call", Some("purge"), 0));
        }
    }

    #[tokio::test]
    async fn of_a_batch_the_first_and_how_many_more() {
        let batch = r#"[{"id":1,"result":{}},{"id":2,"method":"a"},{"id":3,"method":"b"},{"method":"c"}]"#;
        let words = heard(&[batch]).await.1.unwrap();
        assert_eq!((&*words.method, words.name, words.more), ("a", None, 2));
    }

    #[tokio::test]
    async fn what_is_no_message_says_nothing_and_passes_all_the_same() {
        for body in ["", "no json", r#"{"id":1,"result":{}}"#, r#"{"method":"a","method":"b"}"#] {
            let (passed, words) = heard(&[body]).await;
            assert_eq!((passed.as_ref(), words), (body.as_bytes(), None));
        }
    }

    #[tokio::test]
    async fn a_query_of_a_resource_is_nobodys_business() {
        let read = r#"{"id":1,"method":"resources/read","params":{"uri":"https://u:canary@h/x?token=canary#canary"}}"#;
        assert_eq!(heard(&[read]).await.1.unwrap().name.unwrap(), "https://h/x");
    }

    #[tokio::test]
    async fn what_is_long_goes_by_unheard() {
        let body = format!(r#"{{"method":"a","params":"{}"}}"#, "x".repeat(LONGEST));
        let observed = Observed::default();
        let long = Overheard::new(Full::new(Bytes::from(body.clone())), observed.clone(), true);
        assert_eq!(long.collect().await.unwrap().to_bytes(), body);
        assert!(observed.note(|details| details.words.is_none()));
    }
}
