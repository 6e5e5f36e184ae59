//! Browsers that are logged in.

use hallpass_protocol::scope::{Scope, ScopeSet};
use hallpass_protocol::time::Timestamp;

use super::{CameBy, Result, SidHash, Store, StoreError};
use crate::checks::OFFLINE_ACCESS;

/// A browser session whose person may still log in.
#[derive(Clone, Debug)]
pub(crate) struct SessionRow {
    /// The hash that the row goes by; it opens nothing.
    pub(crate) token_hash: String,
    pub(crate) user_id: String,
    pub(crate) user_name: String,
    /// Whether the person runs the server.
    pub(crate) is_admin: bool,
    /// When this browser logged in.
    pub(crate) authenticated_at: Timestamp,
    /// What the person may be granted; all, where nothing is said.
    pub(crate) scopes: Option<ScopeSet>,
    /// The login at a provider that it began with.
    pub(crate) came_by: Option<CameBy>,
}

impl SessionRow {
    /// What of this the person may be granted.
    pub(crate) fn bounds(&self, scopes: &ScopeSet) -> ScopeSet {
        bounded(self.scopes.as_ref(), scopes)
    }
}

/// What of this may be granted. `offline_access` allows nothing by itself, and stays beside what does.
pub(crate) fn bounded(bound: Option<&ScopeSet>, scopes: &ScopeSet) -> ScopeSet {
    let Some(bound) = bound else { return scopes.clone() };
    let left = scopes.intersection(bound);
    let offline = |scope: &&Scope| scope.as_str() == OFFLINE_ACCESS && !left.is_empty();
    left.union(&scopes.iter().filter(offline).cloned().collect())
}

/// What a person has shown to log in. A session begins only while it still counts.
#[derive(Clone)]
pub(crate) enum Shown {
    /// The password with this hash.
    Password(String),
    /// The passkey with this credential id.
    Passkey(String),
    /// Who they are at a provider, by the row's id; they logged in there at that time, in that session.
    Identity { id: String, at: Timestamp, sid: Option<SidHash> },
}

impl Shown {
    /// In words.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Password(_) => "by password",
            Self::Passkey(_) => "by passkey",
            Self::Identity { .. } => "through a provider",
        }
    }
}

/// A browser session, as its person sees it.
pub(crate) struct OpenSession {
    /// The hash that the row goes by; it opens nothing.
    pub(crate) token_hash: String,
    pub(crate) authenticated_at: Timestamp,
    pub(crate) device: Option<String>,
}

impl Store {
    /// False where the person was disabled, or what was shown was replaced or taken away, since it was looked at: whoever
    /// changes a password ends the sessions that there are, and this one would come after.
    pub(crate) async fn insert_session(
        &self,
        token_hash: &str,
        user_id: &str,
        shown: &Shown,
        device: Option<&str>,
        expires_at: Timestamp,
    ) -> Result<bool> {
        let (at, sid) = match shown {
            Shown::Identity { at, sid, .. } => (self.now().min(*at), sid.as_ref().map(SidHash::as_str)),
            _ => (self.now(), None),
        };
        let (insert, shown) = match shown {
            Shown::Password(hash) => (
                "INSERT INTO sessions (token_hash, user_id, authenticated_at, expires_at, device, sid_hash)
                 SELECT $1, id, $3, $4, $5, $7 FROM users
                 WHERE id = $2 AND disabled_at IS NULL AND password_hash = $6",
                hash,
            ),
            Shown::Passkey(id) => (
                "INSERT INTO sessions (token_hash, user_id, authenticated_at, expires_at, device, sid_hash)
                 SELECT $1, id, $3, $4, $5, $7 FROM users
                 WHERE id = $2 AND disabled_at IS NULL
                   AND id IN (SELECT user_id FROM passkeys WHERE credential_id = $6)",
                id,
            ),
            Shown::Identity { id, .. } => (
                "INSERT INTO sessions (token_hash, user_id, authenticated_at, expires_at, device, sid_hash, came_by)
                 SELECT $1, id, $3, $4, $5, $7, $6 FROM users
                 WHERE id = $2 AND disabled_at IS NULL
                   AND id IN (SELECT user_id FROM identities WHERE identities.id = $6)",
                id,
            ),
        };
        let mut tx = self.begin().await?;
        self.hold_user(&mut tx, user_id).await?;
        let made = sqlx::query(insert)
            .bind(token_hash)
            .bind(user_id)
            .bind(at.unix())
            .bind(expires_at.unix())
            .bind(device)
            .bind(shown)
            .bind(sid)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(made.rows_affected() == 1)
    }

    pub(crate) async fn find_session(&self, token_hash: &str) -> Result<Option<SessionRow>> {
        type Row = (String, String, i64, i64, Option<String>, Option<String>, Option<String>);
        let row: Option<Row> = sqlx::query_as(
            "SELECT users.id, users.name, users.is_admin, sessions.authenticated_at, users.scopes,
                    sessions.came_by, sessions.sid_hash
             FROM sessions JOIN users ON users.id = sessions.user_id
             WHERE sessions.token_hash = $1 AND sessions.expires_at > $2
               AND users.disabled_at IS NULL",
        )
        .bind(token_hash)
        .bind(self.now().unix())
        .fetch_optional(self.reader())
        .await?;
        let Some((user_id, user_name, is_admin, authenticated_at, scopes, came_by, sid)) = row else {
            return Ok(None);
        };
        let scopes = scopes.map(|scopes| ScopeSet::parse(&scopes)).transpose();
        Ok(Some(SessionRow {
            token_hash: token_hash.to_owned(),
            user_id,
            user_name,
            is_admin: is_admin != 0,
            authenticated_at: Timestamp::from_unix(authenticated_at),
            scopes: scopes.map_err(|_| StoreError::Unreadable { what: "bound of a person's scopes" })?,
            came_by: CameBy::read(came_by, sid),
        }))
    }

    /// The person's sessions, the newest first.
    pub(crate) async fn list_sessions(&self, user_id: &str) -> Result<Vec<OpenSession>> {
        let rows: Vec<(String, i64, Option<String>)> = sqlx::query_as(
            "SELECT token_hash, authenticated_at, device FROM sessions
             WHERE user_id = $1 AND expires_at > $2 ORDER BY authenticated_at DESC, token_hash LIMIT 50",
        )
        .bind(user_id)
        .bind(self.now().unix())
        .fetch_all(self.reader())
        .await?;
        Ok(rows
            .into_iter()
            .map(|(token_hash, authenticated_at, device)| OpenSession {
                token_hash,
                authenticated_at: Timestamp::from_unix(authenticated_at),
                device,
            })
            .collect())
    }

    pub(crate) async fn delete_session(&self, token_hash: &str) -> Result<()> {
        sqlx::query("DELETE FROM sessions WHERE token_hash = $1")
            .bind(token_hash)
            .execute(self.writer())
            .await?;
        Ok(())
    }

    /// Ends one session of this person, whichever browser has it.
    pub(crate) async fn delete_session_of(&self, user_id: &str, token_hash: &str) -> Result<()> {
        sqlx::query("DELETE FROM sessions WHERE user_id = $1 AND token_hash = $2")
            .bind(user_id)
            .bind(token_hash)
            .execute(self.writer())
            .await?;
        Ok(())
    }

    /// Ends every session of this person but this one.
    pub(crate) async fn delete_other_sessions(&self, user_id: &str, token_hash: &str) -> Result<()> {
        sqlx::query("DELETE FROM sessions WHERE user_id = $1 AND token_hash <> $2")
            .bind(user_id)
            .bind(token_hash)
            .execute(self.writer())
            .await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use hallpass_testkit::clock::FakeClock;
    use hallpass_testkit::database::TestDatabase;

    use super::*;
    use crate::store::NewPasskey;
    use crate::store::testing::open;

    #[tokio::test]
    async fn a_login_in_flight_ends_with_what_it_was_made_of() {
        let database = TestDatabase::new();
        let store = open(&database, FakeClock::at(Timestamp::from_unix(1_000)).clock()).await;
        let ends = Timestamp::from_unix(9_000);
        assert!(store.insert_user("u", "Ada", "ada", "first").await.unwrap());
        let passkey =
            NewPasskey { credential_id: "c", name: "key", algorithm: -7, public_key: "k", sign_count: 0 };
        assert!(store.insert_passkey("u", &passkey).await.unwrap());
        let begins = async |token: &str, shown: Shown| {
            store.insert_session(token, "u", &shown, None, ends).await.unwrap()
        };
        let (first, second) = (Shown::Password("first".to_owned()), Shown::Password("second".to_owned()));
        let passkey = Shown::Passkey("c".to_owned());
        assert!(begins("1", first.clone()).await);
        assert!(store.insert_half_login("h1", "u", "first", ends).await.unwrap());
        // The password was right a moment ago.
        assert!(store.set_password("ada", "second").await.unwrap());
        assert!(!begins("2", first).await);
        assert!(!store.insert_half_login("h2", "u", "first", ends).await.unwrap());
        assert!(begins("3", second.clone()).await);
        assert!(begins("4", passkey.clone()).await);
        assert!(store.delete_passkey("u", "c").await.unwrap());
        assert!(!begins("5", passkey).await);
        store.disable_user("ada").await.unwrap();
        assert!(!begins("6", second).await);
        assert!(!store.insert_half_login("h3", "u", "second", ends).await.unwrap());
        store.enable_user("ada").await.unwrap();
        for token in ["1", "2", "3", "4", "5", "6"] {
            assert!(store.find_session(token).await.unwrap().is_none(), "{token}");
        }
    }

    #[tokio::test]
    async fn a_second_factor_carries_the_password_that_it_followed() {
        let database = TestDatabase::new();
        let store = open(&database, FakeClock::at(Timestamp::from_unix(1_000)).clock()).await;
        let ends = Timestamp::from_unix(9_000);
        store.insert_user("u", "Ada", "ada", "first").await.unwrap();
        assert!(store.insert_half_login("h", "u", "first", ends).await.unwrap());
        let half = store.find_half_login("h").await.unwrap().unwrap();
        store.set_password("ada", "second").await.unwrap();
        let shown = Shown::Password(half.password_hash);
        assert!(!store.insert_session("s", "u", &shown, None, ends).await.unwrap());
    }
}
