//! Counters of wrong passwords, for an account and for an address.

use std::time::Duration;

use hallpass_protocol::time::Timestamp;

use super::{Result, Store};

/// A counter is forgotten when nothing failed for so long.
const MEMORY: Duration = Duration::from_secs(60 * 60);

/// Whether a password may be tried now.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Attempt {
    /// It may, and is counted already.
    Allowed,
    /// Not before the given time.
    TooEarly(Timestamp),
}

impl Store {
    /// Counts an attempt before its password is looked at, so that many at once cannot slip through
    /// together. Beyond `free` attempts the wait doubles, up to a minute: enough against guessing,
    /// and too short to keep the owner out. A success takes the counter away. A longer wait is of a clock that was ahead.
    pub(crate) async fn begin_attempt(&self, subject: &str, free: i64) -> Result<Attempt> {
        let now = self.now();
        let counted: Option<i64> = sqlx::query_scalar(
            "INSERT INTO login_failures (subject, failures, blocked_until, expires_at)
             VALUES ($1, 1, 0, $4)
             ON CONFLICT (subject) DO UPDATE SET
               failures = CASE WHEN login_failures.expires_at <= $2 THEN 1
                               ELSE login_failures.failures + 1 END,
               blocked_until = CASE WHEN login_failures.expires_at <= $2
                                      OR login_failures.failures + 1 < $3 THEN 0
                                    WHEN login_failures.failures + 1 - $3 >= 6 THEN $2 + 60
                                    ELSE $2 + (1 << CAST(login_failures.failures + 1 - $3 AS INTEGER)) END,
               expires_at = $4
             WHERE login_failures.blocked_until <= $2 OR login_failures.blocked_until > $2 + 60
             RETURNING failures",
        )
        .bind(subject)
        .bind(now.unix())
        .bind(free)
        .bind(now.after(MEMORY).unix())
        .fetch_optional(self.writer())
        .await?;
        if counted.is_some() {
            return Ok(Attempt::Allowed);
        }
        let until: Option<i64> =
            sqlx::query_scalar("SELECT blocked_until FROM login_failures WHERE subject = $1")
                .bind(subject)
                .fetch_optional(self.reader())
                .await?;
        Ok(Attempt::TooEarly(until.map_or(now, Timestamp::from_unix)))
    }

    pub(crate) async fn forget_failures(&self, subject: &str) -> Result<()> {
        sqlx::query("DELETE FROM login_failures WHERE subject = $1")
            .bind(subject)
            .execute(self.writer())
            .await?;
        Ok(())
    }

    /// Takes back one counted attempt: it was not a guess.
    pub(crate) async fn take_back_attempt(&self, subject: &str) -> Result<()> {
        sqlx::query(
            "UPDATE login_failures SET failures = failures - 1, blocked_until = 0
             WHERE subject = $1 AND failures > 0",
        )
        .bind(subject)
        .execute(self.writer())
        .await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use hallpass_testkit::clock::FakeClock;
    use hallpass_testkit::database::TestDatabase;

    use super::*;
    use crate::store::testing::open;

    #[tokio::test]
    async fn a_clock_that_was_an_hour_ahead_keeps_nobody_waiting_for_an_hour() {
        let database = TestDatabase::new();
        let right = Timestamp::from_unix(1_000_000);
        let clock = FakeClock::at(right.after(Duration::from_secs(60 * 60)));
        let store = open(&database, clock.clock()).await;
        let mut waits = Duration::ZERO;
        while waits < Duration::from_secs(60) {
            if let Attempt::TooEarly(until) = store.begin_attempt("ada", 1).await.unwrap() {
                waits = store.now().until(until);
                clock.advance(waits);
            }
        }
        assert!(matches!(store.begin_attempt("ada", 1).await.unwrap(), Attempt::Allowed));
        assert!(matches!(store.begin_attempt("ada", 1).await.unwrap(), Attempt::TooEarly(_)));
        clock.set(right);
        assert_eq!(store.begin_attempt("ada", 1).await.unwrap(), Attempt::Allowed);
        assert!(
            matches!(store.begin_attempt("ada", 1).await.unwrap(), Attempt::TooEarly(_)),
            "it waits as ever"
        );
    }
}
