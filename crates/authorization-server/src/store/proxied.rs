//! What stands behind codes and tokens where those of a provider are handed on, and who asks the provider.

use hallpass_protocol::time::Timestamp;

use super::{Result, Store};

/// What was agreed to for an access token of the provider's, under one of its grants.
pub(crate) struct HandedOver {
    /// The first that it was given under: with the token's hash, this one and no other.
    pub(crate) first_grant_id: String,
    pub(crate) grant_id: String,
    pub(crate) client_id: String,
    pub(crate) resource: String,
    pub(crate) scopes: String,
    pub(crate) is_revoked: bool,
}

pub(super) const FIND_HANDED_OVER: &str =
    "SELECT handed_over.grant_id, grants.id, grants.client_id, grants.resource, grants.scopes, grants.revoked_at
     FROM handed_over JOIN handed_over_under ON handed_over_under.token_hash = handed_over.token_hash
       JOIN grants ON grants.id = handed_over_under.grant_id
     WHERE handed_over.token_hash = $1 AND handed_over.expires_at > $2 AND handed_over.grant_id <> ''";

const END_WITH_GRANTS: &str = "UPDATE handed_over SET expires_at = ends.first FROM
       (SELECT MIN(grants.expires_at) AS first FROM handed_over_under
          JOIN grants ON grants.id = handed_over_under.grant_id WHERE handed_over_under.token_hash = $1) AS ends
     WHERE token_hash = $1 AND handed_over.expires_at > ends.first";

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

    /// Notes to which client, under which grant, an access token of the provider's is given, beside the grants that it was given
    /// under before and that live. False where another client has the very same. One that was given back stays so.
    pub(crate) async fn note_handed_over(
        &self,
        token_hash: &str,
        client_id: &str,
        grant_id: &str,
        ends: Timestamp,
    ) -> Result<bool> {
        let mut tx = self.begin().await?;
        let noted = sqlx::query(
            "INSERT INTO handed_over (token_hash, client_id, grant_id, expires_at) VALUES ($1, $2, $3, $4)
             ON CONFLICT (token_hash) DO UPDATE SET expires_at = excluded.expires_at
             WHERE handed_over.client_id = excluded.client_id",
        )
        .bind(token_hash)
        .bind(client_id)
        .bind(grant_id)
        .bind(ends.unix())
        .execute(&mut *tx)
        .await?;
        if noted.rows_affected() == 0 {
            return Ok(false);
        }
        // The provider has given it anew: what has ended since bounds it no more.
        sqlx::query(
            "DELETE FROM handed_over_under WHERE token_hash = $1 AND NOT EXISTS
               (SELECT 1 FROM grants WHERE grants.id = handed_over_under.grant_id
                  AND revoked_at IS NULL AND expires_at > $2)",
        )
        .bind(token_hash)
        .bind(self.now().unix())
        .execute(&mut *tx)
        .await?;
        sqlx::query(
            "INSERT INTO handed_over_under (token_hash, grant_id) VALUES ($1, $2)
             ON CONFLICT (token_hash, grant_id) DO NOTHING",
        )
        .bind(token_hash)
        .bind(grant_id)
        .execute(&mut *tx)
        .await?;
        // It ends with the first of its grants: by then that one's row may be swept, and would bound it no more.
        sqlx::query(END_WITH_GRANTS).bind(token_hash).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// What was agreed to for a token while it lives, under each of its grants; nothing where it was given back.
    pub(crate) async fn find_handed_over(&self, token_hash: &str) -> Result<Vec<HandedOver>> {
        type Row = (String, String, String, String, String, Option<i64>);
        let found: Vec<Row> = sqlx::query_as(FIND_HANDED_OVER)
            .bind(token_hash)
            .bind(self.now().unix())
            .fetch_all(self.reader())
            .await?;
        let mut found: Vec<_> = found
            .into_iter()
            .map(|(first_grant_id, grant_id, client_id, resource, scopes, revoked_at)| HandedOver {
                first_grant_id,
                grant_id,
                client_id,
                resource,
                scopes,
                is_revoked: revoked_at.is_some(),
            })
            .collect();
        found.sort_by(|one, other| one.grant_id.cmp(&other.grant_id));
        Ok(found)
    }

    /// Its client gives it back: nothing is agreed to for it any more. The first grant that it was given under; empty where it was
    /// given back before, nothing where it is not that client's.
    pub(crate) async fn end_handed_over(&self, token_hash: &str, client_id: &str) -> Result<Option<String>> {
        let mut tx = self.begin().await?;
        let first =
            sqlx::query_scalar("SELECT grant_id FROM handed_over WHERE token_hash = $1 AND client_id = $2")
                .bind(token_hash)
                .bind(client_id)
                .fetch_optional(&mut *tx)
                .await?;
        sqlx::query("UPDATE handed_over SET grant_id = '' WHERE token_hash = $1 AND client_id = $2")
            .bind(token_hash)
            .bind(client_id)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(first)
    }
}
