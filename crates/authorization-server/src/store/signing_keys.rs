//! Keys that sign access tokens, sealed under the master key.

use super::locks::Turn;
use super::{Result, Store, StoreError};

const KIND: &str = "signing key";

impl Store {
    /// All keys, newest first, as key id, algorithm and PKCS #8.
    pub(crate) async fn signing_keys(&self) -> Result<Vec<(String, String, Vec<u8>)>> {
        let rows: Vec<(String, String, String)> =
            sqlx::query_as("SELECT kid, algorithm, sealed FROM signing_keys ORDER BY created_at DESC, kid")
                .fetch_all(self.reader())
                .await?;
        let key = self.key().sealing(KIND);
        rows.into_iter()
            .map(|(kid, algorithm, sealed)| {
                let pkcs8 = key.open(&kid, &sealed)?;
                Ok((kid, algorithm, pkcs8))
            })
            .collect()
    }

    /// Stores the first key. Where another process was faster nothing is stored: its key counts.
    pub(crate) async fn insert_first_signing_key(
        &self,
        kid: &str,
        algorithm: &str,
        pkcs8: &[u8],
    ) -> Result<()> {
        let sealed = self.key().sealing(KIND).seal(kid, pkcs8)?;
        let mut tx = self.begin().await?;
        self.take_turn(&mut tx, Turn::SigningKeys).await?;
        let existing: i64 =
            sqlx::query_scalar("SELECT COUNT(*) FROM signing_keys").fetch_one(&mut *tx).await?;
        if existing == 0 {
            sqlx::query(
                "INSERT INTO signing_keys (kid, algorithm, sealed, created_at)
                 VALUES ($1, $2, $3, $4)",
            )
            .bind(kid)
            .bind(algorithm)
            .bind(sealed)
            .bind(self.now().unix())
            .execute(&mut *tx)
            .await?;
        }
        tx.commit().await?;
        Ok(())
    }
}

impl StoreError {
    /// A signing key that opened but cannot be read.
    pub(crate) fn unreadable_key() -> Self {
        Self::Unreadable { what: "signing key" }
    }
}
