//! What is left of a request's body when it was answered without being read.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::time::timeout;

use super::measured::Measured;

/// Of a stream, more is not read: whoever sends so much has to cope with being interrupted.
const OF_A_STREAM: usize = 64 * 1024;
/// Of a connection, more is not read: sixteen times the longest body that rules read.
const OF_A_CONNECTION: usize = 64 * 1024 * 1024;
/// Nor for longer: an answer arrives within that time, or its client is not listening.
const PATIENCE: Duration = Duration::from_secs(10);

/// The body of a request whose client may be answered while it is still sending. If that was the end of it, clients would
/// lose the answer: a 401 or 413 most often.
///
/// - HTTP/2: a stream that is given up while its body is on the way is reset (RFC 9113 §8.1), and clients that are still
///   sending, curl among them, take that for a failure.
/// - HTTP/1: a connection that is closed while bytes are on the way is reset by the operating system, and with it goes what
///   the client has not yet read (RFC 9112 §9.6).
///
/// So what is left of the body is read and thrown away, within bounds. Then the connection goes on.
pub(super) struct ReadToItsEnd {
    body: Option<Measured>,
    longest: usize,
}

impl ReadToItsEnd {
    /// Of a stream of an HTTP/2 connection: it costs the other streams their share of what may be under way.
    pub(super) fn stream(body: Measured) -> Self {
        Self { body: Some(body), longest: OF_A_STREAM }
    }

    /// Of an HTTP/1 connection. Not for a client that waits for "100 Continue": reading is what asks it to send.
    pub(super) fn connection(body: Measured) -> Self {
        Self { body: Some(body), longest: OF_A_CONNECTION }
    }
}

impl Body for ReadToItsEnd {
    type Data = Bytes;
    type Error = <Measured as Body>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match &mut self.body {
            Some(body) => Pin::new(body).poll_frame(context),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(|body| body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(SizeHint::default, |body| body.size_hint())
    }
}

impl Drop for ReadToItsEnd {
    fn drop(&mut self) {
        let Some(mut body) = self.body.take().filter(|body| !body.is_end_stream()) else { return };
        let longest = self.longest;
        let rest = async move {
            let mut read = 0;
            while let Some(Ok(frame)) = body.frame().await {
                read += frame.data_ref().map_or(0, Bytes::len);
                if read > longest {
                    break;
                }
            }
        };
        // Outside a runtime there is no connection either.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            drop(runtime.spawn(timeout(PATIENCE, rest)));
        }
    }
}
