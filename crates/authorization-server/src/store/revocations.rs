//! Which grants and access tokens no resource server may accept any more.

use std::time::Duration;

use hallpass_protocol::time::Timestamp;

use super::grants::revocation_ends;
use super::{Result, Store};

/// A transaction writes when it ends, with the time at which it began: so much is read twice.
const OVERLAP: Duration = Duration::from_secs(60);

impl Store {
    /// Revokes one access token, by its id.
    pub(crate) async fn revoke_access_token(&self, token_id: &str) -> Result<()> {
        let mut tx = self.begin().await?;
        self.write_revocation(&mut tx, token_id).await?;
        tx.commit().await?;
        self.remember_revoked(vec![token_id.to_owned()]);
        Ok(())
    }

    /// Whether a token, or anything that it hangs on, was revoked: by what this process knows, and by what stands in the
    /// database at this moment.
    pub(crate) async fn token_is_revoked(&self, token_id: &str) -> Result<bool> {
        if self.revoked().is_revoked(token_id) == Ok(true) {
            return Ok(true);
        }
        let parts = std::iter::once(token_id).chain(crate::revocations::parts(token_id));
        for part in parts {
            let found: i64 =
                sqlx::query_scalar("SELECT COUNT(*) FROM revocations WHERE revoked = $1 AND expires_at > $2")
                    .bind(part)
                    .bind(self.now().unix())
                    .fetch_one(self.reader())
                    .await?;
            if found > 0 {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Brings the memory of revocations up to date with what other processes wrote since it was last read.
    pub(crate) async fn read_new_revocations(&self) -> Result<()> {
        let since = self.revoked().read_at().map(|read_at| read_at.before(OVERLAP));
        // Each revocation ends the same time after it was written.
        self.read_revocations_that_end_after(since.map(revocation_ends)).await
    }

    /// Reads all that count: where nothing was read yet, and in case that a clock was set back.
    pub(crate) async fn read_all_revocations(&self) -> Result<()> {
        self.read_revocations_that_end_after(None).await
    }

    async fn read_revocations_that_end_after(&self, end: Option<Timestamp>) -> Result<()> {
        let now = self.now();
        let rows: Vec<(String, i64)> =
            sqlx::query_as("SELECT revoked, expires_at FROM revocations WHERE expires_at > $1")
                .bind(end.map_or(now, |end| end.max(now)).unix())
                .fetch_all(self.reader())
                .await?;
        let rows = rows.into_iter().map(|(revoked, until)| (revoked, Timestamp::from_unix(until)));
        self.revoked().read(rows, now);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use hallpass_testkit::clock::FakeClock;
    use hallpass_testkit::database::TestDatabase;

    use super::*;
    use crate::store::testing::open;

    #[tokio::test]
    async fn what_another_process_revokes_is_read_by_and_by() {
        // On PostgreSQL it is heard before it is read.
        let database = TestDatabase::sqlite();
        let clock = FakeClock::at(Timestamp::from_unix(1_000_000));
        let open = async || open(&database, clock.clock()).await;
        let (here, there) = (open().await, open().await);
        for n in 0..3 {
            let id = n.to_string();
            there.revoke_access_token(&id).await.unwrap();
            assert_eq!(here.revoked().is_revoked(&id), Ok(false), "not read yet");
            here.read_new_revocations().await.unwrap();
            assert_eq!(here.revoked().is_revoked(&id), Ok(true));
            clock.advance(Duration::from_secs(10));
        }
        // One whose clock is behind is found by the next full reading.
        clock.set(Timestamp::from_unix(1_000_000 - 3_600));
        there.revoke_access_token("late").await.unwrap();
        clock.set(Timestamp::from_unix(1_000_030));
        here.read_new_revocations().await.unwrap();
        assert_eq!(here.revoked().is_revoked("late"), Ok(false));
        here.read_all_revocations().await.unwrap();
        assert_eq!(here.revoked().is_revoked("late"), Ok(true));
    }
}
