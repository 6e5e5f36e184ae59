//! What stands behind codes and tokens where those of a provider are handed on, and who asks the provider.

use hallpass_protocol::time::Timestamp;

use super::refresh_tokens::ROTATE;
use super::{Result, Store};

/// A refresh token that was used at the provider.
pub(crate) struct Rotation<'a> {
    pub(crate) hash: &'a str,
    /// What the used token yields.
    pub(crate) sealed_next: &'a str,
    pub(crate) successor_hash: &'a str,
    /// The provider's token, sealed under the successor.
    pub(crate) behind: &'a str,
    pub(crate) ends: Timestamp,
}

pub(super) const TAKE_TURN: &str = "UPDATE refresh_tokens SET asking_until = $3
     WHERE token_hash = $1 AND used_at IS NULL AND expires_at > $2
       AND (asking_until IS NULL OR asking_until <= $2)
     RETURNING behind";

impl Store {
    /// A person of a provider's. Nobody logs in with the account: no password has that hash.
    pub(crate) async fn keep_provided_user(&self, id: &str, name: &str, password_hash: &str) -> Result<()> {
        sqlx::query(
            "INSERT INTO users (id, name, name_key, password_hash, created_at)
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
        )
        .bind(id)
        .bind(name)
        .bind(name.to_lowercase())
        .bind(password_hash)
        .bind(self.now().unix())
        .execute(self.writer())
        .await?;
        Ok(())
    }

    /// What stands behind this refresh token now, for the one caller who asks the provider about it, until its turn ends. What
    /// was read before may be spent: whoever had the turn before may have left another.
    pub(crate) async fn take_turn_at_provider(&self, hash: &str, ends: Timestamp) -> Result<Option<String>> {
        let taken: Option<Option<String>> = sqlx::query_scalar(TAKE_TURN)
            .bind(hash)
            .bind(self.now().unix())
            .bind(ends.unix())
            .fetch_optional(self.writer())
            .await?;
        Ok(taken.flatten())
    }

    /// Nothing came of it: somebody else may ask, with this behind the token.
    pub(crate) async fn end_turn_at_provider(&self, hash: &str, behind: &str) -> Result<()> {
        sqlx::query(
            "UPDATE refresh_tokens SET asking_until = NULL, behind = $2
             WHERE token_hash = $1 AND used_at IS NULL",
        )
        .bind(hash)
        .bind(behind)
        .execute(self.writer())
        .await?;
        Ok(())
    }

    /// Consumes a token and stores its successor, with what stands behind it. False where the grant has ended, or somebody was
    /// faster.
    pub(crate) async fn rotate_behind(&self, rotation: &Rotation<'_>) -> Result<bool> {
        let mut tx = self.begin().await?;
        let grant_id: Option<String> = sqlx::query_scalar(ROTATE)
            .bind(rotation.hash)
            .bind(self.now().unix())
            .bind(rotation.sealed_next)
            .fetch_optional(&mut *tx)
            .await?;
        let Some(grant_id) = grant_id else { return Ok(false) };
        sqlx::query(
            "INSERT INTO refresh_tokens (token_hash, grant_id, expires_at, behind) VALUES ($1, $2, $3, $4)",
        )
        .bind(rotation.successor_hash)
        .bind(grant_id)
        .bind(rotation.ends.unix())
        .bind(rotation.behind)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Notes to which client an access token of the provider's was given.
    pub(crate) async fn note_handed_over(
        &self,
        token_hash: &str,
        client_id: &str,
        ends: Timestamp,
    ) -> Result<()> {
        sqlx::query(
            "INSERT INTO handed_over (token_hash, client_id, expires_at) VALUES ($1, $2, $3)
             ON CONFLICT DO NOTHING",
        )
        .bind(token_hash)
        .bind(client_id)
        .bind(ends.unix())
        .execute(self.writer())
        .await?;
        Ok(())
    }

    /// Whether this client was given that token.
    pub(crate) async fn was_handed_over(&self, token_hash: &str, client_id: &str) -> Result<bool> {
        let found: Option<i64> =
            sqlx::query_scalar("SELECT expires_at FROM handed_over WHERE token_hash = $1 AND client_id = $2")
                .bind(token_hash)
                .bind(client_id)
                .fetch_optional(self.reader())
                .await?;
        Ok(found.is_some())
    }
}
