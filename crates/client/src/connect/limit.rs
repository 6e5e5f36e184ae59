//! How much a server may say at once: what it sends is held in memory until it is whole.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use reqwest::Response;

/// The longest message: as a body, or as an event.
pub(super) const LONGEST: usize = 16 << 20;

/// Why a body could not be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum BodyError {
    #[error("the server's answer is longer than {} MiB, and was not read", LONGEST >> 20)]
    TooLong,
    #[error("the answer broke off: {0}")]
    Broken(reqwest::Error),
}

/// A whole body.
pub(super) async fn body(response: Response) -> Result<Vec<u8>, BodyError> {
    let mut whole = Vec::new();
    let mut chunks = std::pin::pin!(response.bytes_stream());
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|error| BodyError::Broken(error.without_url()))?;
        if whole.len() + chunk.len() > LONGEST {
            return Err(BodyError::TooLong);
        }
        whole.extend_from_slice(&chunk);
    }
    Ok(whole)
}

/// Counts what came since the last whole event.
#[derive(Clone, Default)]
pub(super) struct Pending(Arc<AtomicUsize>);

impl Pending {
    /// The stream, which ends where an event becomes too long.
    pub(super) fn limit<E>(
        &self,
        chunks: impl Stream<Item = Result<Bytes, E>>,
    ) -> impl Stream<Item = Result<Bytes, E>> {
        let pending = self.clone();
        chunks.take_while(move |chunk| {
            let more = chunk.as_ref().map_or(0, Bytes::len);
            let is_short = pending.0.fetch_add(more, Ordering::Relaxed) + more <= LONGEST;
            std::future::ready(is_short)
        })
    }

    /// An event is whole.
    pub(super) fn clear(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
}
