//! Links that set a person's password, once.

use hallpass_protocol::time::Timestamp;

use super::{Result, Store};

pub(super) const USE: &str = "DELETE FROM user_links
     WHERE token_hash = $1 AND expires_at > $2
       AND EXISTS (SELECT 1 FROM users WHERE users.id = user_links.user_id AND disabled_at IS NULL)
     RETURNING user_id";

impl Store {
    /// Replaces the person's earlier links. False where nobody has the name, or the account is disabled.
    pub(crate) async fn replace_user_link(
        &self,
        name_key: &str,
        token_hash: &str,
        expires_at: Timestamp,
    ) -> Result<bool> {
        let mut tx = self.begin().await?;
        let id: Option<String> =
            sqlx::query_scalar("SELECT id FROM users WHERE name_key = $1 AND disabled_at IS NULL")
                .bind(name_key)
                .fetch_optional(&mut *tx)
                .await?;
        let Some(id) = id else { return Ok(false) };
        // Or two at once would each leave a link.
        self.hold_user_alone(&mut tx, &id).await?;
        sqlx::query("DELETE FROM user_links WHERE user_id = $1").bind(&id).execute(&mut *tx).await?;
        sqlx::query("INSERT INTO user_links (token_hash, user_id, expires_at) VALUES ($1, $2, $3)")
            .bind(token_hash)
            .bind(id)
            .bind(expires_at.unix())
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(true)
    }

    /// The name of the person whose password the link sets, while it works.
    pub(crate) async fn find_user_link(&self, token_hash: &str) -> Result<Option<String>> {
        Ok(sqlx::query_scalar(
            "SELECT users.name FROM user_links JOIN users ON users.id = user_links.user_id
             WHERE user_links.token_hash = $1 AND user_links.expires_at > $2 AND users.disabled_at IS NULL",
        )
        .bind(token_hash)
        .bind(self.now().unix())
        .fetch_optional(self.reader())
        .await?)
    }

    /// Consumes the link, sets the password and ends every session of its person, all or nothing. True for exactly one
    /// caller.
    pub(crate) async fn use_user_link(&self, token_hash: &str, password_hash: &str) -> Result<bool> {
        let mut tx = self.begin().await?;
        // The person's row first, as whoever sets a password has it: two orders of two rows would make a ring.
        self.hold_user_of_link(&mut tx, token_hash).await?;
        let id: Option<String> =
            sqlx::query_scalar(USE).bind(token_hash).bind(self.now().unix()).fetch_optional(&mut *tx).await?;
        let Some(id) = id else { return Ok(false) };
        sqlx::query("UPDATE users SET password_hash = $2 WHERE id = $1")
            .bind(&id)
            .bind(password_hash)
            .execute(&mut *tx)
            .await?;
        for end in [
            "DELETE FROM sessions WHERE user_id = $1",
            "DELETE FROM half_logins WHERE user_id = $1",
            "UPDATE totp SET wrong = 0 WHERE user_id = $1",
        ] {
            sqlx::query(end).bind(&id).execute(&mut *tx).await?;
        }
        tx.commit().await?;
        Ok(true)
    }
}
