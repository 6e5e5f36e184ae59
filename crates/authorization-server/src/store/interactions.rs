//! Authorization requests that wait for their person.

use hallpass_protocol::time::Timestamp;

use super::{Result, Store};

impl Store {
    pub(crate) async fn insert_interaction(
        &self,
        id: &str,
        browser_hash: &str,
        request: &str,
        expires_at: Timestamp,
    ) -> Result<()> {
        sqlx::query(
            "INSERT INTO interactions (id, browser_hash, request, created_at, expires_at)
             VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(id)
        .bind(browser_hash)
        .bind(request)
        .bind(self.now().unix())
        .bind(expires_at.unix())
        .execute(self.writer())
        .await?;
        Ok(())
    }

    /// The waiting request, for the browser that brought it.
    pub(crate) async fn find_interaction(&self, id: &str, browser_hash: &str) -> Result<Option<String>> {
        Ok(sqlx::query_scalar(
            "SELECT request FROM interactions
             WHERE id = $1 AND browser_hash = $2 AND expires_at > $3",
        )
        .bind(id)
        .bind(browser_hash)
        .bind(self.now().unix())
        .fetch_optional(self.reader())
        .await?)
    }

    /// Notes what has happened since.
    pub(crate) async fn update_interaction(&self, id: &str, browser_hash: &str, request: &str) -> Result<()> {
        sqlx::query("UPDATE interactions SET request = $3 WHERE id = $1 AND browser_hash = $2")
            .bind(id)
            .bind(browser_hash)
            .bind(request)
            .execute(self.writer())
            .await?;
        Ok(())
    }

    /// Ends the interaction. True for exactly one of several callers.
    pub(crate) async fn finish_interaction(&self, id: &str, browser_hash: &str) -> Result<bool> {
        let ended: Option<String> = sqlx::query_scalar(
            "DELETE FROM interactions WHERE id = $1 AND browser_hash = $2 AND expires_at > $3
             RETURNING id",
        )
        .bind(id)
        .bind(browser_hash)
        .bind(self.now().unix())
        .fetch_optional(self.writer())
        .await?;
        Ok(ended.is_some())
    }
}
