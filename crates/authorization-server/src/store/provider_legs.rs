//! What was begun at a provider, and has not come back yet.

use hallpass_protocol::time::Timestamp;

use super::crowd::Crowd;
use super::{Result, Store};
use crate::provider::LegKind;

/// A leg that begins. Each is named by the hash of its secret.
pub(crate) struct NewLeg<'a> {
    pub(crate) state: &'a str,
    pub(crate) browser: &'a str,
    pub(crate) provider: &'a str,
    pub(crate) kind: LegKind,
    pub(crate) purpose: &'a str,
    pub(crate) ends: Timestamp,
}

/// Of each kind, in all browsers: it can be begun in as many as anyone likes.
const MOST: i64 = 10_000;
/// Of each kind: a person has a few at once, tabs that were left.
const MOST_OF_A_BROWSER: i64 = 20;

const OF_ITS_KIND: Crowd = Crowd {
    others: "SELECT COUNT(*) FROM provider_legs WHERE state_hash <> $1
               AND kind = (SELECT kind FROM provider_legs WHERE state_hash = $1)",
    thin: "DELETE FROM provider_legs WHERE state_hash IN
             (SELECT state_hash FROM provider_legs WHERE state_hash <> $1
                AND kind = (SELECT kind FROM provider_legs WHERE state_hash = $1)
              ORDER BY expires_at LIMIT $2)",
};

const OF_ITS_KIND_AND_BROWSER: Crowd = Crowd {
    others: "SELECT COUNT(*) FROM provider_legs WHERE state_hash <> $1
               AND browser_hash = (SELECT browser_hash FROM provider_legs WHERE state_hash = $1)
               AND kind = (SELECT kind FROM provider_legs WHERE state_hash = $1)",
    thin: "DELETE FROM provider_legs WHERE state_hash IN
             (SELECT state_hash FROM provider_legs WHERE state_hash <> $1
                AND browser_hash = (SELECT browser_hash FROM provider_legs WHERE state_hash = $1)
                AND kind = (SELECT kind FROM provider_legs WHERE state_hash = $1)
              ORDER BY expires_at LIMIT $2)",
};

impl Store {
    pub(crate) async fn insert_provider_leg(&self, new: &NewLeg<'_>) -> Result<()> {
        sqlx::query(
            "INSERT INTO provider_legs (state_hash, browser_hash, provider, kind, purpose, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(new.state)
        .bind(new.browser)
        .bind(new.provider)
        .bind(new.kind.as_str())
        .bind(new.purpose)
        .bind(new.ends.unix())
        .execute(self.writer())
        .await?;
        self.make_room(&OF_ITS_KIND_AND_BROWSER, MOST_OF_A_BROWSER, new.state).await?;
        self.make_room(&OF_ITS_KIND, MOST, new.state).await
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

    async fn begin(store: &Store, state: &str, browser: &str, kind: LegKind, ends: i64) {
        let ends = Timestamp::from_unix(ends);
        let new = NewLeg { state, browser, provider: "p", kind, purpose: "", ends };
        store.insert_provider_leg(&new).await.unwrap();
    }

    async fn is_there(store: &Store, state: &str, browser: &str) -> bool {
        store.take_provider_leg(state, browser, "p").await.unwrap().is_some()
    }

    /// Whoever begins to sign in, in as many browsers as they like, pushes out nothing that took a login to begin.
    #[tokio::test]
    async fn the_oldest_of_its_kind_make_room() {
        let database = TestDatabase::new();
        let store = open(&database, FakeClock::at(Timestamp::from_unix(1_000)).clock()).await;
        begin(&store, "link", "l", LegKind::Link, 1_900).await;
        begin(&store, "act", "a", LegKind::Act, 1_901).await;
        for n in 0..5 {
            let state = n.to_string();
            begin(&store, &state, &state, LegKind::SignIn, 2_000 + n).await;
            store.make_room(&OF_ITS_KIND, 2, &state).await.unwrap();
        }
        for n in 0..5 {
            assert_eq!(is_there(&store, &n.to_string(), &n.to_string()).await, n >= 3, "{n}");
        }
        assert!(is_there(&store, "link", "l").await && is_there(&store, "act", "a").await);
    }

    /// Whoever begins one after the other crowds out nobody else, and nothing else.
    #[tokio::test]
    async fn a_browser_makes_room_by_itself() {
        let database = TestDatabase::new();
        let store = open(&database, FakeClock::at(Timestamp::from_unix(1_000)).clock()).await;
        begin(&store, "first", "own", LegKind::SignIn, 2_000).await;
        begin(&store, "link", "greedy", LegKind::Link, 2_000).await;
        begin(&store, "act", "greedy", LegKind::Act, 2_000).await;
        for n in 0..30 {
            begin(&store, &n.to_string(), "greedy", LegKind::SignIn, 2_001 + n).await;
        }
        assert!(is_there(&store, "first", "own").await);
        assert!(is_there(&store, "link", "greedy").await && is_there(&store, "act", "greedy").await);
        for n in 0..30 {
            assert_eq!(is_there(&store, &n.to_string(), "greedy").await, n >= 10, "{n}");
        }
    }
}
