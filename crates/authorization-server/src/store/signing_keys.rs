//! Keys that sign access tokens, sealed under the master key.

use hallpass_protocol::time::Timestamp;

use super::{Result, Store, StoreError};

pub(super) const KIND: &str = "signing key";

/// A stored key, opened.
pub(crate) struct SigningKeyRow {
    pub(crate) kid: String,
    pub(crate) algorithm: String,
    pub(crate) pkcs8: Vec<u8>,
    pub(crate) created_at: Timestamp,
    pub(crate) active_from: Timestamp,
    pub(crate) place: i64,
}

/// A key to be stored.
pub(crate) struct NewSigningKey<'a> {
    pub(crate) kid: &'a str,
    pub(crate) algorithm: &'a str,
    pub(crate) pkcs8: &'a [u8],
    pub(crate) active_from: Timestamp,
    /// Its place in line: the next after the last.
    pub(crate) place: i64,
}

impl Store {
    /// Which keys there are, and since when each signs: enough to see whether anything has changed.
    pub(crate) async fn signing_key_line(&self) -> Result<Vec<(String, Timestamp)>> {
        let rows: Vec<(String, i64)> =
            sqlx::query_as("SELECT kid, active_from FROM signing_keys ORDER BY place")
                .fetch_all(self.reader())
                .await?;
        Ok(rows.into_iter().map(|(kid, active_from)| (kid, Timestamp::from_unix(active_from))).collect())
    }

    /// All keys, in the order in which they sign.
    pub(crate) async fn signing_keys(&self) -> Result<Vec<SigningKeyRow>> {
        let rows: Vec<(String, String, String, i64, i64, i64)> = sqlx::query_as(
            "SELECT kid, algorithm, sealed, created_at, active_from, place FROM signing_keys
             ORDER BY place",
        )
        .fetch_all(self.reader())
        .await?;
        let key = self.key().sealing(KIND);
        rows.into_iter()
            .map(|(kid, algorithm, sealed, created_at, active_from, place)| {
                Ok(SigningKeyRow {
                    pkcs8: key.open(&kid, &sealed)?,
                    kid,
                    algorithm,
                    created_at: Timestamp::from_unix(created_at),
                    active_from: Timestamp::from_unix(active_from),
                    place,
                })
            })
            .collect()
    }

    /// Puts a key in line. False where another process was faster: its key counts.
    pub(crate) async fn insert_signing_key(&self, new: &NewSigningKey<'_>) -> Result<bool> {
        let sealed = self.key().sealing(KIND).seal(new.kid, new.pkcs8)?;
        let made = sqlx::query(
            "INSERT INTO signing_keys (kid, algorithm, sealed, created_at, active_from, place)
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (place) DO NOTHING",
        )
        .bind(new.kid)
        .bind(new.algorithm)
        .bind(sealed)
        .bind(self.now().unix())
        .bind(new.active_from.unix())
        .bind(new.place)
        .execute(self.writer())
        .await?;
        Ok(made.rows_affected() == 1)
    }

    /// Has a key that waits in line sign from now on.
    pub(crate) async fn activate_signing_key(&self, kid: &str) -> Result<()> {
        sqlx::query("UPDATE signing_keys SET active_from = $2 WHERE kid = $1 AND active_from > $2")
            .bind(kid)
            .bind(self.now().unix())
            .execute(self.writer())
            .await?;
        Ok(())
    }

    pub(crate) async fn delete_signing_key(&self, kid: &str) -> Result<()> {
        sqlx::query("DELETE FROM signing_keys WHERE kid = $1").bind(kid).execute(self.writer()).await?;
        Ok(())
    }
}

impl StoreError {
    /// A signing key that opened but cannot be read.
    pub(crate) fn unreadable_key() -> Self {
        Self::Unreadable { what: "signing key" }
    }
}
