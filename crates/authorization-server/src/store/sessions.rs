//! Browsers that are logged in.

use hallpass_protocol::time::Timestamp;

use super::{Result, Store};

/// A browser session whose person may still log in.
#[derive(Clone, Debug)]
pub(crate) struct SessionRow {
    pub(crate) user_id: String,
    pub(crate) user_name: String,
}

impl Store {
    pub(crate) async fn insert_session(
        &self,
        token_hash: &str,
        user_id: &str,
        expires_at: Timestamp,
    ) -> Result<()> {
        sqlx::query(
            "INSERT INTO sessions (token_hash, user_id, authenticated_at, expires_at)
             VALUES ($1, $2, $3, $4)",
        )
        .bind(token_hash)
        .bind(user_id)
        .bind(self.now().unix())
        .bind(expires_at.unix())
        .execute(self.writer())
        .await?;
        Ok(())
    }

    pub(crate) async fn find_session(&self, token_hash: &str) -> Result<Option<SessionRow>> {
        let row: Option<(String, String)> = sqlx::query_as(
            "SELECT users.id, users.name
             FROM sessions JOIN users ON users.id = sessions.user_id
             WHERE sessions.token_hash = $1 AND sessions.expires_at > $2
               AND users.disabled_at IS NULL",
        )
        .bind(token_hash)
        .bind(self.now().unix())
        .fetch_optional(self.reader())
        .await?;
        Ok(row.map(|(user_id, user_name)| SessionRow { user_id, user_name }))
    }

    pub(crate) async fn delete_session(&self, token_hash: &str) -> Result<()> {
        sqlx::query("DELETE FROM sessions WHERE token_hash = $1")
            .bind(token_hash)
            .execute(self.writer())
            .await?;
        Ok(())
    }
}
