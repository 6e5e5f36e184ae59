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
    /// Advisory locks belong to the whole database; this part of the number is hallpass's.
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
            sqlx::query("SELECT 1 WHERE pg_advisory_xact_lock($1) IS NOT NULL")
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
            Engine::Postgres => Ok(sqlx::query_scalar("SELECT pg_try_advisory_xact_lock($1)")
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
