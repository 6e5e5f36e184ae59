//! The people who may log in.

use hallpass_protocol::time::Timestamp;

use super::locks::Turn;
use super::{Result, Store, Transaction};

/// A person who may log in, as an operator sees one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The subject of this person's tokens: random, never given to anyone else.
    pub id: String,
    /// The name to log in with.
    pub name: String,
    /// When the account was made.
    pub created_at: Timestamp,
    /// Since when the account is disabled, by whomever.
    pub disabled_at: Option<Timestamp>,
    /// Since when an identity provider says that the person is not active (SCIM).
    pub deactivated_at: Option<Timestamp>,
    /// Whether this person runs the server: sees and changes other people's accounts, and clients.
    pub admin: bool,
    /// Whether a one-time code is asked for after the password.
    pub second_factor: bool,
    /// How many passkeys the person has.
    pub passkeys: u64,
}

/// What a login needs to know.
pub(crate) struct UserRow {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) password_hash: String,
    pub(crate) disabled: bool,
    /// Whether a password alone is not enough.
    pub(crate) second_factor: bool,
}

/// The operator's word, beside that of an identity provider (SCIM): each is taken back by whoever said it.
const BAR: &str =
    "UPDATE users SET barred_at = COALESCE(barred_at, $2), disabled_at = COALESCE(disabled_at, $2)
     WHERE name_key = $1";

impl Store {
    /// False where the name is taken.
    pub(crate) async fn insert_user(
        &self,
        id: &str,
        name: &str,
        name_key: &str,
        password_hash: &str,
    ) -> Result<bool> {
        let mut tx = self.begin().await?;
        let made = self.insert_user_in(&mut tx, (id, name, name_key), password_hash).await?;
        tx.commit().await?;
        Ok(made)
    }

    pub(super) async fn insert_user_in(
        &self,
        tx: &mut Transaction,
        (id, name, name_key): (&str, &str, &str),
        password_hash: &str,
    ) -> Result<bool> {
        let made = sqlx::query(
            "INSERT INTO users (id, name, name_key, password_hash, created_at)
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT (name_key) DO NOTHING",
        )
        .bind(id)
        .bind(name)
        .bind(name_key)
        .bind(password_hash)
        .bind(self.now().unix())
        .execute(&mut **tx)
        .await?;
        Ok(made.rows_affected() == 1)
    }

    pub(crate) async fn list_users(&self) -> Result<Vec<User>> {
        type Row = (String, String, i64, Option<i64>, Option<i64>, i64, i64, i64);
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT id, name, created_at, disabled_at, deactivated_at, is_admin,
                    (SELECT COUNT(*) FROM totp WHERE totp.user_id = users.id),
                    (SELECT COUNT(*) FROM passkeys WHERE passkeys.user_id = users.id)
             FROM users ORDER BY name_key",
        )
        .fetch_all(self.reader())
        .await?;
        Ok(rows
            .into_iter()
            .map(|(id, name, created_at, disabled_at, deactivated_at, is_admin, second_factor, passkeys)| {
                User {
                    id,
                    name,
                    created_at: Timestamp::from_unix(created_at),
                    disabled_at: disabled_at.map(Timestamp::from_unix),
                    deactivated_at: deactivated_at.map(Timestamp::from_unix),
                    admin: is_admin != 0,
                    second_factor: second_factor > 0,
                    passkeys: passkeys.unsigned_abs(),
                }
            })
            .collect())
    }

    pub(crate) async fn count_users(&self) -> Result<u64> {
        let count: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM users").fetch_one(self.reader()).await?;
        Ok(count.unsigned_abs())
    }

    pub(crate) async fn find_user(&self, name_key: &str) -> Result<Option<UserRow>> {
        let row: Option<(String, String, String, Option<i64>, i64)> = sqlx::query_as(
            "SELECT id, name, password_hash, disabled_at,
                    (SELECT COUNT(*) FROM totp WHERE totp.user_id = users.id)
             FROM users WHERE name_key = $1",
        )
        .bind(name_key)
        .fetch_optional(self.reader())
        .await?;
        Ok(row.map(|(id, name, password_hash, disabled_at, second_factor)| UserRow {
            id,
            name,
            password_hash,
            disabled: disabled_at.is_some(),
            second_factor: second_factor > 0,
        }))
    }

    /// The same password under a better hash. False where the password has been changed in the meantime.
    pub(crate) async fn replace_password_hash(&self, id: &str, before: &str, after: &str) -> Result<bool> {
        let done = sqlx::query("UPDATE users SET password_hash = $3 WHERE id = $1 AND password_hash = $2")
            .bind(id)
            .bind(before)
            .bind(after)
            .execute(self.writer())
            .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Sets another password and ends the person's sessions and links, all or nothing. False where nobody has the name.
    pub(crate) async fn set_password(&self, name_key: &str, password_hash: &str) -> Result<bool> {
        let mut tx = self.begin().await?;
        let id: Option<String> =
            sqlx::query_scalar("UPDATE users SET password_hash = $2 WHERE name_key = $1 RETURNING id")
                .bind(name_key)
                .bind(password_hash)
                .fetch_optional(&mut *tx)
                .await?;
        let Some(id) = id else { return Ok(false) };
        for end in [
            "DELETE FROM sessions WHERE user_id = $1",
            "DELETE FROM half_logins WHERE user_id = $1",
            "DELETE FROM user_links WHERE user_id = $1",
            "UPDATE totp SET wrong = 0 WHERE user_id = $1",
        ] {
            sqlx::query(end).bind(&id).execute(&mut *tx).await?;
        }
        tx.commit().await?;
        Ok(true)
    }

    /// Sets another password for someone who is logged in: every other session ends, and every link.
    pub(crate) async fn change_password(&self, id: &str, password_hash: &str, session: &str) -> Result<()> {
        let mut tx = self.begin().await?;
        sqlx::query("UPDATE users SET password_hash = $2 WHERE id = $1")
            .bind(id)
            .bind(password_hash)
            .execute(&mut *tx)
            .await?;
        sqlx::query("DELETE FROM sessions WHERE user_id = $1 AND token_hash <> $2")
            .bind(id)
            .bind(session)
            .execute(&mut *tx)
            .await?;
        for end in [
            "DELETE FROM half_logins WHERE user_id = $1",
            "DELETE FROM user_links WHERE user_id = $1",
            "UPDATE totp SET wrong = 0 WHERE user_id = $1",
        ] {
            sqlx::query(end).bind(id).execute(&mut *tx).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// The id of the person with this name.
    pub(crate) async fn user_id(&self, name_key: &str) -> Result<Option<String>> {
        Ok(sqlx::query_scalar("SELECT id FROM users WHERE name_key = $1")
            .bind(name_key)
            .fetch_optional(self.reader())
            .await?)
    }

    /// Takes the operator's word back. The person may log in again, unless an identity provider says otherwise (SCIM); what ended
    /// when the account was disabled stays ended. False where nobody has the name.
    pub(crate) async fn enable_user(&self, name_key: &str) -> Result<bool> {
        let done = sqlx::query(
            "UPDATE users SET barred_at = NULL, disabled_at = deactivated_at WHERE name_key = $1",
        )
        .bind(name_key)
        .execute(self.writer())
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Makes the person one who runs the server, or no longer one. False where nobody has the name.
    pub(crate) async fn set_admin(&self, name_key: &str, admin: bool) -> Result<bool> {
        let done = sqlx::query("UPDATE users SET is_admin = $2 WHERE name_key = $1")
            .bind(name_key)
            .bind(i64::from(admin))
            .execute(self.writer())
            .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Disables the account and ends its sessions and grants, all or nothing. False where nobody has the name.
    pub(crate) async fn disable_user(&self, name_key: &str) -> Result<bool> {
        self.end_user(name_key, None, BAR).await
    }

    /// The same at the wish of an administrator, who has to be another person and still one: so somebody is always left who
    /// runs the server. False where that is not so, too.
    pub(crate) async fn disable_user_as(&self, admin_id: &str, name_key: &str) -> Result<bool> {
        self.end_user(name_key, Some(admin_id), BAR).await
    }

    /// Makes somebody no longer one who runs the server, at the wish of an administrator, under the same rule.
    pub(crate) async fn dismiss_admin_as(&self, admin_id: &str, name_key: &str) -> Result<bool> {
        let mut tx = self.begin().await?;
        self.take_turn(&mut tx, Turn::EndingGrants).await?;
        let done = sqlx::query(
            "UPDATE users SET is_admin = 0 WHERE name_key = $1 AND id <> $2
               AND EXISTS (SELECT 1 FROM users AS other
                           WHERE other.id = $2 AND other.is_admin = 1 AND other.disabled_at IS NULL)",
        )
        .bind(name_key)
        .bind(admin_id)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(done.rows_affected() == 1)
    }

    /// Removes the account with all that hangs on it, all or nothing. False where nobody has the name.
    pub(crate) async fn remove_user(&self, name_key: &str) -> Result<bool> {
        self.end_user(name_key, None, "DELETE FROM users WHERE name_key = $1 AND created_at <= $2").await
    }

    async fn end_user(&self, name_key: &str, admin_id: Option<&str>, end: &'static str) -> Result<bool> {
        let mut tx = self.begin().await?;
        self.take_turn(&mut tx, Turn::EndingGrants).await?;
        let id: Option<String> = sqlx::query_scalar("SELECT id FROM users WHERE name_key = $1")
            .bind(name_key)
            .fetch_optional(&mut *tx)
            .await?;
        let Some(id) = id else { return Ok(false) };
        if let Some(admin_id) = admin_id {
            let others: i64 = sqlx::query_scalar(
                "SELECT COUNT(*) FROM users
                 WHERE id = $1 AND id <> $2 AND is_admin = 1 AND disabled_at IS NULL",
            )
            .bind(admin_id)
            .bind(&id)
            .fetch_one(&mut *tx)
            .await?;
            if others == 0 {
                return Ok(false);
            }
        }
        self.hold_user_alone(&mut tx, &id).await?;
        let revoked = self.end_all_of(&mut tx, &id).await?;
        sqlx::query(end).bind(name_key).bind(self.now().unix()).execute(&mut *tx).await?;
        tx.commit().await?;
        self.remember_revoked(revoked);
        Ok(true)
    }

    /// Ends the person's sessions, grants and identities, and whatever would yield new ones. Says what is revoked by it, to be
    /// remembered after the commit.
    pub(super) async fn end_all_of(&self, tx: &mut Transaction, id: &str) -> Result<Vec<String>> {
        // Codes, devices and links too: they would be good again as soon as the account is.
        for delete in [
            "DELETE FROM user_links WHERE user_id = $1",
            "DELETE FROM sessions WHERE user_id = $1",
            "DELETE FROM half_logins WHERE user_id = $1",
            "DELETE FROM codes WHERE user_id = $1",
            "DELETE FROM device_codes WHERE user_id = $1",
        ] {
            sqlx::query(delete).bind(id).execute(&mut **tx).await?;
        }
        let mut revoked = self.revoke_grants_where_user(tx, id).await?;
        revoked.extend(self.revoke_identities_of(tx, id).await?);
        Ok(revoked)
    }
}

#[cfg(test)]
mod tests {
    use hallpass_testkit::clock::FakeClock;
    use hallpass_testkit::database::TestDatabase;

    use super::*;
    use crate::store::testing::open;

    #[tokio::test]
    async fn a_link_ends_with_the_account_that_it_was_made_for() {
        let database = TestDatabase::new();
        let store = open(&database, FakeClock::at(Timestamp::from_unix(1_000)).clock()).await;
        store.insert_user("u", "u", "u", "h").await.unwrap();
        assert!(store.replace_user_link("u", "link", Timestamp::from_unix(9_000)).await.unwrap());
        assert!(store.disable_user("u").await.unwrap());
        assert!(store.enable_user("u").await.unwrap());
        assert!(store.find_user_link("link").await.unwrap().is_none());
        assert!(!store.use_user_link("link", "another").await.unwrap());
    }

    /// PostgreSQL ends one of two transactions that wait for each other with an error.
    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn passwords_and_links_at_once_do_not_wait_for_each_other_in_a_ring() {
        let database = TestDatabase::new();
        let store = open(&database, FakeClock::at(Timestamp::from_unix(1_000)).clock()).await;
        store.insert_user("u", "u", "u", "h").await.unwrap();
        let ends = Timestamp::from_unix(9_000);
        for round in 0..10 {
            assert!(store.replace_user_link("u", "link", ends).await.unwrap());
            let callers: Vec<_> = (0..8)
                .map(|n| {
                    let (store, hash) = (store.clone(), format!("{round} {n}"));
                    tokio::spawn(async move {
                        match n % 2 {
                            0 => store.set_password("u", &hash).await,
                            _ => store.use_user_link("link", &hash).await,
                        }
                    })
                })
                .collect();
            for caller in callers {
                caller.await.unwrap().unwrap();
            }
        }
    }

    #[tokio::test]
    async fn somebody_is_left_who_runs_the_server() {
        let database = TestDatabase::new();
        let store = open(&database, FakeClock::at(Timestamp::from_unix(1_000)).clock()).await;
        for name in ["a", "b"] {
            store.insert_user(name, name, name, "h").await.unwrap();
            store.set_admin(name, true).await.unwrap();
        }
        assert!(!store.disable_user_as("a", "a").await.unwrap());
        assert!(!store.dismiss_admin_as("a", "a").await.unwrap());
        assert!(store.dismiss_admin_as("a", "b").await.unwrap());
        // The other one wished the same at the same time, and comes second.
        assert!(!store.dismiss_admin_as("b", "a").await.unwrap());
        assert!(!store.disable_user_as("b", "a").await.unwrap());
        store.set_admin("b", true).await.unwrap();
        assert!(store.disable_user_as("a", "b").await.unwrap());
        assert!(!store.dismiss_admin_as("b", "a").await.unwrap());
        let users = store.list_users().await.unwrap();
        assert!(users[0].admin && users[0].disabled_at.is_none());
    }
}
