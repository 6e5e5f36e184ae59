//! Browsers in which an account has logged in before.

use std::time::Duration;

use super::{Result, Store};

/// A browser is forgotten when nobody has logged in with it for so long.
const MEMORY: Duration = Duration::from_secs(365 * 24 * 60 * 60);

impl Store {
    pub(crate) async fn is_known_browser(&self, known: &str) -> Result<bool> {
        let found: i64 =
            sqlx::query_scalar("SELECT COUNT(*) FROM known_browsers WHERE known = $1 AND expires_at > $2")
                .bind(known)
                .bind(self.now().unix())
                .fetch_one(self.reader())
                .await?;
        Ok(found == 1)
    }

    pub(crate) async fn remember_browser(&self, known: &str) -> Result<()> {
        sqlx::query(
            "INSERT INTO known_browsers (known, expires_at) VALUES ($1, $2)
             ON CONFLICT (known) DO UPDATE SET expires_at = excluded.expires_at",
        )
        .bind(known)
        .bind(self.now().after(MEMORY).unix())
        .execute(self.writer())
        .await?;
        Ok(())
    }
}
