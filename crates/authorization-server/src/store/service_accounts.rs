//! Accounts of a protected server: API keys and passwords. What they are is the resource server's to know; here they are
//! kept, sealed, for every replica.

use hallpass_protocol::secret::SecretBytes;

use super::{Result, Store};
use crate::audit::{AuditKind, By, NewEvent};

pub(super) const KIND: &str = "service account";

/// An account of a protected server.
#[derive(Clone, Debug)]
pub struct ServiceAccount {
    /// Its own id, for good.
    pub id: String,
    /// Its name. No two have the same.
    pub name: String,
    /// What the resource server wants to know of it again.
    pub content: SecretBytes,
}

/// All accounts as they are kept. Two that are equal hold the same accounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedAccounts(Vec<(String, String, String)>);

impl Store {
    /// Keeps an account. False where there is one of that name.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn keep_service_account(&self, account: &ServiceAccount) -> Result<bool> {
        let sealed = self.key().sealing(KIND).seal(&account.id, account.content.expose())?;
        let kept = sqlx::query(
            "INSERT INTO service_accounts (id, name, sealed) VALUES ($1, $2, $3) ON CONFLICT (name) DO NOTHING",
        )
        .bind(&account.id)
        .bind(&account.name)
        .bind(sealed)
        .execute(self.writer())
        .await?;
        Ok(self.noted(kept.rows_affected() == 1, AuditKind::AccountAdded, &account.name).await)
    }

    /// Forgets the account of that name. False where there is none.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn forget_service_account(&self, name: &str) -> Result<bool> {
        let forgotten = sqlx::query("DELETE FROM service_accounts WHERE name = $1")
            .bind(name)
            .execute(self.writer())
            .await?;
        Ok(self.noted(forgotten.rows_affected() > 0, AuditKind::AccountRevoked, name).await)
    }

    /// What was done, where it was, for the audit log.
    async fn noted(&self, done: bool, kind: AuditKind, name: &str) -> bool {
        if done {
            self.record_now(NewEvent::new(kind).by(&By::Operator).detail(name)).await;
        }
        done
    }

    /// Every account, sealed: cheap to ask for again and again, to see whether anything has changed.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn service_accounts(&self) -> Result<SealedAccounts> {
        let rows = sqlx::query_as("SELECT id, name, sealed FROM service_accounts ORDER BY name")
            .fetch_all(self.reader())
            .await?;
        Ok(SealedAccounts(rows))
    }

    /// Opens them.
    ///
    /// # Errors
    /// Where one was sealed under a master key that is not at hand.
    pub fn open_service_accounts(&self, sealed: &SealedAccounts) -> Result<Vec<ServiceAccount>> {
        let key = self.key().sealing(KIND);
        let open = |(id, name, sealed): &(String, String, String)| {
            let content = SecretBytes::new(key.open(id, sealed)?);
            Ok(ServiceAccount { id: id.clone(), name: name.clone(), content })
        };
        sealed.0.iter().map(open).collect()
    }
}

#[cfg(test)]
mod tests {
    use hallpass_protocol::time::Timestamp;
    use hallpass_testkit::clock::FakeClock;
    use hallpass_testkit::database::TestDatabase;

    use super::*;
    use crate::store::testing::open;

    #[tokio::test]
    async fn accounts_are_kept_sealed_and_every_replica_sees_a_change() {
        let database = TestDatabase::new();
        let clock = FakeClock::at(Timestamp::from_unix(1_000));
        let (here, there) = (open(&database, clock.clock()).await, open(&database, clock.clock()).await);
        let account = |id: &str, name: &str| ServiceAccount {
            id: id.to_owned(),
            name: name.to_owned(),
            content: SecretBytes::new(*b"H(A1)"),
        };
        assert!(here.keep_service_account(&account("1", "ci")).await.unwrap());
        assert!(!there.keep_service_account(&account("2", "ci")).await.unwrap(), "a name is there once");
        assert!(there.keep_service_account(&account("2", "meter")).await.unwrap());
        let sealed = here.service_accounts().await.unwrap();
        assert!(!format!("{sealed:?}").contains("H(A1)"));
        let opened = here.open_service_accounts(&sealed).unwrap();
        let seen: Vec<_> =
            opened.iter().map(|one| (one.id.as_str(), one.name.as_str(), one.content.expose())).collect();
        assert_eq!(seen, [("1", "ci", &b"H(A1)"[..]), ("2", "meter", b"H(A1)")]);
        assert_eq!(here.service_accounts().await.unwrap(), sealed, "nothing has changed");
        assert!(there.forget_service_account("ci").await.unwrap());
        assert!(!there.forget_service_account("ci").await.unwrap());
        assert_ne!(here.service_accounts().await.unwrap(), sealed);
    }
}
