//! What is left of a request's body when it was answered without being read.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;

use super::measured::Measured;

/// More is not read: whoever sends so much has to cope with being interrupted.
const LONGEST: usize = 64 * 1024;

/// The body of an HTTP/2 request. A stream that is given up while its body is on the way is reset (RFC 9113 §8.1), and
/// clients that are still sending, curl among them, take that for a failure and lose the answer: a 401 most often. So
/// what is left of a short body is read and thrown away.
pub(super) struct ReadToItsEnd(Option<Measured>);

impl ReadToItsEnd {
    pub(super) fn new(body: Measured) -> Self {
        Self(Some(body))
    }
}

impl Body for ReadToItsEnd {
    type Data = Bytes;
    type Error = <Measured as Body>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match &mut self.0 {
            Some(body) => Pin::new(body).poll_frame(context),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(|body| body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.0.as_ref().map_or_else(SizeHint::default, |body| body.size_hint())
    }
}

impl Drop for ReadToItsEnd {
    fn drop(&mut self) {
        let Some(mut body) = self.0.take().filter(|body| !body.is_end_stream()) else { return };
        let rest = async move {
            let mut read = 0;
            while let Some(Ok(frame)) = body.frame().await {
                read += frame.data_ref().map_or(0, Bytes::len);
                if read > LONGEST {
                    break;
                }
            }
        };
        // Outside a runtime there is no connection either.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            drop(runtime.spawn(rest));
        }
    }
}
