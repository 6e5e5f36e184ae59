//! Tokens by which identity providers provision people, by their hashes.

use hallpass_protocol::time::Timestamp;

use super::{Result, Store};
use crate::scim::{ProvisioningName, ProvisioningToken};

impl Store {
    pub(crate) async fn insert_scim_token(&self, token: &ProvisioningToken, token_hash: &str) -> Result<()> {
        sqlx::query(
            "INSERT INTO scim_tokens (id, token_hash, note, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(&token.id)
        .bind(token_hash)
        .bind(&token.note)
        .bind(token.created_at.unix())
        .bind(token.expires_at.unix())
        .execute(self.writer())
        .await?;
        Ok(())
    }

    /// The token with this hash, while it counts.
    pub(crate) async fn find_scim_token(&self, token_hash: &str) -> Result<Option<ProvisioningName>> {
        let row: Option<(String, String)> =
            sqlx::query_as("SELECT id, note FROM scim_tokens WHERE token_hash = $1 AND expires_at > $2")
                .bind(token_hash)
                .bind(self.now().unix())
                .fetch_optional(self.reader())
                .await?;
        Ok(row.map(|(id, note)| ProvisioningName { id, note }))
    }

    /// Those that have not ended, newest first.
    pub(crate) async fn list_scim_tokens(&self) -> Result<Vec<ProvisioningToken>> {
        let rows: Vec<(String, String, i64, i64)> = sqlx::query_as(
            "SELECT id, note, created_at, expires_at FROM scim_tokens
             WHERE expires_at > $1 ORDER BY created_at DESC, id",
        )
        .bind(self.now().unix())
        .fetch_all(self.reader())
        .await?;
        let read = |(id, note, created_at, expires_at)| ProvisioningToken {
            id,
            note,
            created_at: Timestamp::from_unix(created_at),
            expires_at: Timestamp::from_unix(expires_at),
        };
        Ok(rows.into_iter().map(read).collect())
    }

    /// False where there is none with this id.
    pub(crate) async fn delete_scim_token(&self, id: &str) -> Result<bool> {
        let gone =
            sqlx::query("DELETE FROM scim_tokens WHERE id = $1").bind(id).execute(self.writer()).await?;
        Ok(gone.rows_affected() > 0)
    }
}
