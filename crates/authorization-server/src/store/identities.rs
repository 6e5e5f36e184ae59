//! Who an account is at other issuers: one person each, found by issuer and subject and by nothing else.

use super::{Result, Store, Transaction};

/// What an issuer's name for somebody is linked to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IdentityRow {
    pub(crate) user_id: String,
    /// Stands in the ids of the tokens that come from it.
    pub(crate) own_grant: String,
    pub(crate) disabled: bool,
    /// Whether this very call has made the link.
    pub(crate) is_new: bool,
}

/// A name at an issuer that is not linked yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewIdentity<'a> {
    pub(crate) issuer: &'a str,
    pub(crate) subject: &'a str,
}

const FIND: &str = "SELECT identities.user_id, identities.own_grant, users.disabled_at
     FROM identities JOIN users ON users.id = identities.user_id
     WHERE identities.issuer = $1 AND identities.subject = $2";

type Columns = (String, String, Option<i64>);

fn read((user_id, own_grant, disabled_at): Columns, is_new: bool) -> IdentityRow {
    IdentityRow { user_id, own_grant, disabled: disabled_at.is_some(), is_new }
}

impl Store {
    pub(crate) async fn find_identity(&self, issuer: &str, subject: &str) -> Result<Option<IdentityRow>> {
        let row: Option<Columns> =
            sqlx::query_as(FIND).bind(issuer).bind(subject).fetch_optional(self.reader()).await?;
        Ok(row.map(|row| read(row, false)))
    }

    /// Links it to an account, unless it is linked already; says what it is linked to now. None where the account is gone or
    /// disabled.
    pub(crate) async fn link_identity(
        &self,
        identity: &NewIdentity<'_>,
        user_id: &str,
    ) -> Result<Option<IdentityRow>> {
        let mut tx = self.begin().await?;
        self.hold_user(&mut tx, user_id).await?;
        let linked = self.insert_identity(&mut tx, identity, user_id).await?;
        tx.commit().await?;
        Ok(linked)
    }

    /// Makes an account without a password for it, all or nothing, unless it is linked already. The name may be another's: then
    /// a number goes behind it.
    pub(crate) async fn create_with_identity(
        &self,
        identity: &NewIdentity<'_>,
        name: &str,
        name_key: &str,
    ) -> Result<Option<IdentityRow>> {
        let id = crate::random::id();
        let password = crate::login::unknown_password();
        for name in [(name.to_owned(), name_key.to_owned()), numbered(name, &id)] {
            let mut tx = self.begin().await?;
            if !self.insert_user_in(&mut tx, (&id, &name.0, &name.1), &password).await? {
                // The name is another's, or a twin of this call was first and has made it.
                drop(tx);
                match self.find_identity(identity.issuer, identity.subject).await? {
                    Some(known) => return Ok(Some(known)),
                    None => continue,
                }
            }
            let linked = self.insert_identity(&mut tx, identity, &id).await?;
            // Where a twin of this call was first, there is nobody to be made.
            if linked.as_ref().is_some_and(|linked| linked.is_new) {
                tx.commit().await?;
            }
            return Ok(linked);
        }
        Ok(None)
    }

    async fn insert_identity(
        &self,
        tx: &mut Transaction,
        identity: &NewIdentity<'_>,
        user_id: &str,
    ) -> Result<Option<IdentityRow>> {
        let made = sqlx::query(
            "INSERT INTO identities (issuer, subject, user_id, own_grant, linked_at)
             SELECT $1, $2, id, $4, $5 FROM users WHERE id = $3 AND disabled_at IS NULL
             ON CONFLICT (issuer, subject) DO NOTHING",
        )
        .bind(identity.issuer)
        .bind(identity.subject)
        .bind(user_id)
        .bind(crate::random::id())
        .bind(self.now().unix())
        .execute(&mut **tx)
        .await?;
        let row: Option<Columns> = sqlx::query_as(FIND)
            .bind(identity.issuer)
            .bind(identity.subject)
            .fetch_optional(&mut **tx)
            .await?;
        Ok(row.map(|row| read(row, made.rows_affected() == 1)))
    }

    /// Ends all tokens that came from this person's identities; what comes later is under other names.
    pub(super) async fn revoke_identities_of(
        &self,
        tx: &mut Transaction,
        user_id: &str,
    ) -> Result<Vec<String>> {
        let ended: Vec<String> = sqlx::query_scalar("SELECT own_grant FROM identities WHERE user_id = $1")
            .bind(user_id)
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

    const ALICE: NewIdentity<'_> = NewIdentity { issuer: "https://idp.example", subject: "alice" };

    #[tokio::test]
    async fn of_many_at_once_one_makes_the_account() {
        let database = TestDatabase::new();
        let store = open(&database, FakeClock::at(Timestamp::from_unix(1_000)).clock()).await;
        let callers: Vec<_> = (0..8)
            .map(|_| {
                let store = store.clone();
                tokio::spawn(async move { store.create_with_identity(&ALICE, "Alice", "alice").await })
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
        let made = store.create_with_identity(&ALICE, "Alice", "alice").await.unwrap().unwrap();
        assert_ne!(made.user_id, "u");
        let names: Vec<_> = store.list_users().await.unwrap().into_iter().map(|user| user.name).collect();
        assert!(names.iter().any(|name| name.starts_with("Alice ")), "{names:?}");
    }

    #[tokio::test]
    async fn what_ends_with_the_person_is_under_another_name_later() {
        let database = TestDatabase::new();
        let store = open(&database, FakeClock::at(Timestamp::from_unix(1_000)).clock()).await;
        store.insert_user("u", "u", "u", "h").await.unwrap();
        let before = store.link_identity(&ALICE, "u").await.unwrap().unwrap();
        assert!(before.is_new && !before.disabled);
        let again = store.link_identity(&ALICE, "u").await.unwrap().unwrap();
        assert!(!again.is_new);
        assert!(store.disable_user("u").await.unwrap());
        assert!(store.token_is_revoked(&format!("i.c.{}.t", before.own_grant)).await.unwrap());
        let after = store.find_identity(ALICE.issuer, ALICE.subject).await.unwrap().unwrap();
        assert!(after.disabled && after.own_grant != before.own_grant);
        let other = NewIdentity { subject: "bob", ..ALICE };
        assert_eq!(store.link_identity(&other, "u").await.unwrap(), None, "disabled");
        assert!(store.remove_user("u").await.unwrap());
        assert_eq!(store.find_identity(ALICE.issuer, ALICE.subject).await.unwrap(), None);
    }
}
