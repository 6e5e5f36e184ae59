//! Points in time.

use std::time::{Duration, SystemTime};

use hallpass_protocol::{Clock, Timestamp};
use proptest::prelude::*;

#[test]
fn the_ends_of_time_do_not_overflow() {
    let (first, last) = (Timestamp::from_unix(i64::MIN), Timestamp::from_unix(i64::MAX));
    assert_eq!(last.after(Duration::MAX), last);
    assert_eq!(first.before(Duration::MAX), first);
    assert_eq!(last.until(first), Duration::ZERO);
    assert_eq!(first.until(last).as_secs(), u64::try_from(i64::MAX).unwrap());
}

#[test]
fn from_the_system() {
    let day = Duration::from_secs(86_400);
    assert_eq!(Timestamp::from(SystemTime::UNIX_EPOCH + day).unix(), 86_400);
    assert_eq!(Timestamp::from(SystemTime::UNIX_EPOCH - day).unix(), -86_400);
}

#[test]
fn a_clock_asks_each_time() {
    let clock = Clock::new(|| Timestamp::from_unix(7));
    assert_eq!(clock.clone().now(), clock.now());
    assert_eq!(format!("{clock:?} {}", clock.now()), "Clock(Timestamp(7)) 7");
}

proptest! {
    #[test]
    fn there_and_back(at in -1_000_000_000_000_i64..1_000_000_000_000, by in 0_u64..1_000_000_000) {
        let (at, by) = (Timestamp::from_unix(at), Duration::from_secs(by));
        prop_assert_eq!(at.after(by).before(by), at);
        prop_assert_eq!(at.until(at.after(by)), by);
        prop_assert_eq!(at.after(by).until(at), Duration::ZERO);
        prop_assert_eq!(serde_json::to_string(&at).unwrap(), at.unix().to_string());
    }
}

#[test]
fn a_date_is_that_of_the_calendar() {
    for (seconds, text) in [
        (0, "1970-01-01 00:00:00 UTC"),
        (-1, "1969-12-31 23:59:59 UTC"),
        (951_782_399, "2000-02-28 23:59:59 UTC"),
        (951_782_400, "2000-02-29 00:00:00 UTC"),
        (951_868_800, "2000-03-01 00:00:00 UTC"),
        (1_709_164_800, "2024-02-29 00:00:00 UTC"),
        (1_795_324_190, "2026-11-22 05:09:50 UTC"),
        (4_107_542_400, "2100-03-01 00:00:00 UTC"),
    ] {
        assert_eq!(Timestamp::from_unix(seconds).to_utc(), text);
    }
}
