//! Authorization codes: stored hashed, used once.

use hallpass_protocol::time::Timestamp;

use super::{Result, Store};

/// What a code stands for (OAuth 2.1 §4.1.2), and whether it was used.
#[derive(Clone, Debug)]
pub(crate) struct CodeRow {
    /// The grant that redeeming the code begins.
    pub(crate) grant_id: String,
    pub(crate) user_id: String,
    pub(crate) client_id: String,
    pub(crate) redirect_uri: String,
    pub(crate) challenge: String,
    pub(crate) resource: String,
    pub(crate) scopes: String,
    pub(crate) refreshable: bool,
    pub(crate) expires_at: Timestamp,
    pub(crate) used_at: Option<Timestamp>,
}

impl Store {
    pub(crate) async fn insert_code(&self, code_hash: &str, code: &CodeRow) -> Result<()> {
        sqlx::query(
            "INSERT INTO codes (code_hash, grant_id, user_id, client_id, redirect_uri, challenge,
                                resource, scopes, refreshable, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        )
        .bind(code_hash)
        .bind(&code.grant_id)
        .bind(&code.user_id)
        .bind(&code.client_id)
        .bind(&code.redirect_uri)
        .bind(&code.challenge)
        .bind(&code.resource)
        .bind(&code.scopes)
        .bind(i64::from(code.refreshable))
        .bind(code.expires_at.unix())
        .execute(self.writer())
        .await?;
        Ok(())
    }

    pub(crate) async fn find_code(&self, code_hash: &str) -> Result<Option<CodeRow>> {
        type Row = (String, String, String, String, String, String, String, i64, i64, Option<i64>);
        let row: Option<Row> = sqlx::query_as(
            "SELECT grant_id, user_id, client_id, redirect_uri, challenge, resource, scopes,
                    refreshable, expires_at, used_at
             FROM codes WHERE code_hash = $1",
        )
        .bind(code_hash)
        .fetch_optional(self.reader())
        .await?;
        Ok(row.map(|row| CodeRow {
            grant_id: row.0,
            user_id: row.1,
            client_id: row.2,
            redirect_uri: row.3,
            challenge: row.4,
            resource: row.5,
            scopes: row.6,
            refreshable: row.7 != 0,
            expires_at: Timestamp::from_unix(row.8),
            used_at: row.9.map(Timestamp::from_unix),
        }))
    }

    /// Consumes the code and begins its grant, with the first refresh token where there is to be one.
    /// One statement decides: true for exactly one caller, however many come at once.
    pub(crate) async fn redeem_code(
        &self,
        code_hash: &str,
        grant_ends: Timestamp,
        refresh_token: Option<(&str, Timestamp)>,
    ) -> Result<bool> {
        let now = self.now().unix();
        let mut tx = self.begin().await?;
        let row: Option<(String, String, String, String, String)> = sqlx::query_as(
            "UPDATE codes SET used_at = $2
             WHERE code_hash = $1 AND used_at IS NULL AND expires_at > $2
               AND user_id IN (SELECT id FROM users WHERE disabled_at IS NULL)
             RETURNING grant_id, user_id, client_id, resource, scopes",
        )
        .bind(code_hash)
        .bind(now)
        .fetch_optional(&mut *tx)
        .await?;
        let Some((grant_id, user_id, client_id, resource, scopes)) = row else {
            return Ok(false);
        };
        sqlx::query(
            "INSERT INTO grants (id, user_id, client_id, resource, scopes, created_at, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(&grant_id)
        .bind(user_id)
        .bind(client_id)
        .bind(resource)
        .bind(scopes)
        .bind(now)
        .bind(grant_ends.unix())
        .execute(&mut *tx)
        .await?;
        if let Some((token_hash, expires_at)) = refresh_token {
            sqlx::query("INSERT INTO refresh_tokens (token_hash, grant_id, expires_at) VALUES ($1, $2, $3)")
                .bind(token_hash)
                .bind(grant_id)
                .bind(expires_at.unix())
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        Ok(true)
    }
}
