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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_moves_when_told_to_and_all_see_it() {
        let fake = FakeClock::at(Timestamp::from_unix(100));
        let clock = fake.clock();
        assert_eq!(clock.now().unix(), 100);
        fake.clone().advance(Duration::from_secs(5));
        assert_eq!((clock.now().unix(), fake.now().unix()), (105, 105));
        fake.set(Timestamp::from_unix(7));
        assert_eq!(clock.now().unix(), 7);
    }
}
