//! API keys and passwords, kept in the database: commands write them, and every server that runs sees it within a second.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use anyhow::Context;
use hallpass_authorization_server::{SealedAccounts, ServiceAccount, Store};
use hallpass_protocol::{Clock, SecretBytes, Timestamp};
use hallpass_resource_server::{Account, Accounts};
use serde::{Deserialize, Serialize};
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
    pub(crate) async fn read(&self) -> anyhow::Result<Vec<Kept>> {
        self.open(&self.0.service_accounts().await?)
    }

    /// False where there is one of that name.
    pub(crate) async fn add(&self, kept: &Kept) -> anyhow::Result<bool> {
        let content = SecretBytes::new(serde_json::to_vec(kept)?);
        let account = &kept.account;
        let kept = ServiceAccount { id: account.id.clone(), name: account.name.clone(), content };
        Ok(self.0.keep_service_account(&kept).await?)
    }

    /// False where there is none of that name.
    pub(crate) async fn remove(&self, name: &str) -> anyhow::Result<bool> {
        Ok(self.0.forget_service_account(name).await?)
    }

    /// For a server that runs: looked at once before it starts, and each second until `stop`.
    pub(crate) async fn live(self, clock: Clock, stop: CancellationToken) -> anyhow::Result<LiveAccounts> {
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
        Ok(LiveAccounts { seen, clock })
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

    fn open(&self, sealed: &SealedAccounts) -> anyhow::Result<Vec<Kept>> {
        let read = |account: ServiceAccount| {
            serde_json::from_slice(account.content.expose())
                .with_context(|| format!("the account {} in the database is damaged", account.name))
        };
        self.0.open_service_accounts(sealed)?.into_iter().map(read).collect()
    }
}

/// An account as it is kept. One word means something else at another server, and so does a scope: an account is good at the
/// server that it was made for and at no other.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Kept {
    /// That server's name in the file; none where it is the only one, and has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) server: Option<String>,
    #[serde(flatten)]
    pub(crate) account: Account,
}

/// The accounts as they are now, for every server of a process.
#[derive(Clone)]
pub(crate) struct LiveAccounts {
    seen: Arc<Seen>,
    clock: Clock,
}

impl LiveAccounts {
    /// Those of one server.
    pub(crate) fn of(&self, server: Option<&str>) -> Accounts {
        let (Self { seen, clock }, server) = (self.clone(), server.map(str::to_owned));
        Accounts::live(move || seen.accounts(server.as_deref(), clock.now()))
    }
}

/// By server: the answer has to be at hand for every request.
type ByServer = HashMap<Option<String>, Arc<Vec<Account>>>;

/// What was read, and when it was so.
#[derive(Default)]
struct Seen(RwLock<Option<(ByServer, Timestamp)>>);

impl Seen {
    fn note(&self, all: Vec<Kept>, now: Timestamp) {
        let mut by_server: HashMap<_, Vec<Account>> = HashMap::new();
        for Kept { server, account } in all {
            by_server.entry(server).or_default().push(account);
        }
        let by_server = by_server.into_iter().map(|(server, list)| (server, Arc::new(list))).collect();
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some((by_server, now));
    }

    fn still(&self, now: Timestamp) {
        if let Some((_, at)) = self.0.write().unwrap_or_else(PoisonError::into_inner).as_mut() {
            *at = now;
        }
    }

    fn accounts(&self, server: Option<&str>, now: Timestamp) -> Option<Arc<Vec<Account>>> {
        let seen = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let (by_server, _) = seen.as_ref().filter(|(_, at)| now <= at.after(BELIEVED))?;
        let own = by_server.iter().find(|(of, _)| of.as_deref() == server);
        Some(own.map_or_else(Arc::default, |(_, accounts)| Arc::clone(accounts)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_let_in_by_a_list_that_was_not_read_for_long() {
        let seen = Seen::default();
        let at = Timestamp::from_unix;
        assert!(seen.accounts(None, at(1_000)).is_none(), "never read");
        seen.note(Vec::new(), at(1_000));
        assert!(seen.accounts(None, at(1_030)).is_some());
        assert!(seen.accounts(None, at(1_031)).is_none());
        seen.still(at(1_031));
        assert!(seen.accounts(Some("notes"), at(1_061)).is_some());
    }

    /// What was kept before there were several servers names none, and is read as it was.
    #[test]
    fn an_account_is_good_at_its_own_server() {
        let key = r#"{"id":"1","name":"ci","scopes":"read","created":1000,"shows":{"key":"h"}}"#;
        let old: Kept = serde_json::from_str(key).unwrap();
        assert_eq!(
            serde_json::to_value(&old).unwrap(),
            serde_json::from_str::<serde_json::Value>(key).unwrap()
        );
        let notes = Kept { server: Some("notes".to_owned()), account: old.account.clone() };
        let again: Kept = serde_json::from_slice(&serde_json::to_vec(&notes).unwrap()).unwrap();
        assert_eq!(again.server.as_deref(), Some("notes"));
        let (seen, now) = (Seen::default(), Timestamp::from_unix(1_000));
        seen.note(vec![again], now);
        let count = |server| seen.accounts(server, now).map(|list| list.len());
        assert_eq!([count(Some("notes")), count(Some("mail")), count(None)], [Some(1), Some(0), Some(0)]);
        seen.note(vec![old], now);
        let count = |server| seen.accounts(server, now).map(|list| list.len());
        assert_eq!([count(Some("notes")), count(None)], [Some(0), Some(1)]);
    }
}
