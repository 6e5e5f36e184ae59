//! Connections that wait for the next request.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};
use std::time::Duration;

use tokio::io::ReadBuf;
use tokio::time::{Instant, sleep};

use super::Stream;

/// Under the five seconds after which Node closes a connection that waits: a request is not sent on
/// a connection that is being closed.
const LONGEST: Duration = Duration::from_secs(4);

/// The connections to one upstream on which nothing is under way. Clones share them.
pub(in crate::upstream) struct Idle<S>(Arc<Mutex<Waiting<S>>>);

struct Waiting<S> {
    /// The one that waits longest is the first.
    streams: VecDeque<(Instant, S)>,
    /// Whether somebody closes those that have waited for too long.
    swept: bool,
}

impl<S> Clone for Idle<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<S> std::fmt::Debug for Idle<S> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Idle")
    }
}

impl<S> Default for Idle<S> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Waiting { streams: VecDeque::new(), swept: false })))
    }
}

impl<S: Stream> Idle<S> {
    /// The one that was used last, if it is still good.
    pub(in crate::upstream) fn take(&self) -> Option<S> {
        loop {
            let (since, mut stream) = self.lock().streams.pop_back()?;
            if since.elapsed() < LONGEST && is_quiet(&mut stream) {
                return Some(stream);
            }
        }
    }

    /// Keeps one for the next request.
    pub(super) fn put(&self, stream: S) {
        let mut waiting = self.lock();
        waiting.streams.push_back((Instant::now(), stream));
        if !std::mem::replace(&mut waiting.swept, true) {
            tokio::spawn(sweep(Arc::downgrade(&self.0)));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting<S>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether upstream neither closed it nor said something that answers nothing.
fn is_quiet(stream: &mut impl Stream) -> bool {
    let mut context = Context::from_waker(Waker::noop());
    Pin::new(stream).poll_read(&mut context, &mut ReadBuf::new(&mut [0])).is_pending()
}

/// Closes those that have waited for too long, until there are none.
async fn sweep<S>(waiting: std::sync::Weak<Mutex<Waiting<S>>>) {
    loop {
        sleep(LONGEST).await;
        let Some(waiting) = waiting.upgrade() else { return };
        let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let old = waiting.streams.iter().take_while(|(since, _)| since.elapsed() >= LONGEST).count();
        drop(waiting.streams.drain(..old));
        if waiting.streams.is_empty() {
            waiting.swept = false;
            return;
        }
    }
}
