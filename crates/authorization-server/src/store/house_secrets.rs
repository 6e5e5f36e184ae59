//! Secrets of the house that outlive its master key.

use super::{Result, Store, StoreError};

pub(super) const KIND: &str = "house secret";
const CLIENT_SECRETS: &str = "client secrets";

impl Store {
    /// Tells the master key under which key client secrets are hashed; the first start decides. A house that is older
    /// than this table has hashed under its master key, and goes on.
    pub(super) async fn load_house_secrets(&self) -> Result<()> {
        let mut sealed = self.house_secret(CLIENT_SECRETS).await?;
        if sealed.is_none() {
            let hashed: i64 =
                sqlx::query_scalar("SELECT COUNT(*) FROM clients WHERE secret_hash IS NOT NULL")
                    .fetch_one(self.reader())
                    .await?;
            let key = if hashed > 0 { self.key().client_secrets_key() } else { rand::random() };
            // Where another process was faster, its key counts.
            sqlx::query(
                "INSERT INTO house_secrets (name, sealed) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING",
            )
            .bind(CLIENT_SECRETS)
            .bind(self.key().sealing(KIND).seal(CLIENT_SECRETS, &key)?)
            .execute(self.writer())
            .await?;
            sealed = self.house_secret(CLIENT_SECRETS).await?;
        }
        let unreadable = || StoreError::Unreadable { what: "key of client secrets" };
        let opened = self.key().sealing(KIND).open(CLIENT_SECRETS, &sealed.ok_or_else(unreadable)?)?;
        self.key().keep_client_secrets_under(opened.try_into().map_err(|_| unreadable())?);
        Ok(())
    }

    async fn house_secret(&self, name: &str) -> Result<Option<String>> {
        Ok(sqlx::query_scalar("SELECT sealed FROM house_secrets WHERE name = $1")
            .bind(name)
            .fetch_optional(self.reader())
            .await?)
    }
}
