//! Rows that nobody can use any more are deleted, a few at a time, so that no writer waits long.

use std::time::Duration;

use hallpass_protocol::time::Timestamp;
use tokio::time::{Instant, timeout};

use super::locks::Turn;
use super::{Result, Store, StoreError};

/// In SQLite, among a million grants, 500 refresh tokens hold the one writer for 40 ms and 100 for 3 ms; all of them take as
/// long.
const BATCH: i64 = 100;
/// After a batch everybody else has the database, for so many times as long as the batch took.
const REST: u32 = 4;

/// How long a batch may take: a database that answers nothing must not end sweeping for good.
const PATIENCE: Duration = Duration::from_secs(10);
/// So many batches fill SQLite's log with a few thousand pages.
const BATCHES_A_LOG: u64 = 20;

/// A used code is kept for a day after its end, so that a late replay is still recognised as one.
const CODE_MEMORY: Duration = Duration::from_secs(24 * 60 * 60);

/// Each deletes at most `$2` rows that ended before `$1`. The end is judged twice, for PostgreSQL: a row that another
/// transaction has brought to life since it was chosen stays. The plus keeps its index for choosing.
const SWEEPS: &[&str] = &[
    "DELETE FROM interactions WHERE +expires_at <= $1 AND id IN
       (SELECT id FROM interactions WHERE expires_at <= $1 LIMIT $2)",
    "DELETE FROM sessions WHERE +expires_at <= $1 AND token_hash IN
       (SELECT token_hash FROM sessions WHERE expires_at <= $1 LIMIT $2)",
    "DELETE FROM handed_over WHERE +expires_at <= $1 AND token_hash IN
       (SELECT token_hash FROM handed_over WHERE expires_at <= $1 LIMIT $2)",
    "DELETE FROM access_tokens WHERE +expires_at <= $1 AND token_hash IN
       (SELECT token_hash FROM access_tokens WHERE expires_at <= $1 LIMIT $2)",
    // Tokens first: a grant with thousands of them would take them all along in one statement.
    "DELETE FROM refresh_tokens WHERE +expires_at <= $1 AND token_hash IN
       (SELECT token_hash FROM refresh_tokens WHERE expires_at <= $1 LIMIT $2)",
    "DELETE FROM grants WHERE +expires_at <= $1 AND id IN
       (SELECT id FROM grants WHERE expires_at <= $1 LIMIT $2)",
    "DELETE FROM revocations WHERE +expires_at <= $1 AND revoked IN
       (SELECT revoked FROM revocations WHERE expires_at <= $1 LIMIT $2)",
    "DELETE FROM login_failures WHERE +expires_at <= $1 AND subject IN
       (SELECT subject FROM login_failures WHERE expires_at <= $1 LIMIT $2)",
    "DELETE FROM known_browsers WHERE +expires_at <= $1 AND known IN
       (SELECT known FROM known_browsers WHERE expires_at <= $1 LIMIT $2)",
    "DELETE FROM setup_links WHERE +expires_at <= $1 AND token_hash IN
       (SELECT token_hash FROM setup_links WHERE expires_at <= $1 LIMIT $2)",
    "DELETE FROM user_links WHERE +expires_at <= $1 AND token_hash IN
       (SELECT token_hash FROM user_links WHERE expires_at <= $1 LIMIT $2)",
    "DELETE FROM pushed_requests WHERE +expires_at <= $1 AND request_hash IN
       (SELECT request_hash FROM pushed_requests WHERE expires_at <= $1 LIMIT $2)",
    "DELETE FROM provider_legs WHERE +expires_at <= $1 AND state_hash IN
       (SELECT state_hash FROM provider_legs WHERE expires_at <= $1 LIMIT $2)",
    "DELETE FROM device_codes WHERE +expires_at <= $1 AND device_hash IN
       (SELECT device_hash FROM device_codes WHERE expires_at <= $1 LIMIT $2)",
    "DELETE FROM seen_ids WHERE +expires_at <= $1 AND seen IN
       (SELECT seen FROM seen_ids WHERE expires_at <= $1 LIMIT $2)",
    "DELETE FROM half_logins WHERE +expires_at <= $1 AND token_hash IN
       (SELECT token_hash FROM half_logins WHERE expires_at <= $1 LIMIT $2)",
    "DELETE FROM used_challenges WHERE +expires_at <= $1 AND challenge IN
       (SELECT challenge FROM used_challenges WHERE expires_at <= $1 LIMIT $2)",
    "DELETE FROM initial_access_tokens WHERE +expires_at <= $1 AND id IN
       (SELECT id FROM initial_access_tokens WHERE expires_at <= $1 LIMIT $2)",
    "DELETE FROM scim_tokens WHERE +expires_at <= $1 AND id IN
       (SELECT id FROM scim_tokens WHERE expires_at <= $1 LIMIT $2)",
    "DELETE FROM registrations WHERE +expires_at <= $1 AND id IN
       (SELECT id FROM registrations WHERE expires_at <= $1 LIMIT $2)",
    SWEEP_CODES,
    SWEEP_EVENTS,
    SWEEP_FLEETING_EVENTS,
    // Anyone can register a client, so rows that nobody uses go: after a day where no code was ever issued to it, and
    // after 90 days without one where nothing that it was granted is alive.
    "DELETE FROM clients
     WHERE (+used_at <= $1 - 7776000 OR used_at IS NULL) AND id IN
       (SELECT id FROM clients
        WHERE origin = 'dynamic'
          AND (used_at <= $1 - 7776000 OR (used_at IS NULL AND created_at <= $1 - 86400))
          AND NOT EXISTS (SELECT 1 FROM grants
                          WHERE grants.client_id = clients.id AND revoked_at IS NULL AND expires_at > $1)
        LIMIT $2)",
];

const SWEEP_CODES: &str = "DELETE FROM codes WHERE +expires_at <= $1 AND code_hash IN
       (SELECT code_hash FROM codes WHERE expires_at <= $1 LIMIT $2)";

/// How long what strangers cause stands in the audit log: long enough to look a reference up.
const FLEETING_MEMORY: Duration = Duration::from_secs(7 * 24 * 60 * 60);

const SWEEP_EVENTS: &str = "DELETE FROM audit_events WHERE id IN
       (SELECT id FROM audit_events WHERE fleeting = 0 AND at <= $1 LIMIT $2)";

const SWEEP_FLEETING_EVENTS: &str = "DELETE FROM audit_events WHERE id IN
       (SELECT id FROM audit_events WHERE fleeting = 1 AND at <= $1 LIMIT $2)";

impl Store {
    /// Deletes what has expired, and says how many rows that were. A server that runs does so by itself.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn sweep(&self) -> Result<u64> {
        self.revoked().sweep();
        let now = self.now();
        let mut swept = 0;
        for &sweep in SWEEPS {
            let before = match sweep {
                SWEEP_CODES => now.before(CODE_MEMORY),
                SWEEP_EVENTS => now.before(self.audit().kept()),
                SWEEP_FLEETING_EVENTS => now.before(FLEETING_MEMORY),
                _ => now,
            };
            loop {
                let began = Instant::now();
                let batch = timeout(PATIENCE, self.sweep_batch(sweep, before)).await;
                let batch = batch.unwrap_or(Err(StoreError::NoAnswer(PATIENCE)))?;
                let Some(deleted) = batch else { return Ok(swept) };
                swept += deleted;
                if deleted < BATCH.unsigned_abs() {
                    break;
                }
                tokio::time::sleep(began.elapsed() * REST).await;
                if (swept / BATCH.unsigned_abs()).is_multiple_of(BATCHES_A_LOG) {
                    self.take_log_in().await;
                }
            }
        }
        Ok(swept)
    }

    /// `None` where another replica sweeps.
    async fn sweep_batch(&self, sweep: &'static str, before: Timestamp) -> Result<Option<u64>> {
        let mut tx = self.begin().await?;
        if !self.try_turn(&mut tx, Turn::Sweeping).await? {
            return Ok(None);
        }
        let deleted = sqlx::query(sweep).bind(before.unix()).bind(BATCH).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(Some(deleted.rows_affected()))
    }
}

#[cfg(test)]
mod tests {
    use hallpass_protocol::time::Timestamp;
    use hallpass_testkit::clock::FakeClock;
    use hallpass_testkit::database::TestDatabase;

    use crate::store::CodeRow;
    use crate::store::testing::open;

    #[tokio::test]
    async fn takes_what_has_ended_and_nothing_else() {
        let database = TestDatabase::new();
        let clock = FakeClock::at(Timestamp::from_unix(1_000_000));
        let store = open(&database, clock.clock()).await;
        let at = Timestamp::from_unix;
        for n in 0..1201 {
            let id = format!("old {n}");
            store.insert_interaction(&id, "b", "{}", false, at(1_000_010)).await.unwrap();
        }
        store.insert_interaction("new", "b", "{}", false, at(1_000_011)).await.unwrap();
        clock.set(at(1_000_010));
        assert_eq!(store.sweep().await.unwrap(), 1201, "more than one batch");
        assert!(store.find_interaction("new", "b").await.unwrap().is_some());
        assert_eq!(store.sweep().await.unwrap(), 0);
    }

    #[tokio::test]
    async fn a_used_code_is_recognised_for_a_day() {
        const DAY: i64 = 24 * 60 * 60;
        let database = TestDatabase::new();
        let clock = FakeClock::at(Timestamp::from_unix(1_000_000));
        let store = open(&database, clock.clock()).await;
        assert!(store.insert_user("u", "u", "u", "h").await.unwrap());
        store.insert_code("c", &CodeRow::sample("u", 1_000_060)).await.unwrap();
        assert!(store.redeem_code("c", Timestamp::from_unix(9_000_000), None, None).await.unwrap());
        clock.set(Timestamp::from_unix(1_000_060 + DAY - 1));
        assert_eq!(store.sweep().await.unwrap(), 0);
        clock.set(Timestamp::from_unix(1_000_060 + DAY));
        assert_eq!(store.sweep().await.unwrap(), 1);
    }
}
