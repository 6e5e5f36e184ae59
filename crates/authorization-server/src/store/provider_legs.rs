//! What was begun at a provider, and has not come back yet.

use hallpass_protocol::time::Timestamp;

use super::crowd::Crowd;
use super::{Result, Store};

/// Anyone can begin one, in as many browsers as they like.
const MOST: i64 = 10_000;
/// A person has a few at once: tabs that were left.
const MOST_OF_A_BROWSER: i64 = 20;

const ALL: Crowd = Crowd {
    others: "SELECT COUNT(*) FROM provider_legs WHERE state_hash <> $1",
    thin: "DELETE FROM provider_legs WHERE state_hash IN
             (SELECT state_hash FROM provider_legs WHERE state_hash <> $1 ORDER BY expires_at LIMIT $2)",
};

const OF_ITS_BROWSER: Crowd = Crowd {
    others: "SELECT COUNT(*) FROM provider_legs WHERE state_hash <> $1
               AND browser_hash = (SELECT browser_hash FROM provider_legs WHERE state_hash = $1)",
    thin: "DELETE FROM provider_legs WHERE state_hash IN
             (SELECT state_hash FROM provider_legs WHERE state_hash <> $1
                AND browser_hash = (SELECT browser_hash FROM provider_legs WHERE state_hash = $1)
              ORDER BY expires_at LIMIT $2)",
};

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
        self.make_room(&OF_ITS_BROWSER, MOST_OF_A_BROWSER, state_hash).await?;
        self.make_room(&ALL, MOST, state_hash).await
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
            store.make_room(&ALL, 2, &state).await.unwrap();
        }
        let mut left = Vec::new();
        for state in ["0", "1", "2", "3", "4"] {
            if store.take_provider_leg(state, "b", "p").await.unwrap().is_some() {
                left.push(state);
            }
        }
        assert_eq!(left, ["3", "4"]);
    }

    /// Whoever begins one after the other crowds out nobody else.
    #[tokio::test]
    async fn a_browser_makes_room_by_itself() {
        let database = TestDatabase::new();
        let store = open(&database, FakeClock::at(Timestamp::from_unix(1_000)).clock()).await;
        store.insert_provider_leg("first", "own", "p", "", Timestamp::from_unix(2_000)).await.unwrap();
        for n in 0..30 {
            let (state, ends) = (n.to_string(), Timestamp::from_unix(2_001 + n));
            store.insert_provider_leg(&state, "greedy", "p", "", ends).await.unwrap();
        }
        assert!(store.take_provider_leg("first", "own", "p").await.unwrap().is_some());
        for n in 0..30 {
            let left = store.take_provider_leg(&n.to_string(), "greedy", "p").await.unwrap().is_some();
            assert_eq!(left, n >= 10, "{n}");
        }
    }
}
