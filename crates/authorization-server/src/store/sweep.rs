//! Rows that nobody can use any more are deleted, a few at a time, so that no writer waits long.

use std::time::Duration;

use super::{Result, Store};

const BATCH: i64 = 500;

/// A used code is kept for a day after its end, so that a late replay is still recognised as one.
const CODE_MEMORY: Duration = Duration::from_secs(24 * 60 * 60);

/// Each deletes at most `$2` rows that ended before `$1`.
const SWEEPS: [&str; 8] = [
    "DELETE FROM interactions WHERE id IN
       (SELECT id FROM interactions WHERE expires_at <= $1 LIMIT $2)",
    "DELETE FROM sessions WHERE token_hash IN
       (SELECT token_hash FROM sessions WHERE expires_at <= $1 LIMIT $2)",
    // Tokens first: a grant with thousands of them would take them all along in one statement.
    "DELETE FROM refresh_tokens WHERE token_hash IN
       (SELECT token_hash FROM refresh_tokens WHERE expires_at <= $1 LIMIT $2)",
    "DELETE FROM grants WHERE id IN
       (SELECT id FROM grants WHERE expires_at <= $1 LIMIT $2)",
    "DELETE FROM revocations WHERE revoked IN
       (SELECT revoked FROM revocations WHERE expires_at <= $1 LIMIT $2)",
    "DELETE FROM login_failures WHERE subject IN
       (SELECT subject FROM login_failures WHERE expires_at <= $1 LIMIT $2)",
    "DELETE FROM setup_links WHERE token_hash IN
       (SELECT token_hash FROM setup_links WHERE expires_at <= $1 LIMIT $2)",
    SWEEP_CODES,
];

const SWEEP_CODES: &str = "DELETE FROM codes WHERE code_hash IN
       (SELECT code_hash FROM codes WHERE expires_at <= $1 LIMIT $2)";

impl Store {
    /// Deletes what has expired, and says how many rows that were.
    pub(crate) async fn sweep(&self) -> Result<u64> {
        let now = self.now();
        let mut swept = 0;
        for sweep in SWEEPS {
            let before = if sweep == SWEEP_CODES { now.before(CODE_MEMORY) } else { now };
            loop {
                let deleted = sqlx::query(sweep)
                    .bind(before.unix())
                    .bind(BATCH)
                    .execute(self.writer())
                    .await?
                    .rows_affected();
                swept += deleted;
                if deleted < BATCH.unsigned_abs() {
                    break;
                }
            }
        }
        self.revoked().sweep();
        Ok(swept)
    }
}
