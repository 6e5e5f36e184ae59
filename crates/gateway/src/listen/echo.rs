//! The wakes with which the task of a connection wakes itself for nothing.
//!
//! Over HTTP/1, hyper reads a request's body and the handler takes it in one and the same task. Whoever takes a piece wakes whoever
//! brings the next one; after the last piece nobody brings any, and the whole task would run once more in each request to find that
//! nothing has happened.

use std::cell::Cell;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};

/// By which hyper wakes the task of a connection.
#[derive(Default)]
pub(super) struct Ear(Option<(Arc<Heard>, Waker)>);

struct Heard {
    task: Waker,
}

/// What this thread does with wakes.
#[derive(Default)]
enum Hears {
    /// They wake.
    #[default]
    All,
    /// The first one is kept.
    Nothing(Option<Arc<Heard>>),
}

thread_local! {
    static HEARS: Cell<Hears> = const { Cell::new(Hears::All) };
}

impl Wake for Heard {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // A thread that ends has nothing to keep a wake for.
        let kept = HEARS.try_with(|hears| match hears.take() {
            Hears::Nothing(None) => {
                hears.set(Hears::Nothing(Some(Arc::clone(self))));
                true
            }
            before => {
                hears.set(before);
                false
            }
        });
        if !kept.unwrap_or(false) {
            self.task.wake_by_ref();
        }
    }
}

impl Ear {
    /// A context that wakes the same task.
    pub(super) fn context(&mut self, context: &Context<'_>) -> Context<'_> {
        // A task keeps its waker.
        if !self.0.as_ref().is_some_and(|(heard, _)| heard.task.will_wake(context.waker())) {
            self.0 = None;
        }
        let (_, waker) = self.0.get_or_insert_with(|| {
            let heard = Arc::new(Heard { task: context.waker().clone() });
            (Arc::clone(&heard), Waker::from(heard))
        });
        Context::from_waker(waker)
    }
}

/// A wake that was kept from its task. Dropped, it is forgotten.
#[must_use]
pub(super) struct Kept(Option<Arc<Heard>>);

impl Kept {
    /// Somebody waits for it after all.
    pub(super) fn pass_on(self) {
        if let Some(heard) = self.0 {
            heard.task.wake_by_ref();
        }
    }
}

/// Does that, and keeps the wake that comes of it on this thread. Wakes of other threads are not for nothing, and go through.
pub(super) fn keeping<T>(does: impl FnOnce() -> T) -> (T, Kept) {
    /// Hears again, whatever happens.
    struct Again;
    impl Drop for Again {
        fn drop(&mut self) {
            HEARS.set(Hears::All);
        }
    }
    HEARS.set(Hears::Nothing(None));
    let again = Again;
    let done = does();
    let kept = match HEARS.take() {
        Hears::Nothing(kept) => kept,
        Hears::All => None,
    };
    drop(again);
    (done, Kept(kept))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[derive(Default)]
    struct Counts(AtomicUsize);

    impl Wake for Counts {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A waker of an ear, and how often the task has been woken.
    fn ear() -> (Waker, impl Fn() -> usize) {
        let task = Arc::new(Counts::default());
        let (mut ear, waker) = (Ear::default(), Waker::from(Arc::clone(&task)));
        let heard = ear.context(&Context::from_waker(&waker)).waker().clone();
        (heard, move || task.0.load(Ordering::Relaxed))
    }

    #[test]
    fn what_is_kept_wakes_when_it_is_passed_on() {
        let (waker, woken) = ear();
        let ((), kept) = keeping(|| waker.wake_by_ref());
        assert_eq!(woken(), 0);
        kept.pass_on();
        assert_eq!(woken(), 1);
        let ((), kept) = keeping(|| ());
        kept.pass_on();
        assert_eq!(woken(), 1);
    }

    #[test]
    fn it_hears_again_afterwards() {
        let (waker, woken) = ear();
        drop(keeping(|| waker.wake_by_ref()).1);
        waker.wake_by_ref();
        assert_eq!(woken(), 1);
        let panics = std::panic::catch_unwind(|| keeping(|| panic!("within")).1.pass_on());
        assert!(panics.is_err());
        waker.wake();
        assert_eq!(woken(), 2);
    }

    /// Only one is kept: of two tasks none may be lost.
    #[test]
    fn another_task_is_woken() {
        let ((one, first), (other, second)) = (ear(), ear());
        let ((), kept) = keeping(|| {
            one.wake_by_ref();
            other.wake_by_ref();
        });
        assert_eq!((first(), second()), (0, 1));
        kept.pass_on();
        assert_eq!((first(), second()), (1, 1));
    }

    /// What the system has to say comes from another thread.
    #[test]
    fn another_thread_is_heard() {
        let (waker, woken) = ear();
        let ((), kept) =
            keeping(|| std::thread::scope(|scope| drop(scope.spawn(|| waker.wake_by_ref()).join())));
        assert_eq!(woken(), 1);
        drop(kept);
    }

    #[test]
    fn a_task_has_one_ear_as_long_as_it_is_the_same() {
        let (mut ear, one, other) = (Ear::default(), Waker::from(Arc::new(Counts::default())), Waker::noop());
        let first = ear.context(&Context::from_waker(&one)).waker().clone();
        assert!(ear.context(&Context::from_waker(&one)).waker().will_wake(&first));
        assert!(!ear.context(&Context::from_waker(other)).waker().will_wake(&first));
    }
}
