//! Authorization requests that were pushed (RFC 9126), each for one use.

use hallpass_protocol::time::Timestamp;

use super::crowd::Crowd;
use super::{Result, Store};

const ALL: Crowd = Crowd {
    others: "SELECT COUNT(*) FROM pushed_requests WHERE request_hash <> $1",
    thin:
        "DELETE FROM pushed_requests WHERE request_hash IN
             (SELECT request_hash FROM pushed_requests WHERE request_hash <> $1 ORDER BY expires_at LIMIT $2)",
};

impl Store {
    pub(crate) async fn insert_pushed_request(
        &self,
        request_hash: &str,
        client_id: &str,
        parameters: &str,
        expires_at: Timestamp,
    ) -> Result<()> {
        sqlx::query(
            "INSERT INTO pushed_requests (request_hash, client_id, parameters, expires_at)
             VALUES ($1, $2, $3, $4)",
        )
        .bind(request_hash)
        .bind(client_id)
        .bind(parameters)
        .bind(expires_at.unix())
        .execute(self.writer())
        .await?;
        Ok(())
    }

    /// Leaves as many requests. The oldest go, and never the one that was just pushed.
    pub(crate) async fn bound_pushed_requests(&self, most: i64, just_pushed: &str) -> Result<()> {
        self.make_room(&ALL, most, just_pushed).await
    }

    /// Takes the request out. One statement decides: it is there for exactly one caller, and for its client alone.
    pub(crate) async fn take_pushed_request(
        &self,
        request_hash: &str,
        client_id: &str,
    ) -> Result<Option<String>> {
        Ok(sqlx::query_scalar(
            "DELETE FROM pushed_requests WHERE request_hash = $1 AND client_id = $2 AND expires_at > $3
             RETURNING parameters",
        )
        .bind(request_hash)
        .bind(client_id)
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
            let hash = n.to_string();
            store.insert_pushed_request(&hash, "c", "x", Timestamp::from_unix(2_000 + n)).await.unwrap();
            store.bound_pushed_requests(2, &hash).await.unwrap();
        }
        for n in 0..5 {
            let there = store.take_pushed_request(&n.to_string(), "c").await.unwrap().is_some();
            assert_eq!(there, n >= 3, "{n}");
        }
    }
}
