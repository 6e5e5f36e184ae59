//! What was begun at a provider, and has not come back yet.

use hallpass_protocol::time::Timestamp;

use super::{Result, Store};

/// Anyone can begin one. Beyond so many the oldest make room.
const MOST: i64 = 10_000;

impl Store {
    pub(crate) async fn insert_provider_leg(
        &self,
        state_hash: &str,
        browser_hash: &str,
        provider: &str,
        purpose: &str,
        expires_at: Timestamp,
    ) -> Result<()> {
        sqlx::query(
            "INSERT INTO provider_legs (state_hash, browser_hash, provider, purpose, expires_at)
             VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(state_hash)
        .bind(browser_hash)
        .bind(provider)
        .bind(purpose)
        .bind(expires_at.unix())
        .execute(self.writer())
        .await?;
        self.bound_provider_legs(MOST, state_hash).await
    }

    async fn bound_provider_legs(&self, most: i64, just_begun: &str) -> Result<()> {
        let there: i64 =
            sqlx::query_scalar("SELECT COUNT(*) FROM provider_legs").fetch_one(self.reader()).await?;
        if there > most {
            sqlx::query(
                "DELETE FROM provider_legs WHERE state_hash IN
                   (SELECT state_hash FROM provider_legs WHERE state_hash <> $1 ORDER BY expires_at LIMIT $2)",
            )
            .bind(just_begun)
            .bind(there - most)
            .execute(self.writer())
            .await?;
        }
        Ok(())
    }

    /// Says what it was begun for, and ends it: in the browser that began it, at the provider that it was begun at. For one
    /// of several callers.
    pub(crate) async fn take_provider_leg(
        &self,
        state_hash: &str,
        browser_hash: &str,
        provider: &str,
    ) -> Result<Option<String>> {
        Ok(sqlx::query_scalar(
            "DELETE FROM provider_legs
             WHERE state_hash = $1 AND browser_hash = $2 AND provider = $3 AND expires_at > $4
             RETURNING purpose",
        )
        .bind(state_hash)
        .bind(browser_hash)
        .bind(provider)
        .bind(self.now().unix())
        .fetch_optional(self.writer())
        .await?)
    }
}

#[cfg(test)]
mod tests {
    use hallpass_testkit::clock::FakeClock;
    use hallpass_testkit::database::TestDatabase;

    use super::*;
    use crate::store::testing::open;

    #[tokio::test]
    async fn the_oldest_make_room() {
        let database = TestDatabase::new();
        let store = open(&database, FakeClock::at(Timestamp::from_unix(1_000)).clock()).await;
        for n in 0..5 {
            let (state, ends) = (n.to_string(), Timestamp::from_unix(2_000 + n));
            store.insert_provider_leg(&state, "b", "p", "", ends).await.unwrap();
            store.bound_provider_legs(2, &state).await.unwrap();
        }
        let mut left = Vec::new();
        for state in ["0", "1", "2", "3", "4"] {
            if store.take_provider_leg(state, "b", "p").await.unwrap().is_some() {
                left.push(state);
            }
        }
        assert_eq!(left, ["3", "4"]);
    }
}
