//! Word from replica to replica, on PostgreSQL: what one revokes, the others hear as soon as it is committed. Reading
//! the table every second stays behind it, for whoever missed a word.

use std::time::Duration;

use sqlx::postgres::PgListener;
use tokio::task::AbortHandle;

use super::database::{Engine, Transaction};
use super::grants::revocation_ends;
use super::{Result, Store};
use crate::revocations::Revocations;

pub(super) const CHANNEL: &str = "hallpass_revoked";
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Listens as long as it lives.
pub(super) struct Ears(AbortHandle);

impl Drop for Ears {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Ears {
    /// Whatever is revoked after this has returned is heard.
    pub(super) async fn open(url: &str, channel: String, revocations: Revocations) -> sqlx::Result<Self> {
        let listener = listen(url, &channel).await?;
        let listening = tokio::spawn(hear(listener, (url.to_owned(), channel), revocations));
        Ok(Self(listening.abort_handle()))
    }
}

async fn listen(url: &str, channel: &str) -> sqlx::Result<PgListener> {
    let mut listener = PgListener::connect(url).await?;
    listener.listen(channel).await?;
    Ok(listener)
}

async fn hear(mut listener: PgListener, (url, channel): (String, String), revocations: Revocations) {
    loop {
        match listener.recv().await {
            Ok(notice) => {
                let until = revocation_ends(revocations.now());
                revocations.insert([(notice.payload().to_owned(), until)]);
            }
            Err(error) => {
                tracing::warn!(%error, "replicas are not heard; what they revoke is read from the table");
                listener = listen_again(&url, &channel).await;
            }
        }
    }
}

async fn listen_again(url: &str, channel: &str) -> PgListener {
    loop {
        tokio::time::sleep(AGAIN_AFTER).await;
        if let Ok(listener) = listen(url, channel).await {
            return listener;
        }
    }
}

impl Store {
    /// Tells the other replicas when the transaction commits, and nobody where it does not.
    pub(super) async fn tell_revoked(&self, tx: &mut Transaction, revoked: &str) -> Result<()> {
        if self.engine() == Engine::Postgres {
            sqlx::query("SELECT 1 WHERE pg_notify($1, $2) IS NOT NULL")
                .bind(self.channel())
                .bind(revoked)
                .execute(&mut **tx)
                .await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use hallpass_protocol::time::Timestamp;
    use hallpass_testkit::clock::FakeClock;
    use hallpass_testkit::database::TestDatabase;

    use super::*;
    use crate::store::CodeRow;
    use crate::store::testing::open;

    /// The promise is a second; the bound is longer, for machines that do much else.
    async fn hears(store: &Store, revoked: &str) -> bool {
        let heard = async {
            while store.revoked().is_revoked(revoked) != Ok(true) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), heard).await.is_ok()
    }

    #[tokio::test]
    async fn a_replica_hears_of_a_revocation_without_asking() {
        let database = TestDatabase::postgres();
        let clock = FakeClock::at(Timestamp::from_unix(1_000));
        let (here, there) = (open(&database, clock.clock()).await, open(&database, clock.clock()).await);
        there.revoke_access_token("a token").await.unwrap();
        assert!(hears(&here, "a token").await);

        assert!(there.insert_user("u", "u", "u", "h").await.unwrap());
        there.insert_code("c", &CodeRow::sample("u", 1_060)).await.unwrap();
        assert!(there.redeem_code("c", Timestamp::from_unix(9_000), None, None).await.unwrap());
        assert!(there.disable_user("u").await.unwrap());
        assert!(hears(&here, "x.a token of that grant").await);
    }

    #[tokio::test]
    async fn a_replica_that_lost_its_connection_listens_again() {
        let database = TestDatabase::postgres_alone();
        let clock = FakeClock::at(Timestamp::from_unix(1_000));
        let (here, there) = (open(&database, clock.clock()).await, open(&database, clock.clock()).await);
        sqlx::query_scalar::<_, bool>(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE query LIKE 'LISTEN%' AND datname = current_database()",
        )
        .fetch_all(there.reader())
        .await
        .unwrap();
        let heard = async {
            let mut n = 0;
            while here.revoked().is_revoked("again") != Ok(true) {
                n += 1;
                there.revoke_access_token(&format!("lost {n}")).await.unwrap();
                there.revoke_access_token("again").await.unwrap();
            }
        };
        assert!(tokio::time::timeout(Duration::from_secs(20), heard).await.is_ok());
    }
}
