//! Authorization requests that wait for their person.

use hallpass_protocol::time::Timestamp;

use super::{Result, Store};

impl Store {
    pub(crate) async fn insert_interaction(
        &self,
        id: &str,
        browser_hash: &str,
        request: &str,
        logged_in: bool,
        expires_at: Timestamp,
    ) -> Result<()> {
        sqlx::query(
            "INSERT INTO interactions (id, browser_hash, request, created_at, expires_at, logged_in)
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(id)
        .bind(browser_hash)
        .bind(request)
        .bind(self.now().unix())
        .bind(expires_at.unix())
        .bind(i64::from(logged_in))
        .execute(self.writer())
        .await?;
        Ok(())
    }

    /// Leaves as many interactions in which nobody has logged in yet: anyone can begin them. The oldest go, and never the
    /// one that has just begun. Several replicas that count at once may each leave a few more, or take the same.
    pub(crate) async fn bound_anonymous_interactions(&self, most: i64, just_begun: &str) -> Result<()> {
        let there: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM interactions WHERE logged_in = 0")
            .fetch_one(self.reader())
            .await?;
        if there > most {
            sqlx::query(
                "DELETE FROM interactions WHERE id IN
                   (SELECT id FROM interactions WHERE logged_in = 0 AND id <> $1
                    ORDER BY created_at LIMIT $2)",
            )
            .bind(just_begun)
            .bind(there - most)
            .execute(self.writer())
            .await?;
        }
        Ok(())
    }

    /// The waiting request, for the browser that brought it.
    pub(crate) async fn find_interaction(&self, id: &str, browser_hash: &str) -> Result<Option<String>> {
        Ok(sqlx::query_scalar(
            "SELECT request FROM interactions
             WHERE id = $1 AND browser_hash = $2 AND expires_at > $3",
        )
        .bind(id)
        .bind(browser_hash)
        .bind(self.now().unix())
        .fetch_optional(self.reader())
        .await?)
    }

    /// Notes that the person has logged in.
    pub(crate) async fn log_in_interaction(&self, id: &str, browser_hash: &str, request: &str) -> Result<()> {
        sqlx::query(
            "UPDATE interactions SET request = $3, logged_in = 1 WHERE id = $1 AND browser_hash = $2",
        )
        .bind(id)
        .bind(browser_hash)
        .bind(request)
        .execute(self.writer())
        .await?;
        Ok(())
    }

    /// Ends the interaction. True for exactly one of several callers.
    pub(crate) async fn finish_interaction(&self, id: &str, browser_hash: &str) -> Result<bool> {
        let ended =
            sqlx::query("DELETE FROM interactions WHERE id = $1 AND browser_hash = $2 AND expires_at > $3")
                .bind(id)
                .bind(browser_hash)
                .bind(self.now().unix())
                .execute(self.writer())
                .await?;
        Ok(ended.rows_affected() == 1)
    }
}

#[cfg(test)]
mod tests {
    use hallpass_testkit::clock::FakeClock;
    use hallpass_testkit::database::TestDatabase;

    use super::*;
    use crate::store::testing::open;

    #[tokio::test]
    async fn the_oldest_that_nobody_has_logged_in_to_make_room() {
        let database = TestDatabase::new();
        let clock = FakeClock::at(Timestamp::from_unix(1_000));
        let store = open(&database, clock.clock()).await;
        let ends = Timestamp::from_unix(9_000);
        store.insert_interaction("session", "b", "{}", true, ends).await.unwrap();
        store.insert_interaction("login", "b", "{}", false, ends).await.unwrap();
        store.log_in_interaction("login", "b", "{}").await.unwrap();
        for n in 0..5 {
            clock.set(Timestamp::from_unix(1_001 + n));
            let id = n.to_string();
            store.insert_interaction(&id, "b", "{}", false, ends).await.unwrap();
            store.bound_anonymous_interactions(2, &id).await.unwrap();
        }
        let mut left = Vec::new();
        for id in ["session", "login", "0", "1", "2", "3", "4"] {
            if store.find_interaction(id, "b").await.unwrap().is_some() {
                left.push(id);
            }
        }
        assert_eq!(left, ["session", "login", "3", "4"]);
    }
}
