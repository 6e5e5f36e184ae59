//! How often an issuer is asked for its keys: a stranger's tokens must not make this server ask all the time, and an issuer
//! that changes its keys several times in a row must not lock its own people out.

use std::time::Duration;

use hallpass_protocol::time::Timestamp;

/// Between two fetches in the long run.
const APART: Duration = Duration::from_secs(10);
/// How many there may be in a row.
const IN_A_ROW: u32 = 4;

/// Some at once, then one every ten seconds (the generic cell rate algorithm, ITU-T I.371).
#[derive(Clone, Copy, Default)]
pub(super) struct Allowance {
    /// When all of it is there again.
    full: Option<Timestamp>,
}

impl Allowance {
    pub(super) fn allows(&self, now: Timestamp) -> bool {
        self.until_full(now) <= APART * (IN_A_ROW - 1)
    }

    pub(super) fn take(&mut self, now: Timestamp) {
        self.full = Some(now.after(self.until_full(now) + APART));
    }

    /// A clock that was set back takes nothing away.
    fn until_full(&self, now: Timestamp) -> Duration {
        let until = self.full.map_or(Duration::ZERO, |full| now.until(full));
        if until > APART * IN_A_ROW { Duration::ZERO } else { until }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_unix(1_800_000_000);

    fn taken(allowance: &mut Allowance, now: Timestamp) -> usize {
        std::iter::from_fn(|| allowance.allows(now).then(|| allowance.take(now))).count()
    }

    #[test]
    fn some_in_a_row_then_one_in_ten_seconds() {
        let mut allowance = Allowance::default();
        assert_eq!(taken(&mut allowance, NOW), 4);
        assert_eq!(taken(&mut allowance, NOW.after(Duration::from_secs(9))), 0);
        assert_eq!(taken(&mut allowance, NOW.after(Duration::from_secs(10))), 1);
        assert_eq!(taken(&mut allowance, NOW.after(Duration::from_secs(35))), 2);
        assert_eq!(taken(&mut allowance, NOW.after(Duration::from_secs(1000))), 4);
    }

    #[test]
    fn a_clock_that_is_set_back_stops_nothing() {
        let mut allowance = Allowance::default();
        assert_eq!(taken(&mut allowance, NOW), 4);
        assert_eq!(taken(&mut allowance, NOW.before(Duration::from_secs(86_400))), 4);
    }
}
