//! What PostgreSQL has to be told and SQLite knows by itself: a SQLite transaction is the only one that writes.
//!
//! Under READ COMMITTED two transactions that both read first may both decide on what the other is about to change. So
//! whoever reads in order to write takes one of these locks first; it is kept until the transaction ends. A statement
//! after the lock sees all that was committed before it was given.

use super::database::{Engine, Transaction};
use super::{Result, Store};

/// Work of which one transaction at a time may do the same, in all replicas together.
#[derive(Copy, Clone)]
pub(crate) enum Turn {
    /// Counts registrations and adds one.
    Registration = 1,
    /// Looks that there is no user, and makes the first.
    FirstUser = 3,
    /// Ends many grants: two of these at once could wait for each other in a ring.
    EndingGrants = 4,
    /// Sweeps expired rows: one replica is enough.
    Sweeping = 5,
}

impl Turn {
    /// Advisory locks belong to the whole database; this part of the number is hallpass's. The statements mix in the schema, so
    /// that two houses in one database do not keep each other waiting.
    fn number(self) -> i64 {
        const HALLPASS: i64 = 0x6861_6c6c_0000_0000;
        HALLPASS | self as i64
    }
}

impl Store {
    /// Waits until no other transaction has this turn, and takes it.
    pub(crate) async fn take_turn(&self, tx: &mut Transaction, turn: Turn) -> Result<()> {
        if self.engine() == Engine::Postgres {
            // A condition, since the function itself yields a type (void) that the driver does not know.
            sqlx::query(
                "SELECT 1 WHERE pg_advisory_xact_lock($1 # hashtext(current_schema()::text)) IS NOT NULL",
            )
            .bind(turn.number())
            .execute(&mut **tx)
            .await?;
        }
        Ok(())
    }

    /// The same without waiting: false where another transaction has the turn.
    pub(crate) async fn try_turn(&self, tx: &mut Transaction, turn: Turn) -> Result<bool> {
        match self.engine() {
            Engine::Sqlite => Ok(true),
            Engine::Postgres => Ok(sqlx::query_scalar(
                "SELECT pg_try_advisory_xact_lock($1 # hashtext(current_schema()::text))",
            )
            .bind(turn.number())
            .fetch_one(&mut **tx)
            .await?),
        }
    }

    /// Until the transaction ends, nobody disables or removes the person who gave this code. Others who hold the same
    /// person do not wait.
    pub(crate) async fn hold_user_of_code(&self, tx: &mut Transaction, code_hash: &str) -> Result<()> {
        let select =
            "SELECT 1 FROM users WHERE id = (SELECT user_id FROM codes WHERE code_hash = $1) FOR SHARE";
        self.hold(tx, select, code_hash).await
    }

    /// The same for the person who has allowed this device.
    pub(crate) async fn hold_user_of_device(&self, tx: &mut Transaction, device_hash: &str) -> Result<()> {
        let select = "SELECT 1 FROM users WHERE id = (SELECT user_id FROM device_codes WHERE device_hash = $1) FOR SHARE";
        self.hold(tx, select, device_hash).await
    }

    /// Until the transaction ends, nothing else is done to the person that this link is for.
    pub(crate) async fn hold_user_of_link(&self, tx: &mut Transaction, token_hash: &str) -> Result<()> {
        let select = "SELECT 1 FROM users WHERE id = (SELECT user_id FROM user_links WHERE token_hash = $1) FOR UPDATE";
        self.hold(tx, select, token_hash).await
    }

    /// Until the transaction ends, nobody disables or removes this person, or sets another password.
    pub(crate) async fn hold_user(&self, tx: &mut Transaction, user_id: &str) -> Result<()> {
        self.hold(tx, "SELECT 1 FROM users WHERE id = $1 FOR SHARE", user_id).await
    }

    /// Until the transaction ends, nothing is granted in the name of this person, and what is being granted has been.
    pub(crate) async fn hold_user_alone(&self, tx: &mut Transaction, user_id: &str) -> Result<()> {
        self.hold(tx, "SELECT 1 FROM users WHERE id = $1 FOR UPDATE", user_id).await
    }

    async fn hold(&self, tx: &mut Transaction, select: &'static str, id: &str) -> Result<()> {
        if self.engine() == Engine::Postgres {
            sqlx::query(select).bind(id).execute(&mut **tx).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use hallpass_protocol::time::Timestamp;
    use hallpass_testkit::clock::FakeClock;
    use hallpass_testkit::database::TestDatabase;
    use tokio::task::JoinHandle;

    use super::*;
    use crate::store::CodeRow;
    use crate::store::testing::open;

    async fn store(database: &TestDatabase) -> Store {
        open(database, FakeClock::at(Timestamp::from_unix(1_000)).clock()).await
    }

    /// Until the other one waits for a lock of this transaction, or has not waited.
    pub(crate) async fn waits<T>(tx: &mut Transaction, other: &JoinHandle<T>) {
        loop {
            // Not of pg_stat_activity: a transaction sees it as it was at its first look, and the other may connect later.
            let waiting: i64 = sqlx::query_scalar(
                "SELECT COUNT(*) FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))",
            )
            .fetch_one(&mut **tx)
            .await
            .unwrap();
            if waiting > 0 || other.is_finished() {
                return;
            }
        }
    }

    #[tokio::test]
    async fn a_code_of_someone_who_is_being_disabled_begins_no_grant() {
        let database = TestDatabase::postgres();
        let store = store(&database).await;
        assert!(store.insert_user("u", "u", "u", "h").await.unwrap());
        store.insert_code("c", &CodeRow::sample("u", 1_060)).await.unwrap();
        // As another replica does it, which has looked for grants already and found none.
        let mut disabling = store.begin().await.unwrap();
        store.hold_user_alone(&mut disabling, "u").await.unwrap();
        let disable = "UPDATE users SET disabled_at = 1000 WHERE id = 'u'";
        sqlx::query(disable).execute(&mut *disabling).await.unwrap();
        let redeeming = tokio::spawn({
            let store = store.clone();
            async move { store.redeem_code("c", Timestamp::from_unix(9_000), None, None).await.unwrap() }
        });
        waits(&mut disabling, &redeeming).await;
        disabling.commit().await.unwrap();
        assert!(!redeeming.await.unwrap());
    }

    #[tokio::test]
    async fn a_link_and_a_password_take_the_same_row_first() {
        let database = TestDatabase::postgres();
        let store = store(&database).await;
        assert!(store.insert_user("u", "u", "u", "h").await.unwrap());
        assert!(store.replace_user_link("u", "link", Timestamp::from_unix(9_000)).await.unwrap());
        // Somebody sets a password, has the person's row, and is about to end the links.
        let mut setting = store.begin().await.unwrap();
        sqlx::query("UPDATE users SET password_hash = 'new'").execute(&mut *setting).await.unwrap();
        let using = tokio::spawn({
            let store = store.clone();
            async move { store.use_user_link("link", "other").await }
        });
        waits(&mut setting, &using).await;
        sqlx::query("DELETE FROM user_links").execute(&mut *setting).await.unwrap();
        setting.commit().await.unwrap();
        assert!(!using.await.unwrap().unwrap(), "the link is gone, and nobody waited in a ring");
    }

    #[tokio::test]
    async fn whoever_counts_waits_for_whoever_has_counted() {
        let database = TestDatabase::postgres_alone();
        let store = store(&database).await;
        let mut first = store.begin().await.unwrap();
        store.take_turn(&mut first, Turn::FirstUser).await.unwrap();
        let second = tokio::spawn({
            let store = store.clone();
            async move {
                let ends = Timestamp::from_unix(9_000);
                store.replace_setup_link("a link", ends).await.unwrap();
            }
        });
        waits(&mut first, &second).await;
        assert!(!second.is_finished());
        assert!(store.try_turn(&mut first, Turn::Sweeping).await.unwrap(), "another turn is another lock");
        let mut third = store.begin().await.unwrap();
        assert!(!store.try_turn(&mut third, Turn::FirstUser).await.unwrap());
        third.rollback().await.unwrap();
        first.commit().await.unwrap();
        second.await.unwrap();
    }
}
