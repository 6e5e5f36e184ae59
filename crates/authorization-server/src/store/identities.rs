//! Who people are at somebody else's.

use hallpass_protocol::time::Timestamp;

use super::{Result, Store};

/// Whose an identity is.
pub(crate) struct IdentityRow {
    pub(crate) id: String,
    pub(crate) user_id: String,
    pub(crate) name_key: String,
    pub(crate) disabled: bool,
}

/// An identity, as its person sees it.
pub(crate) struct LinkedIdentity {
    pub(crate) id: String,
    pub(crate) issuer: String,
    pub(crate) linked_at: Timestamp,
    pub(crate) used_at: Option<Timestamp>,
}

/// Somebody who comes for the first time.
pub(crate) struct NewPerson<'a> {
    pub(crate) id: &'a str,
    pub(crate) name: &'a str,
    pub(crate) name_key: &'a str,
    pub(crate) password_hash: &'a str,
}

/// What came of making a person.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Made {
    Yes,
    NameTaken,
    /// The identity is somebody's: another request was faster.
    Linked,
}

/// What a provider says about a person, at each login.
pub(crate) struct Standing<'a> {
    /// What may be granted; nothing where nothing is said of it.
    pub(crate) scopes: Option<&'a str>,
    /// Whether the person runs the server; nothing where nothing is said of it.
    pub(crate) admin: Option<bool>,
}

impl Store {
    pub(crate) async fn find_identity(&self, issuer: &str, subject: &str) -> Result<Option<IdentityRow>> {
        let row: Option<(String, String, String, Option<i64>)> = sqlx::query_as(
            "SELECT identities.id, users.id, users.name_key, users.disabled_at
             FROM identities JOIN users ON users.id = identities.user_id
             WHERE identities.issuer = $1 AND identities.subject = $2",
        )
        .bind(issuer)
        .bind(subject)
        .fetch_optional(self.reader())
        .await?;
        Ok(row.map(|(id, user_id, name_key, disabled_at)| IdentityRow {
            id,
            user_id,
            name_key,
            disabled: disabled_at.is_some(),
        }))
    }

    /// False where it is somebody's already, this person's perhaps.
    pub(crate) async fn link_identity(
        &self,
        id: &str,
        issuer: &str,
        subject: &str,
        user_id: &str,
    ) -> Result<bool> {
        let linked = sqlx::query(LINK)
            .bind(id)
            .bind(issuer)
            .bind(subject)
            .bind(user_id)
            .bind(self.now().unix())
            .execute(self.writer())
            .await?;
        Ok(linked.rows_affected() == 1)
    }

    /// Makes a person and links the identity, all or nothing.
    pub(crate) async fn insert_person(
        &self,
        person: &NewPerson<'_>,
        identity: (&str, &str, &str),
    ) -> Result<Made> {
        let (id, issuer, subject) = identity;
        let mut tx = self.begin().await?;
        let made = sqlx::query(
            "INSERT INTO users (id, name, name_key, password_hash, created_at)
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT (name_key) DO NOTHING",
        )
        .bind(person.id)
        .bind(person.name)
        .bind(person.name_key)
        .bind(person.password_hash)
        .bind(self.now().unix())
        .execute(&mut *tx)
        .await?;
        if made.rows_affected() == 0 {
            return Ok(Made::NameTaken);
        }
        let linked = sqlx::query(LINK)
            .bind(id)
            .bind(issuer)
            .bind(subject)
            .bind(person.id)
            .bind(self.now().unix())
            .execute(&mut *tx)
            .await?;
        if linked.rows_affected() == 0 {
            return Ok(Made::Linked);
        }
        tx.commit().await?;
        Ok(Made::Yes)
    }

    /// Notes what the provider says of the person now.
    pub(crate) async fn note_identity(&self, id: &str, user_id: &str, standing: &Standing<'_>) -> Result<()> {
        let mut tx = self.begin().await?;
        sqlx::query("UPDATE identities SET used_at = $2 WHERE id = $1")
            .bind(id)
            .bind(self.now().unix())
            .execute(&mut *tx)
            .await?;
        if let Some(scopes) = standing.scopes {
            sqlx::query("UPDATE users SET scopes = $2 WHERE id = $1")
                .bind(user_id)
                .bind(scopes)
                .execute(&mut *tx)
                .await?;
        }
        if let Some(admin) = standing.admin {
            sqlx::query("UPDATE users SET is_admin = $2 WHERE id = $1")
                .bind(user_id)
                .bind(i64::from(admin))
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// What the person's groups allow; all, where nothing is said.
    pub(crate) async fn scopes_of_user(&self, user_id: &str) -> Result<Option<String>> {
        let row: Option<Option<String>> = sqlx::query_scalar("SELECT scopes FROM users WHERE id = $1")
            .bind(user_id)
            .fetch_optional(self.reader())
            .await?;
        Ok(row.flatten())
    }

    pub(crate) async fn list_identities(&self, user_id: &str) -> Result<Vec<LinkedIdentity>> {
        let rows: Vec<(String, String, i64, Option<i64>)> = sqlx::query_as(
            "SELECT id, issuer, linked_at, used_at FROM identities WHERE user_id = $1 ORDER BY linked_at, id",
        )
        .bind(user_id)
        .fetch_all(self.reader())
        .await?;
        Ok(rows
            .into_iter()
            .map(|(id, issuer, linked_at, used_at)| LinkedIdentity {
                id,
                issuer,
                linked_at: Timestamp::from_unix(linked_at),
                used_at: used_at.map(Timestamp::from_unix),
            })
            .collect())
    }

    /// Forgets it, and ends the person's sessions that came through it and the tokens that came from assertions about it, all or
    /// nothing. False where this person has no such
    /// identity.
    pub(crate) async fn delete_identity(&self, user_id: &str, id: &str) -> Result<bool> {
        let mut tx = self.begin().await?;
        // Or a login in flight would begin a session after those that end here.
        self.hold_user_alone(&mut tx, user_id).await?;
        let gone: Option<Option<String>> =
            sqlx::query_scalar("DELETE FROM identities WHERE user_id = $1 AND id = $2 RETURNING own_grant")
                .bind(user_id)
                .bind(id)
                .fetch_optional(&mut *tx)
                .await?;
        let Some(own_grant) = gone else { return Ok(false) };
        self.end_sessions_through(&mut tx, user_id, id).await?;
        if let Some(own_grant) = &own_grant {
            self.write_revocation(&mut tx, own_grant).await?;
        }
        tx.commit().await?;
        self.remember_revoked(own_grant.into_iter().collect());
        Ok(true)
    }
}

const LINK: &str = "INSERT INTO identities (id, issuer, subject, user_id, linked_at)
     VALUES ($1, $2, $3, $4, $5) ON CONFLICT (issuer, subject) DO NOTHING";

#[cfg(test)]
mod tests {
    use hallpass_testkit::clock::FakeClock;
    use hallpass_testkit::database::TestDatabase;

    use super::*;
    use crate::store::Shown;
    use crate::store::testing::open;

    #[tokio::test]
    async fn an_identity_is_one_persons_and_begins_sessions_while_it_is() {
        let database = TestDatabase::new();
        let store = open(&database, FakeClock::at(Timestamp::from_unix(1_000)).clock()).await;
        let person =
            |id: &'static str, name: &'static str| NewPerson { id, name, name_key: name, password_hash: "h" };
        let made = store.insert_person(&person("u", "ada"), ("i", "iss", "sub")).await.unwrap();
        assert_eq!(made, Made::Yes);
        let taken = store.insert_person(&person("v", "ada"), ("j", "iss", "other")).await.unwrap();
        assert_eq!(taken, Made::NameTaken);
        let again = store.insert_person(&person("v", "eve"), ("j", "iss", "sub")).await.unwrap();
        assert_eq!(again, Made::Linked);
        assert!(store.find_user("eve").await.unwrap().is_none(), "all or nothing");
        store.insert_user("v", "eve", "eve", "h").await.unwrap();
        assert!(!store.link_identity("j", "iss", "sub", "v").await.unwrap(), "it is ada's");
        assert!(store.link_identity("j", "other issuer", "sub", "v").await.unwrap());

        let ends = Timestamp::from_unix(9_000);
        let shown =
            |id: &str, at| Shown::Identity { id: id.to_owned(), at: Timestamp::from_unix(at), sid: None };
        assert!(store.insert_session("1", "u", &shown("i", 900), None, ends).await.unwrap());
        assert_eq!(store.find_session("1").await.unwrap().unwrap().authenticated_at.unix(), 900);
        assert!(store.insert_session("2", "u", &shown("i", 1_030), None, ends).await.unwrap());
        let late = store.find_session("2").await.unwrap().unwrap().authenticated_at.unix();
        assert_eq!(late, 1_000, "no login is in the future");
        assert!(!store.insert_session("3", "u", &shown("j", 900), None, ends).await.unwrap(), "eve's");
        assert!(!store.delete_identity("u", "j").await.unwrap());
        assert!(store.insert_session("p", "u", &Shown::Password("h".to_owned()), None, ends).await.unwrap());
        assert!(store.delete_identity("u", "i").await.unwrap());
        for (session, lives) in [("1", false), ("2", false), ("p", true)] {
            assert_eq!(store.find_session(session).await.unwrap().is_some(), lives, "{session}");
        }
        assert!(!store.insert_session("4", "u", &shown("i", 900), None, ends).await.unwrap());
        store.disable_user("eve").await.unwrap();
        assert!(!store.insert_session("5", "v", &shown("j", 900), None, ends).await.unwrap());
        assert!(store.find_identity("other issuer", "sub").await.unwrap().unwrap().disabled);
    }
}
