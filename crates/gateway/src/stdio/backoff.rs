//! How soon a process that has ended by itself is started again.

use std::time::Duration;

use tokio::time::Instant;

/// The wait after the second end; it doubles with each that follows.
const FIRST: Duration = Duration::from_secs(1);
/// The longest wait. A process that has run for that long was no failure.
const LONGEST: Duration = Duration::from_secs(60);

/// How often it ended, and when it may be started again.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
    until: Option<Instant>,
}

impl Backoff {
    /// It ended by itself, or did not begin. After the first time it is started again at once.
    pub(super) fn failed(&mut self, lived: Duration) {
        if lived >= LONGEST {
            self.failures = 0;
        }
        let wait = match self.failures {
            0 => Duration::ZERO,
            more => FIRST.saturating_mul(1 << (more - 1).min(16)).min(LONGEST),
        };
        self.failures = self.failures.saturating_add(1);
        self.until = Some(Instant::now() + wait);
    }

    /// How long it still rests, if it does.
    pub(super) fn rests(&self) -> Option<Duration> {
        let left = self.until?.saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some(left)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_wait_doubles_up_to_a_minute() {
        let mut backoff = Backoff::default();
        assert_eq!(backoff.rests(), None);
        for seconds in [0, 1, 2, 4, 8, 16, 32, 60, 60] {
            backoff.failed(Duration::from_secs(3));
            let wait = (seconds > 0).then(|| Duration::from_secs(seconds));
            assert_eq!(backoff.rests(), wait);
            advance(Duration::from_secs(seconds)).await;
            assert_eq!(backoff.rests(), None);
        }
        // It ran for long: all is forgotten.
        backoff.failed(LONGEST);
        assert_eq!(backoff.rests(), None);
        backoff.failed(Duration::ZERO);
        assert_eq!(backoff.rests(), Some(FIRST));
    }

    #[tokio::test(start_paused = true)]
    async fn it_never_overflows() {
        let mut backoff = Backoff::default();
        for _ in 0..1000 {
            backoff.failed(Duration::ZERO);
        }
        assert_eq!(backoff.rests(), Some(LONGEST));
    }
}
