//! Secrets of the house that outlive its master key.

use super::{Result, Store, StoreError};

pub(super) const KIND: &str = "house secret";
const CLIENT_SECRETS: &str = "client secrets";
const NONCES: &str = "nonces of protected servers";

impl Store {
    /// Tells the master key under which key client secrets are hashed; the first start decides. A house that is older
    /// than this table has hashed under its master key, and goes on.
    pub(super) async fn load_house_secrets(&self) -> Result<()> {
        let key = match self.house_secret(CLIENT_SECRETS).await? {
            Some(key) => key,
            None => {
                // Recovery codes are hashed under the same key.
                let hashed: i64 = sqlx::query_scalar(
                    "SELECT (SELECT COUNT(*) FROM clients WHERE secret_hash IS NOT NULL)
                          + (SELECT COUNT(*) FROM recovery_codes)",
                )
                .fetch_one(self.reader())
                .await?;
                let key = if hashed > 0 { self.key().client_secrets_key() } else { rand::random() };
                self.make_house_secret(CLIENT_SECRETS, key).await?
            }
        };
        self.key().keep_client_secrets_under(key);
        Ok(())
    }

    /// What the nonces of protected servers are signed with: each replica knows the others'.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn nonce_secret(&self) -> Result<[u8; 32]> {
        match self.house_secret(NONCES).await? {
            Some(key) => Ok(key),
            None => self.make_house_secret(NONCES, rand::random()).await,
        }
    }

    /// Where another process was faster, its key counts.
    async fn make_house_secret(&self, name: &'static str, key: [u8; 32]) -> Result<[u8; 32]> {
        sqlx::query("INSERT INTO house_secrets (name, sealed) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING")
            .bind(name)
            .bind(self.key().sealing(KIND).seal(name, &key)?)
            .execute(self.writer())
            .await?;
        self.house_secret(name).await?.ok_or(StoreError::Unreadable { what: KIND })
    }

    async fn house_secret(&self, name: &str) -> Result<Option<[u8; 32]>> {
        let sealed: Option<String> = sqlx::query_scalar("SELECT sealed FROM house_secrets WHERE name = $1")
            .bind(name)
            .fetch_optional(self.reader())
            .await?;
        let Some(sealed) = sealed else { return Ok(None) };
        let opened = self.key().sealing(KIND).open(name, &sealed)?;
        opened.try_into().map(Some).map_err(|_| StoreError::Unreadable { what: KIND })
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
        let kept = again.house_secret(super::CLIENT_SECRETS).await.unwrap().unwrap();
        assert_eq!(kept, [1; 32], "the master key of this house");
    }

    #[tokio::test]
    async fn replicas_have_one_nonce_secret_and_one_memory_of_what_counts_once() {
        let database = TestDatabase::new();
        let clock = FakeClock::at(Timestamp::from_unix(1_000)).clock();
        let (here, there) = (open(&database, clock.clone()).await, open(&database, clock).await);
        assert_eq!(here.nonce_secret().await.unwrap(), there.nonce_secret().await.unwrap());
        let ends = Timestamp::from_unix(1_300);
        assert!(here.see_once("alice", "1", ends).await.unwrap());
        assert!(!there.see_once("alice", "1", ends).await.unwrap());
        assert!(there.see_once("bob", "1", ends).await.unwrap());
    }
}
