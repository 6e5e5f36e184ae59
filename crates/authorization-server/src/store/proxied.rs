//! What stands behind codes and tokens where those of a provider are handed on, and who asks the provider.

use hallpass_protocol::time::Timestamp;

use super::{Result, Store};

/// What was agreed to for an access token of the provider's.
pub(crate) struct HandedOver {
    pub(crate) grant_id: String,
    pub(crate) client_id: String,
    pub(crate) resource: String,
    pub(crate) scopes: String,
}

pub(super) const FIND_HANDED_OVER: &str = "SELECT grants.id, grants.client_id, grants.resource, grants.scopes
     FROM handed_over JOIN grants ON grants.id = handed_over.grant_id
     WHERE token_hash = $1 AND handed_over.expires_at > $2 AND grants.revoked_at IS NULL";

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

    /// Notes to which client, under which grant, an access token of the provider's is given. False where another client has the
    /// very same. One that was given back stays so.
    pub(crate) async fn note_handed_over(
        &self,
        token_hash: &str,
        client_id: &str,
        grant_id: &str,
        ends: Timestamp,
    ) -> Result<bool> {
        let noted = sqlx::query(
            "INSERT INTO handed_over (token_hash, client_id, grant_id, expires_at) VALUES ($1, $2, $3, $4)
             ON CONFLICT (token_hash) DO UPDATE SET expires_at = excluded.expires_at,
               grant_id = CASE WHEN handed_over.grant_id = '' THEN '' ELSE excluded.grant_id END
             WHERE handed_over.client_id = excluded.client_id",
        )
        .bind(token_hash)
        .bind(client_id)
        .bind(grant_id)
        .bind(ends.unix())
        .execute(self.writer())
        .await?;
        Ok(noted.rows_affected() > 0)
    }

    /// What was agreed to for a token, while it and its grant live.
    pub(crate) async fn find_handed_over(&self, token_hash: &str) -> Result<Option<HandedOver>> {
        let found: Option<(String, String, String, String)> = sqlx::query_as(FIND_HANDED_OVER)
            .bind(token_hash)
            .bind(self.now().unix())
            .fetch_optional(self.reader())
            .await?;
        Ok(found.map(|(grant_id, client_id, resource, scopes)| HandedOver {
            grant_id,
            client_id,
            resource,
            scopes,
        }))
    }

    /// Its client gives it back: nothing is agreed to for it any more. The grant that it was of, where it was that client's;
    /// nothing stands in its place where it was given back before.
    pub(crate) async fn end_handed_over(&self, token_hash: &str, client_id: &str) -> Result<Option<String>> {
        let grant_id: Option<String> =
            sqlx::query_scalar("SELECT grant_id FROM handed_over WHERE token_hash = $1 AND client_id = $2")
                .bind(token_hash)
                .bind(client_id)
                .fetch_optional(self.reader())
                .await?;
        if grant_id.is_some() {
            sqlx::query("UPDATE handed_over SET grant_id = '' WHERE token_hash = $1 AND client_id = $2")
                .bind(token_hash)
                .bind(client_id)
                .execute(self.writer())
                .await?;
        }
        Ok(grant_id)
    }
}
