//! Everything that outlives a request, on SQLite or PostgreSQL: one file of queries for each table.
//!
//! - The SQL is what both speak: `$1`, `RETURNING`, `ON CONFLICT`, TEXT and BIGINT.
//! - SQLite: writes go through one connection and `BEGIN IMMEDIATE`, so that they queue instead of failing; reads have
//!   connections of their own (WAL). Other processes (the command line) may open the same file while a server runs.
//! - PostgreSQL: several replicas, each with several connections, READ COMMITTED. Whatever is read before it is written
//!   is held until then ([`locks`]).
//! - What may happen once only happens in one statement (`UPDATE … WHERE used_at IS NULL RETURNING`).

mod access_tokens;
mod audit_events;
mod backup;
mod came_by;
mod checkpoints;
mod clients;
mod codes;
mod connect;
mod consents;
mod crowd;
mod database;
mod database_url;
mod device_codes;
mod grants;
mod grants_in_use;
mod house_secrets;
mod identities;
mod initial_access_tokens;
mod interactions;
mod issuers;
mod known_browsers;
mod locks;
mod login_failures;
mod migrate;
mod notices;
mod open;
#[cfg(test)]
mod over_tls;
mod passkeys;
#[cfg(test)]
mod plans;
mod provider_legs;
mod provisioned;
mod proxied;
mod pushed_requests;
mod refresh_tokens;
mod registrations;
mod reseal;
mod restore;
mod revocations;
mod scim_tokens;
mod seen_ids;
mod service_accounts;
mod sessions;
mod setup_links;
mod signing_keys;
mod sweep;
#[cfg(test)]
pub(crate) mod testing;
mod totp;
mod trusted_issuers;
mod user_links;
mod users;
mod vault;
mod vouched;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hallpass_protocol::time::{Clock, Timestamp};

use crate::audit::Queue;
use crate::keys::{MasterKey, Unsealable};
use crate::revocations::Revocations;

pub use backup::BackupError;
pub(crate) use came_by::{CameBy, Ended, EndedFor, SidHash, Whom};
pub(crate) use clients::{ClientOrigin, ClientRow};
pub(crate) use codes::CodeRow;
pub(crate) use consents::{Agreed, Consent};
use database::Database;
pub(crate) use database::Transaction;
pub use database_url::{DatabaseUrl, DatabaseUrlError};
pub(crate) use device_codes::{Decision, DeviceRow, Poll};
pub(crate) use grants::{BeginsGrant, GrantRow, LONGEST_ACCESS_TOKEN, revocation_ends};
pub(crate) use grants_in_use::GrantInUse;
pub(crate) use identities::{IdentityRow, Made, NewPerson, Standing};
pub use initial_access_tokens::InitialAccessToken;
pub(crate) use login_failures::Attempt;
pub(crate) use passkeys::NewPasskey;
pub(crate) use provider_legs::NewLeg;
pub(crate) use provisioned::{NotChanged, PeopleFilter, ProvisionedUser};
pub(crate) use proxied::HandedOver;
pub(crate) use refresh_tokens::{NewRefreshToken, RefreshTokenRow, Rotation};
pub(crate) use registrations::{Admission, Registered, RegistrationQuota};
pub use restore::Restoring;
pub(crate) use seen_ids::SeenBy;
pub use service_accounts::{SealedAccounts, ServiceAccount};
pub(crate) use sessions::{SessionRow, Shown, bounded};
pub(crate) use signing_keys::{NewSigningKey, SigningKeyRow};
pub(crate) use totp::HalfLoginRow;
pub use users::User;
pub(crate) use users::UserRow;
pub(crate) use vault::KIND as VAULT;
pub(crate) use vault::{Ends, NewInVault, VaultRow};
pub(crate) use vouched::{VouchedBy, VouchedRow};

/// The database of one authorization server. Clones share it.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    database: Database,
    key: MasterKey,
    clock: Clock,
    revocations: Revocations,
    audit: Queue,
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
    /// PostgreSQL cannot be reached.
    #[error("the database {url} cannot be reached: {why}")]
    Connect {
        /// Where it should be.
        url: Box<DatabaseUrl>,
        /// What went wrong, and what to do.
        why: String,
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
    /// What another one was told who asked for the same.
    #[error(transparent)]
    OfAnother(Arc<StoreError>),
    /// It answers nothing, and is not waited for any longer.
    #[error("the database has given no answer for {} seconds", .0.as_secs())]
    NoAnswer(Duration),
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

    /// Events of the audit log that wait to be written.
    pub(crate) fn audit(&self) -> &Queue {
        &self.0.audit
    }

    pub(crate) fn revoked(&self) -> &Revocations {
        &self.0.revocations
    }
}

/// Lists (redirect URIs, grant types) are JSON in a TEXT column.
fn to_json(list: &[String]) -> String {
    serde_json::Value::from(list.to_vec()).to_string()
}

fn from_json(text: &str, what: &'static str) -> Result<Vec<String>> {
    serde_json::from_str(text).map_err(|_| StoreError::Unreadable { what })
}
