//! A clock that moves when it is told to.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use hallpass_protocol::time::{Clock, Timestamp};

/// Fake time. Clones, and clocks taken from it, share the one hand.
#[derive(Clone, Debug)]
pub struct FakeClock(Arc<AtomicI64>);

impl FakeClock {
    /// A clock that stands at `start`.
    pub fn at(start: Timestamp) -> Self {
        Self(Arc::new(AtomicI64::new(start.unix())))
    }

    /// The clock to hand to what is tested.
    pub fn clock(&self) -> Clock {
        let hand = self.clone();
        Clock::new(move || hand.now())
    }

    /// The time it shows.
    pub fn now(&self) -> Timestamp {
        Timestamp::from_unix(self.0.load(Ordering::SeqCst))
    }

    /// Moves it forward, by whole seconds.
    pub fn advance(&self, by: Duration) {
        // Two threads that move it at once both count.
        let step = self.now().after(by).unix() - self.now().unix();
        self.0.fetch_add(step, Ordering::SeqCst);
    }

    /// Sets it, backwards too.
    pub fn set(&self, to: Timestamp) {
        self.0.store(to.unix(), Ordering::SeqCst);
    }
}
