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
            // Recovery codes are hashed under the same key.
            let hashed: i64 = sqlx::query_scalar(
                "SELECT (SELECT COUNT(*) FROM clients WHERE secret_hash IS NOT NULL)
                      + (SELECT COUNT(*) FROM recovery_codes)",
            )
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

#[cfg(test)]
mod tests {
    use hallpass_protocol::time::Timestamp;
    use hallpass_testkit::clock::FakeClock;
    use hallpass_testkit::database::TestDatabase;

    use crate::store::testing::open;

    #[tokio::test]
    async fn recovery_codes_of_an_older_house_go_on() {
        let database = TestDatabase::new();
        let clock = FakeClock::at(Timestamp::from_unix(1_000)).clock();
        let store = open(&database, clock.clone()).await;
        store.insert_user("u", "Ada", "ada", "h").await.unwrap();
        store.save_totp("u", "sealed", 1, &["code".to_owned()]).await.unwrap();
        // As it was before there were secrets of the house.
        sqlx::query("DELETE FROM house_secrets").execute(store.writer()).await.unwrap();
        let again = open(&database, clock).await;
        let sealed = again.house_secret(super::CLIENT_SECRETS).await.unwrap().unwrap();
        let kept = again.key().sealing(super::KIND).open(super::CLIENT_SECRETS, &sealed).unwrap();
        assert_eq!(kept, [1; 32], "the master key of this house");
    }
}
