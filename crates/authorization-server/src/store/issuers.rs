//! What the server is called, for those who work on its database from outside.

use super::{Result, Store};

impl Store {
    /// Notes that a server of this name runs on this database.
    pub(crate) async fn save_issuer(&self, issuer: &str) -> Result<()> {
        sqlx::query(
            "INSERT INTO issuers (issuer, started_at) VALUES ($1, $2)
             ON CONFLICT (issuer) DO UPDATE SET started_at = excluded.started_at",
        )
        .bind(issuer)
        .bind(self.now().unix())
        .execute(self.writer())
        .await?;
        Ok(())
    }

    /// The name under which a server was last started.
    pub(crate) async fn last_issuer(&self) -> Result<Option<String>> {
        Ok(sqlx::query_scalar("SELECT issuer FROM issuers ORDER BY started_at DESC LIMIT 1")
            .fetch_optional(self.reader())
            .await?)
    }
}
