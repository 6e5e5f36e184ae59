//! Issuers whose assertions are exchanged for tokens.

use super::locks::Turn;
use super::{Result, Store};

/// What is known of an issuer beside its configuration.
#[derive(Clone, Debug)]
pub(crate) struct TrustedIssuerRow {
    pub(crate) issuer: String,
    /// Stands in the ids of the tokens that come from it.
    pub(crate) own_grant: String,
    pub(crate) disabled: bool,
}

type Columns = (String, String, Option<i64>);

fn read((issuer, own_grant, disabled_at): Columns) -> TrustedIssuerRow {
    TrustedIssuerRow { issuer, own_grant, disabled: disabled_at.is_some() }
}

impl Store {
    /// Notes an issuer that is configured. What is known of it stays.
    pub(crate) async fn note_trusted_issuer(&self, issuer: &str) -> Result<()> {
        sqlx::query(
            "INSERT INTO trusted_issuers (issuer, own_grant) VALUES ($1, $2) ON CONFLICT (issuer) DO NOTHING",
        )
        .bind(issuer)
        .bind(crate::random::id())
        .execute(self.writer())
        .await?;
        Ok(())
    }

    pub(crate) async fn find_trusted_issuer(&self, issuer: &str) -> Result<Option<TrustedIssuerRow>> {
        let row: Option<Columns> =
            sqlx::query_as("SELECT issuer, own_grant, disabled_at FROM trusted_issuers WHERE issuer = $1")
                .bind(issuer)
                .fetch_optional(self.reader())
                .await?;
        Ok(row.map(read))
    }

    pub(crate) async fn list_trusted_issuers(&self) -> Result<Vec<TrustedIssuerRow>> {
        let rows: Vec<Columns> =
            sqlx::query_as("SELECT issuer, own_grant, disabled_at FROM trusted_issuers ORDER BY issuer")
                .fetch_all(self.reader())
                .await?;
        Ok(rows.into_iter().map(read).collect())
    }

    /// Switches the issuer off, and ends all tokens that came from it, all or nothing. False where it is not known.
    pub(crate) async fn disable_trusted_issuer(&self, issuer: &str) -> Result<bool> {
        let mut tx = self.begin().await?;
        self.take_turn(&mut tx, Turn::EndingGrants).await?;
        let row: Option<Columns> =
            sqlx::query_as("SELECT issuer, own_grant, disabled_at FROM trusted_issuers WHERE issuer = $1")
                .bind(issuer)
                .fetch_optional(&mut *tx)
                .await?;
        let Some(row) = row.map(read) else { return Ok(false) };
        // What comes after it is switched on again is under another name.
        sqlx::query("UPDATE trusted_issuers SET disabled_at = $2, own_grant = $3 WHERE issuer = $1")
            .bind(issuer)
            .bind(self.now().unix())
            .bind(crate::random::id())
            .execute(&mut *tx)
            .await?;
        self.write_revocation(&mut tx, &row.own_grant).await?;
        tx.commit().await?;
        self.remember_revoked(vec![row.own_grant]);
        Ok(true)
    }

    /// Switches it on again; what came from it before stays dead. False where it is not known.
    pub(crate) async fn enable_trusted_issuer(&self, issuer: &str) -> Result<bool> {
        let enabled = sqlx::query("UPDATE trusted_issuers SET disabled_at = NULL WHERE issuer = $1")
            .bind(issuer)
            .execute(self.writer())
            .await?;
        Ok(enabled.rows_affected() > 0)
    }
}
