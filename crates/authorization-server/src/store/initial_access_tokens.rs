//! Tokens by which clients may register (RFC 7591 §1.2, "initial access token").

use hallpass_protocol::time::Timestamp;

use super::{Result, Store, Transaction};

/// A token as the operator sees it. What opens is not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InitialAccessToken {
    /// Its name here, for revoking it.
    pub id: String,
    /// What the operator noted when it was issued.
    pub note: String,
    /// How many registrations it is good for; any number where nothing is said.
    pub uses: Option<u64>,
    /// How many there were.
    pub used: u64,
    /// Since when.
    pub created_at: Timestamp,
    /// Until when.
    pub expires_at: Timestamp,
}

impl Store {
    pub(crate) async fn insert_initial_access_token(
        &self,
        token: &InitialAccessToken,
        token_hash: &str,
    ) -> Result<()> {
        sqlx::query(
            "INSERT INTO initial_access_tokens (id, token_hash, note, uses, used, created_at, expires_at)
             VALUES ($1, $2, $3, $4, 0, $5, $6)",
        )
        .bind(&token.id)
        .bind(token_hash)
        .bind(&token.note)
        .bind(token.uses.map(|uses| i64::try_from(uses).unwrap_or(i64::MAX)))
        .bind(token.created_at.unix())
        .bind(token.expires_at.unix())
        .execute(self.writer())
        .await?;
        Ok(())
    }

    /// Those that have not ended, the used up ones too; newest first.
    pub(crate) async fn list_initial_access_tokens(&self) -> Result<Vec<InitialAccessToken>> {
        let rows: Vec<(String, String, Option<i64>, i64, i64, i64)> = sqlx::query_as(
            "SELECT id, note, uses, used, created_at, expires_at FROM initial_access_tokens
             WHERE expires_at > $1 ORDER BY created_at DESC, id",
        )
        .bind(self.now().unix())
        .fetch_all(self.reader())
        .await?;
        Ok(rows
            .into_iter()
            .map(|(id, note, uses, used, created_at, expires_at)| InitialAccessToken {
                id,
                note,
                uses: uses.map(i64::unsigned_abs),
                used: used.unsigned_abs(),
                created_at: Timestamp::from_unix(created_at),
                expires_at: Timestamp::from_unix(expires_at),
            })
            .collect())
    }

    /// False where there is none with this id.
    pub(crate) async fn delete_initial_access_token(&self, id: &str) -> Result<bool> {
        let gone = sqlx::query("DELETE FROM initial_access_tokens WHERE id = $1")
            .bind(id)
            .execute(self.writer())
            .await?;
        Ok(gone.rows_affected() > 0)
    }

    /// Counts one use, and says whose it is. One statement looks and counts, so that many at once cannot use it more often
    /// than it may be. None where it is not known, has ended, or is used up.
    pub(super) async fn use_initial_access_token(
        &self,
        tx: &mut Transaction,
        token_hash: &str,
    ) -> Result<Option<String>> {
        Ok(sqlx::query_scalar(
            "UPDATE initial_access_tokens SET used = used + 1
             WHERE token_hash = $1 AND expires_at > $2 AND (uses IS NULL OR used < uses)
             RETURNING id",
        )
        .bind(token_hash)
        .bind(self.now().unix())
        .fetch_optional(&mut **tx)
        .await?)
    }
}
