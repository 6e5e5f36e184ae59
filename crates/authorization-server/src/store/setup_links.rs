//! The one-time link for the first user.

use hallpass_protocol::time::Timestamp;

use super::locks::Turn;
use super::{Result, Store};

impl Store {
    /// Replaces every earlier link.
    pub(crate) async fn replace_setup_link(&self, token_hash: &str, expires_at: Timestamp) -> Result<()> {
        let mut tx = self.begin().await?;
        self.take_turn(&mut tx, Turn::FirstUser).await?;
        sqlx::query("DELETE FROM setup_links").execute(&mut *tx).await?;
        sqlx::query("INSERT INTO setup_links (token_hash, expires_at) VALUES ($1, $2)")
            .bind(token_hash)
            .bind(expires_at.unix())
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    pub(crate) async fn setup_link_is_live(&self, token_hash: &str) -> Result<bool> {
        let found: i64 = sqlx::query_scalar(
            "SELECT COUNT(*) FROM setup_links
             WHERE token_hash = $1 AND expires_at > $2 AND NOT EXISTS (SELECT 1 FROM users)",
        )
        .bind(token_hash)
        .bind(self.now().unix())
        .fetch_one(self.reader())
        .await?;
        Ok(found == 1)
    }

    /// Consumes the link and makes the first user, who runs the server, both or neither. True for exactly one caller.
    pub(crate) async fn use_setup_link(
        &self,
        token_hash: &str,
        user: (&str, &str, &str),
        password_hash: &str,
    ) -> Result<bool> {
        let (id, name, name_key) = user;
        let now = self.now().unix();
        let mut tx = self.begin().await?;
        self.take_turn(&mut tx, Turn::FirstUser).await?;
        let used: Option<String> = sqlx::query_scalar(
            "DELETE FROM setup_links
             WHERE token_hash = $1 AND expires_at > $2 AND NOT EXISTS (SELECT 1 FROM users)
             RETURNING token_hash",
        )
        .bind(token_hash)
        .bind(now)
        .fetch_optional(&mut *tx)
        .await?;
        if used.is_none() {
            return Ok(false);
        }
        sqlx::query(
            "INSERT INTO users (id, name, name_key, password_hash, created_at, is_admin)
             VALUES ($1, $2, $3, $4, $5, 1)",
        )
        .bind(id)
        .bind(name)
        .bind(name_key)
        .bind(password_hash)
        .bind(now)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(true)
    }
}
