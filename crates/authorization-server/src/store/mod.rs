//! Everything that outlives a request: one SQLite file, one file of queries for each table.
//!
//! - Writes go through one connection and `BEGIN IMMEDIATE`, so that they queue instead of failing;
//!   reads have connections of their own (WAL).
//! - What may happen once only happens in one statement (`UPDATE … WHERE used_at IS NULL RETURNING`).
//! - The SQL is what PostgreSQL speaks too: `$1`, `RETURNING`, `ON CONFLICT`, TEXT and BIGINT.
//! - Other processes (the command line) may open the same file while a server runs.

mod clients;
mod codes;
mod consents;
mod grants;
mod interactions;
mod issuers;
mod known_browsers;
mod login_failures;
mod open;
mod refresh_tokens;
mod revocations;
mod sessions;
mod setup_links;
mod signing_keys;
mod sweep;
mod user_links;
mod users;

use std::path::PathBuf;
use std::sync::Arc;

use hallpass_protocol::time::{Clock, Timestamp};
use sqlx::{Sqlite, SqlitePool, Transaction};

use crate::keys::{MasterKey, Unsealable};
use crate::revocations::Revocations;

pub(crate) use clients::{ClientOrigin, ClientRow, RegistrationQuota};
pub(crate) use codes::CodeRow;
pub(crate) use consents::Consent;
pub(crate) use grants::{GrantRow, LONGEST_ACCESS_TOKEN};
pub(crate) use login_failures::Attempt;
pub(crate) use refresh_tokens::RefreshTokenRow;
pub(crate) use sessions::SessionRow;
pub use users::User;
pub(crate) use users::UserRow;

/// The database of one authorization server. Clones share it.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    read: SqlitePool,
    write: SqlitePool,
    key: MasterKey,
    clock: Clock,
    revocations: Revocations,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Store")
    }
}

/// Why the store could not do what was asked. The caller refuses: it never goes on as if it had.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The folder or file of the database cannot be made or opened.
    #[error(
        "the database {path} cannot be opened: {source}; check that its folder exists and that this user may write there"
    )]
    Open {
        /// The database file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// Others than the owner can read or write the database.
    #[error("the database {path} is open to others (mode {mode:o}): run `chmod 600 {path}`")]
    OpenToOthers {
        /// The database file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The database's tables could not be brought up to date.
    #[error(
        "the database could not be brought up to date: {0}; if a newer hallpass has used it, run that version"
    )]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// A statement failed.
    #[error("the database did not answer as it should: {0}")]
    Database(#[from] sqlx::Error),
    /// A sealed value cannot be opened.
    #[error("{0}", Unsealable)]
    Sealed,
    /// A row holds what this version cannot read.
    #[error("the database holds a {what} that cannot be read")]
    Unreadable {
        /// What kind of value it is.
        what: &'static str,
    },
}

impl From<Unsealable> for StoreError {
    fn from(_: Unsealable) -> Self {
        Self::Sealed
    }
}

/// The result of asking the store.
pub(crate) type Result<T> = std::result::Result<T, StoreError>;

impl Store {
    pub(crate) fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    pub(crate) fn key(&self) -> &MasterKey {
        &self.0.key
    }

    pub(crate) fn revoked(&self) -> &Revocations {
        &self.0.revocations
    }

    fn reader(&self) -> &SqlitePool {
        &self.0.read
    }

    fn writer(&self) -> &SqlitePool {
        &self.0.write
    }

    /// Takes the write lock at once, so that a transaction which reads first cannot fail at its first write.
    async fn begin(&self) -> Result<Transaction<'static, Sqlite>> {
        Ok(self.0.write.begin_with("BEGIN IMMEDIATE").await?)
    }
}

/// Lists (redirect URIs, grant types) are JSON in a TEXT column.
fn to_json(list: &[String]) -> String {
    serde_json::Value::from(list.to_vec()).to_string()
}

fn from_json(text: &str, what: &'static str) -> Result<Vec<String>> {
    serde_json::from_str(text).map_err(|_| StoreError::Unreadable { what })
}
