//! API keys and passwords, kept in the database: commands write them, and every server that runs sees it within a second.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use anyhow::Context;
use hallpass_authorization_server::{SealedAccounts, ServiceAccount, Store};
use hallpass_protocol::{Clock, SecretBytes, Timestamp};
use hallpass_resource_server::{Account, Accounts};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// How often a server looks.
const LOOK: Duration = Duration::from_secs(1);
/// How long one look may take: a database that answers nothing must not end looking for good.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long what was read is believed: beyond that, nobody knows who was revoked.
const BELIEVED: Duration = Duration::from_secs(30);

/// The accounts in the database.
#[derive(Clone, Debug)]
pub(crate) struct ServiceAccounts(Store);

impl ServiceAccounts {
    pub(crate) fn new(store: Store) -> Self {
        Self(store)
    }

    /// Everyone who is there.
    pub(crate) async fn read(&self) -> anyhow::Result<Vec<Account>> {
        self.open(&self.0.service_accounts().await?)
    }

    /// False where there is one of that name.
    pub(crate) async fn add(&self, account: &Account) -> anyhow::Result<bool> {
        let content = SecretBytes::new(serde_json::to_vec(account)?);
        let kept = ServiceAccount { id: account.id.clone(), name: account.name.clone(), content };
        Ok(self.0.keep_service_account(&kept).await?)
    }

    /// False where there is none of that name.
    pub(crate) async fn remove(&self, name: &str) -> anyhow::Result<bool> {
        Ok(self.0.forget_service_account(name).await?)
    }

    /// For a server that runs: looked at once before it starts, and each second until `stop`.
    pub(crate) async fn live(self, clock: Clock, stop: CancellationToken) -> anyhow::Result<Accounts> {
        let seen = Arc::new(Seen::default());
        let mut sealed = self.0.service_accounts().await?;
        seen.note(self.open(&sealed)?, clock.now());
        let (live, now) = (Arc::clone(&seen), clock.clone());
        tokio::spawn(stop.run_until_cancelled_owned(async move {
            loop {
                tokio::time::sleep(LOOK).await;
                match timeout(PATIENCE, self.look(&mut sealed, &live, now.now())).await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => {
                        tracing::error!(%error, "the list of API keys and passwords cannot be read");
                    }
                    Err(_) => {
                        tracing::error!("the database does not say which API keys and passwords there are")
                    }
                }
            }
        }));
        Ok(Accounts::live(move || seen.accounts(clock.now())))
    }

    async fn look(&self, known: &mut SealedAccounts, seen: &Seen, now: Timestamp) -> anyhow::Result<()> {
        let sealed = self.0.service_accounts().await?;
        if sealed == *known {
            seen.still(now);
        } else {
            seen.note(self.open(&sealed)?, now);
            *known = sealed;
        }
        Ok(())
    }

    fn open(&self, sealed: &SealedAccounts) -> anyhow::Result<Vec<Account>> {
        let read = |account: ServiceAccount| {
            serde_json::from_slice(account.content.expose())
                .with_context(|| format!("the account {} in the database is damaged", account.name))
        };
        self.0.open_service_accounts(sealed)?.into_iter().map(read).collect()
    }
}

/// What was read, and when it was so.
#[derive(Default)]
struct Seen(RwLock<Option<(Arc<Vec<Account>>, Timestamp)>>);

impl Seen {
    fn note(&self, accounts: Vec<Account>, now: Timestamp) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some((Arc::new(accounts), now));
    }

    fn still(&self, now: Timestamp) {
        if let Some((_, at)) = self.0.write().unwrap_or_else(PoisonError::into_inner).as_mut() {
            *at = now;
        }
    }

    fn accounts(&self, now: Timestamp) -> Option<Arc<Vec<Account>>> {
        let seen = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let fresh = seen.as_ref().filter(|(_, at)| now <= at.after(BELIEVED));
        fresh.map(|(accounts, _)| Arc::clone(accounts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_let_in_by_a_list_that_was_not_read_for_long() {
        let seen = Seen::default();
        let at = Timestamp::from_unix;
        assert!(seen.accounts(at(1_000)).is_none(), "never read");
        seen.note(Vec::new(), at(1_000));
        assert!(seen.accounts(at(1_030)).is_some());
        assert!(seen.accounts(at(1_031)).is_none());
        seen.still(at(1_031));
        assert!(seen.accounts(at(1_061)).is_some());
    }
}
