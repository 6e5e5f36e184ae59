//! The two databases, behind one driver: sqlx's `Any`.
//!
//! Every statement is written once. `Any` costs a copy of each value (a few microseconds beside a commit of some
//! hundred) and knows no types but text and numbers, which is what the tables are made of.

use std::sync::Arc;
use std::time::Duration;

use hallpass_protocol::time::Clock;
use sqlx::{Any, AnyPool};

use super::checkpoints::Checkpoints;
use super::notices::Ears;
use super::{Inner, Result, Store};
use crate::audit::Queue;
use crate::keys::MasterKey;
use crate::revocations::Revocations;

/// How long whoever asks whether the database answers waits for it.
const PATIENCE: Duration = Duration::from_secs(2);

/// A transaction on either database.
pub(crate) type Transaction = sqlx::Transaction<'static, Any>;

/// Which of the two it is: for the few things that they do differently.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Engine {
    /// One file, one writer at a time.
    Sqlite,
    /// Several replicas, and in each several transactions at a time.
    Postgres,
}

/// An open database. On PostgreSQL both pools are the same.
pub(super) struct Database {
    pub(super) engine: Engine,
    pub(super) read: AnyPool,
    pub(super) write: AnyPool,
    /// Where replicas tell each other what is revoked.
    pub(super) channel: String,
    /// On PostgreSQL, where there are replicas to be heard.
    pub(super) _ears: Option<Ears>,
    /// On SQLite.
    pub(super) _checkpoints: Option<Checkpoints>,
}

impl Store {
    /// The store on a database whose tables are up to date.
    pub(super) async fn on(
        database: Database,
        key: MasterKey,
        clock: Clock,
        revocations: Revocations,
    ) -> Result<Self> {
        let store = Self(Arc::new(Inner { database, key, clock, revocations, audit: Queue::default() }));
        store.load_house_secrets().await?;
        store.read_all_revocations().await?;
        Ok(store)
    }

    /// Whether other replicas may work on the same database.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.engine() == Engine::Postgres
    }

    /// Whether the database answers at this moment: for whoever decides where requests are sent.
    pub async fn answers(&self) -> bool {
        let asked = sqlx::query("SELECT name FROM house_secrets LIMIT 1").execute(self.reader());
        matches!(tokio::time::timeout(PATIENCE, asked).await, Ok(Ok(_)))
    }

    pub(super) fn engine(&self) -> Engine {
        self.0.database.engine
    }

    pub(super) fn channel(&self) -> &str {
        &self.0.database.channel
    }

    pub(super) fn reader(&self) -> &AnyPool {
        &self.0.database.read
    }

    pub(super) fn writer(&self) -> &AnyPool {
        &self.0.database.write
    }

    /// On SQLite the transaction takes the write lock at once: one that reads first cannot fail at its first write, and
    /// nothing changes under it. On PostgreSQL (READ COMMITTED) each statement sees what others have committed by then:
    /// what was read has to be held, or judged by the statement that writes.
    pub(super) async fn begin(&self) -> Result<Transaction> {
        Ok(match self.engine() {
            Engine::Sqlite => self.writer().begin_with("BEGIN IMMEDIATE").await?,
            Engine::Postgres => self.writer().begin().await?,
        })
    }
}
