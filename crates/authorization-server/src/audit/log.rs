//! The log, for an operator.

use hallpass_protocol::time::Timestamp;

use super::AuditEvent;
use crate::store::{Store, StoreError};

/// Reads the log. Works on a bare store, while a server runs on it too; what a server does can be read a second later.
#[derive(Clone, Debug)]
pub struct AuditLog(Store);

/// Which events. All, where nothing is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// About or by this person: a name, or the `sub` of tokens.
    pub user: Option<String>,
    /// About this client.
    pub client: Option<String>,
    /// With the reference that an error page has shown.
    pub reference: Option<String>,
    /// Not before this time.
    pub since: Option<Timestamp>,
    /// Older than the event with this id: the next page.
    pub before: Option<String>,
}

impl AuditLog {
    pub(crate) fn new(store: Store) -> Self {
        Self(store)
    }

    /// How long events are kept that strangers did not cause: 90 days, where nobody says otherwise. An authorization server says
    /// so itself ([`Settings::audit_lifetime`](crate::Settings::audit_lifetime)); this is for whoever sweeps without one.
    pub fn keep_for(&self, lifetime: std::time::Duration) {
        self.0.audit().keep_for(lifetime);
    }

    /// From now on `hear` is told of each event that this process has written, once it is in the database: for a log beside it.
    /// It is called by whoever writes, and must not take long. The first to ask is told, and no other.
    pub fn tell(&self, hear: impl Fn(&super::Recorded<'_>) + Send + Sync + 'static) {
        self.0.audit().tell(hear);
    }

    /// Events, newest first, so many at most.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn list(&self, filter: &AuditFilter, most: u32) -> Result<Vec<AuditEvent>, StoreError> {
        self.0.list_events(filter, most).await
    }
}

impl Store {
    /// The audit log.
    #[must_use]
    pub fn audit_log(&self) -> AuditLog {
        AuditLog::new(self.clone())
    }
}
