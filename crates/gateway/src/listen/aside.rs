//! What has to be looked at now and then, beside something that is at work all the time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::task::AtomicWaker;

/// Whether somebody has to look. A task is woken for each request and each answer; clocks and tokens that are waited for in that
/// task need not be asked each time whether it was them.
pub(super) struct Aside {
    bell: Arc<Bell>,
    /// Of the bell.
    waker: Waker,
}

struct Bell {
    has_rung: AtomicBool,
    task: AtomicWaker,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // In this order: whoever is woken sees it.
        self.has_rung.store(true, Ordering::Release);
        self.task.wake();
    }
}

impl Aside {
    /// Looks the first time that it is asked.
    pub(super) fn new() -> Self {
        let bell = Arc::new(Bell { has_rung: AtomicBool::new(true), task: AtomicWaker::new() });
        Self { waker: Waker::from(Arc::clone(&bell)), bell }
    }

    /// Looks, if it was woken since the last time; else nothing can have come.
    pub(super) fn poll<T>(
        &self,
        context: &Context<'_>,
        look: impl FnOnce(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        self.bell.task.register(context.waker());
        if !self.bell.has_rung.swap(false, Ordering::AcqRel) {
            return Poll::Pending;
        }
        let seen = look(&mut Context::from_waker(&self.waker));
        // Who has found something has not looked at all of it.
        self.bell.has_rung.fetch_or(seen.is_ready(), Ordering::Release);
        seen
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use tokio::sync::Notify;

    use super::*;

    #[test]
    fn it_looks_only_when_it_was_woken() {
        let (aside, notify) = (Aside::new(), Notify::new());
        let context = Context::from_waker(Waker::noop());
        let (mut waited, mut looks) = (pin!(notify.notified()), 0);
        let mut poll = |looks: &mut i32| {
            aside.poll(&context, |context| {
                *looks += 1;
                waited.as_mut().poll(context)
            })
        };
        assert!(poll(&mut looks).is_pending() && poll(&mut looks).is_pending());
        assert_eq!(looks, 1);
        notify.notify_waiters();
        assert!(poll(&mut looks).is_ready());
        assert_eq!(looks, 2);
    }

    /// Of two things that have come, the second is seen, too.
    #[test]
    fn it_looks_again_after_it_has_found_something() {
        let (aside, context) = (Aside::new(), Context::from_waker(Waker::noop()));
        assert!(aside.poll(&context, |_| Poll::Ready(())).is_ready());
        assert!(aside.poll(&context, |_| Poll::Ready(())).is_ready());
        assert!(aside.poll(&context, |_| Poll::<()>::Pending).is_pending());
        assert!(aside.poll(&context, |_| Poll::Ready(())).is_pending());
    }

    /// The task that waits is woken, whichever it is by now.
    #[tokio::test]
    async fn the_task_is_woken() {
        let (aside, notify) = (Arc::new(Aside::new()), Arc::new(Notify::new()));
        let waiting = tokio::spawn({
            let notify = Arc::clone(&notify);
            async move {
                let mut waited = pin!(notify.notified());
                std::future::poll_fn(|context| aside.poll(context, |context| waited.as_mut().poll(context)))
                    .await;
            }
        });
        tokio::task::yield_now().await;
        notify.notify_one();
        waiting.await.unwrap();
    }
}
