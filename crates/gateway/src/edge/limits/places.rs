//! What an answer holds until it has ended.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http_body::{Frame, SizeHint};

use super::{Held, is_stream};

/// The places of one request: of its subject, and of its server.
#[derive(Debug)]
pub(crate) struct Places(pub(crate) [Option<Held>; 2]);

impl Places {
    /// They are free again when all of the answer was sent, or given up.
    pub(crate) fn held_by(mut self, response: Response) -> Response {
        if is_stream(&response) {
            self.0.iter_mut().flatten().for_each(Held::is_a_stream);
        }
        response.map(|body| Body::new(Holding { body, _places: self }))
    }
}

struct Holding {
    body: Body,
    _places: Places,
}

impl http_body::Body for Holding {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
