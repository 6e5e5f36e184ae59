//! Who an account is at other issuers, by their assertions: one person each, found by issuer and subject and by nothing else. A
//! login at an issuer makes the same rows.

use super::{Result, Store, Transaction};

/// What an issuer's name for somebody is linked to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct VouchedRow {
    pub(crate) user_id: String,
    /// Stands in the ids of the tokens that come from it.
    pub(crate) own_grant: String,
    pub(crate) disabled: bool,
    /// Whether this very call has made the link.
    pub(crate) is_new: bool,
}

/// A name at an issuer that is not linked yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct VouchedBy<'a> {
    pub(crate) issuer: &'a str,
    pub(crate) subject: &'a str,
}

const FIND: &str = "SELECT identities.user_id, identities.own_grant, users.disabled_at
     FROM identities JOIN users ON users.id = identities.user_id
     WHERE identities.issuer = $1 AND identities.subject = $2";

type Columns = (String, Option<String>, Option<i64>);

impl Store {
    pub(crate) async fn find_vouched(&self, issuer: &str, subject: &str) -> Result<Option<VouchedRow>> {
        let row: Option<Columns> =
            sqlx::query_as(FIND).bind(issuer).bind(subject).fetch_optional(self.reader()).await?;
        let Some((user_id, own_grant, disabled_at)) = row else { return Ok(None) };
        let own_grant = match own_grant {
            Some(own_grant) => Some(own_grant),
            None => self.name_vouched(issuer, subject, &user_id).await?,
        };
        let disabled = disabled_at.is_some() || own_grant.is_none();
        Ok(Some(VouchedRow { user_id, own_grant: own_grant.unwrap_or_default(), disabled, is_new: false }))
    }

    /// Of an identity that began with a login there: the first to ask gives the name. None where the person is disabled: while
    /// this holds the person nobody ends what is named here without seeing it.
    async fn name_vouched(&self, issuer: &str, subject: &str, user_id: &str) -> Result<Option<String>> {
        let mut tx = self.begin().await?;
        self.hold_user(&mut tx, user_id).await?;
        let named: Option<String> = sqlx::query_scalar(
            "UPDATE identities SET own_grant = COALESCE(own_grant, $3)
             WHERE issuer = $1 AND subject = $2
               AND EXISTS (SELECT 1 FROM users WHERE users.id = identities.user_id AND disabled_at IS NULL)
             RETURNING own_grant",
        )
        .bind(issuer)
        .bind(subject)
        .bind(crate::random::id())
        .fetch_optional(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(named)
    }

    /// Links it to an account, unless it is linked already; says what it is linked to now. None where the account is gone or
    /// disabled.
    pub(crate) async fn link_vouched(
        &self,
        identity: &VouchedBy<'_>,
        user_id: &str,
    ) -> Result<Option<VouchedRow>> {
        let mut tx = self.begin().await?;
        self.hold_user(&mut tx, user_id).await?;
        let linked = self.insert_vouched(&mut tx, identity, user_id).await?;
        tx.commit().await?;
        Ok(linked)
    }

    /// Makes an account without a password for it, all or nothing, unless it is linked already. The name may be another's: then
    /// a number goes behind it.
    pub(crate) async fn create_vouched(
        &self,
        identity: &VouchedBy<'_>,
        name: &str,
        name_key: &str,
    ) -> Result<Option<VouchedRow>> {
        let id = crate::random::id();
        let password = crate::login::unknown_password();
        for name in [(name.to_owned(), name_key.to_owned()), numbered(name, &id)] {
            let mut tx = self.begin().await?;
            if !self.insert_user_in(&mut tx, (&id, &name.0, &name.1), &password).await? {
                // The name is another's, or a twin of this call was first and has made it.
                drop(tx);
                match self.find_vouched(identity.issuer, identity.subject).await? {
                    Some(known) => return Ok(Some(known)),
                    None => continue,
                }
            }
            let linked = self.insert_vouched(&mut tx, identity, &id).await?;
            // Where a twin of this call was first, there is nobody to be made.
            if linked.as_ref().is_some_and(|linked| linked.is_new) {
                tx.commit().await?;
            }
            return Ok(linked);
        }
        Ok(None)
    }

    async fn insert_vouched(
        &self,
        tx: &mut Transaction,
        identity: &VouchedBy<'_>,
        user_id: &str,
    ) -> Result<Option<VouchedRow>> {
        let made = sqlx::query(
            "INSERT INTO identities (id, issuer, subject, user_id, own_grant, linked_at)
             SELECT $6, $1, $2, id, $4, $5 FROM users WHERE id = $3 AND disabled_at IS NULL
             ON CONFLICT (issuer, subject) DO NOTHING",
        )
        .bind(identity.issuer)
        .bind(identity.subject)
        .bind(user_id)
        .bind(crate::random::id())
        .bind(self.now().unix())
        .bind(crate::random::id())
        .execute(&mut **tx)
        .await?;
        let row: Option<Columns> = sqlx::query_as(FIND)
            .bind(identity.issuer)
            .bind(identity.subject)
            .fetch_optional(&mut **tx)
            .await?;
        Ok(row.and_then(|(user_id, own_grant, disabled_at)| {
            let is_new = made.rows_affected() == 1;
            Some(VouchedRow { user_id, own_grant: own_grant?, disabled: disabled_at.is_some(), is_new })
        }))
    }

    /// Ends all tokens that came from this person's identities; what comes later is under other names.
    pub(super) async fn revoke_identities_of(
        &self,
        tx: &mut Transaction,
        user_id: &str,
    ) -> Result<Vec<String>> {
        self.revoke_identities_at(tx, user_id, "").await
    }

    /// The same of the identities at one issuer, where one is named.
    pub(super) async fn revoke_identities_at(
        &self,
        tx: &mut Transaction,
        user_id: &str,
        issuer: &str,
    ) -> Result<Vec<String>> {
        let ended: Vec<String> = sqlx::query_scalar(
            "SELECT own_grant FROM identities
             WHERE user_id = $1 AND own_grant IS NOT NULL AND ($2 = '' OR issuer = $2)",
        )
        .bind(user_id)
        .bind(issuer)
        .fetch_all(&mut **tx)
        .await?;
        for own_grant in &ended {
            self.write_revocation(tx, own_grant).await?;
            sqlx::query("UPDATE identities SET own_grant = $2 WHERE user_id = $3 AND own_grant = $1")
                .bind(own_grant)
                .bind(crate::random::id())
                .bind(user_id)
                .execute(&mut **tx)
                .await?;
        }
        Ok(ended)
    }
}

/// As short as the name may be, with something behind it that nobody else has.
fn numbered(name: &str, id: &str) -> (String, String) {
    let tail: String = id.chars().filter(char::is_ascii_alphanumeric).take(8).collect();
    let name: String = name.chars().take(50).collect();
    let name = format!("{} {tail}", name.trim());
    (name.clone(), name.to_lowercase())
}

#[cfg(test)]
mod tests {
    use hallpass_protocol::time::Timestamp;
    use hallpass_testkit::clock::FakeClock;
    use hallpass_testkit::database::TestDatabase;

    use super::*;
    use crate::store::testing::open;

    const ALICE: VouchedBy<'_> = VouchedBy { issuer: "https://idp.example", subject: "alice" };

    #[tokio::test]
    async fn of_many_at_once_one_makes_the_account() {
        let database = TestDatabase::new();
        let store = open(&database, FakeClock::at(Timestamp::from_unix(1_000)).clock()).await;
        let callers: Vec<_> = (0..8)
            .map(|_| {
                let store = store.clone();
                tokio::spawn(async move { store.create_vouched(&ALICE, "Alice", "alice").await })
            })
            .collect();
        let mut all = Vec::new();
        for caller in callers {
            all.push(caller.await.unwrap().unwrap().unwrap());
        }
        assert_eq!(all.iter().filter(|row| row.is_new).count(), 1);
        assert!(all.iter().all(|row| row.user_id == all[0].user_id));
        assert_eq!(store.count_users().await.unwrap(), 1);
    }

    #[tokio::test]
    async fn a_name_that_is_taken_gets_something_behind_it() {
        let database = TestDatabase::new();
        let store = open(&database, FakeClock::at(Timestamp::from_unix(1_000)).clock()).await;
        store.insert_user("u", "Alice", "alice", "h").await.unwrap();
        let made = store.create_vouched(&ALICE, "Alice", "alice").await.unwrap().unwrap();
        assert_ne!(made.user_id, "u");
        let names: Vec<_> = store.list_users().await.unwrap().into_iter().map(|user| user.name).collect();
        assert!(names.iter().any(|name| name.starts_with("Alice ")), "{names:?}");
    }

    #[tokio::test]
    async fn one_that_began_with_a_login_is_named_when_it_is_first_asked_for() {
        let database = TestDatabase::new();
        let store = open(&database, FakeClock::at(Timestamp::from_unix(1_000)).clock()).await;
        store.insert_user("u", "u", "u", "h").await.unwrap();
        sqlx::query(
            "INSERT INTO identities (id, issuer, subject, user_id, linked_at) VALUES ('i', $1, $2, 'u', 1)",
        )
        .bind(ALICE.issuer)
        .bind(ALICE.subject)
        .execute(store.writer())
        .await
        .unwrap();
        let find = async || store.find_vouched(ALICE.issuer, ALICE.subject).await.unwrap().unwrap();
        let first = find().await;
        assert!(!first.own_grant.is_empty() && !first.disabled);
        assert_eq!(find().await, first);
        assert!(store.disable_user("u").await.unwrap());
        assert!(store.token_is_revoked(&format!("i.c.{}.t", first.own_grant)).await.unwrap());
        sqlx::query("UPDATE identities SET own_grant = NULL").execute(store.writer()).await.unwrap();
        assert!(find().await.disabled);
    }

    #[tokio::test]
    async fn what_ends_with_the_person_is_under_another_name_later() {
        let database = TestDatabase::new();
        let store = open(&database, FakeClock::at(Timestamp::from_unix(1_000)).clock()).await;
        store.insert_user("u", "u", "u", "h").await.unwrap();
        let before = store.link_vouched(&ALICE, "u").await.unwrap().unwrap();
        assert!(before.is_new && !before.disabled);
        let again = store.link_vouched(&ALICE, "u").await.unwrap().unwrap();
        assert!(!again.is_new);
        assert!(store.disable_user("u").await.unwrap());
        assert!(store.token_is_revoked(&format!("i.c.{}.t", before.own_grant)).await.unwrap());
        let after = store.find_vouched(ALICE.issuer, ALICE.subject).await.unwrap().unwrap();
        assert!(after.disabled && after.own_grant != before.own_grant);
        let other = VouchedBy { subject: "bob", ..ALICE };
        assert_eq!(store.link_vouched(&other, "u").await.unwrap(), None, "disabled");
        assert!(store.remove_user("u").await.unwrap());
        assert_eq!(store.find_vouched(ALICE.issuer, ALICE.subject).await.unwrap(), None);
    }
}
