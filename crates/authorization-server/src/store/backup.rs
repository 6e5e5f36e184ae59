//! Copies of a SQLite database, made while servers run on it. How one is put back: [`restore`](super::restore).

use std::path::{Path, PathBuf};

use super::database::Engine;
use super::locks::Turn;
use super::open::private_file;
use super::{Store, StoreError};
use crate::audit::{AuditKind, By, NewEvent};

/// Why there is no copy, or why it was not put back.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// PostgreSQL has its own tools.
    #[error("the database is PostgreSQL: copy it with pg_dump, and put it back with pg_restore")]
    Postgres,
    /// Something is there that would be lost.
    #[error("{path} is there already: name another file, or move it away")]
    Taken {
        /// What is there.
        path: PathBuf,
    },
    /// The place of the database is taken.
    #[error(
        "there is a database at {path} already, which the copy would replace: stop the servers that run on it, and add --replace"
    )]
    Occupied {
        /// The database.
        path: PathBuf,
    },
    /// The keys at hand do not open what is in the copy.
    #[error(
        "the copy {path} is sealed under the master key {wanted}, and {key_file} holds {held}: put the master.key that \
         belongs to the copy there, and try again; nothing was changed"
    )]
    OtherKey {
        /// The copy.
        path: PathBuf,
        /// What tells the key that sealed it from others.
        wanted: String,
        /// Where the keys at hand were read.
        key_file: PathBuf,
        /// What tells those from others.
        held: String,
    },
    /// Not a copy of this kind of database, or damaged.
    #[error("{path} is not a whole copy of a hallpass database: {why}")]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// Someone works on the database that would be replaced.
    #[error("a server or a command is at work on {path}: stop it first")]
    InUse {
        /// The database.
        path: PathBuf,
    },
    /// A file cannot be read or written.
    #[error("{path} cannot be read or written: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Store {
    /// Copies the database into a new file, for its owner alone. Servers go on meanwhile; the copy is of one moment. The
    /// master key is not in it.
    ///
    /// # Errors
    /// One variant of [`BackupError`] for each reason; then there is no file.
    pub async fn backup(&self, to: &Path) -> Result<(), BackupError> {
        if self.engine() == Engine::Postgres {
            return Err(BackupError::Postgres);
        }
        let io = |source| BackupError::Io { path: to.to_owned(), source };
        if to.exists() {
            return Err(BackupError::Taken { path: to.to_owned() });
        }
        // Written beside its place, so that whoever finds the file finds a whole one.
        let beside = beside(to);
        private_file(&beside).map_err(io)?;
        let copied = sqlx::query("VACUUM INTO $1")
            .bind(beside.to_string_lossy().into_owned())
            .execute(self.writer())
            .await
            .map_err(StoreError::from);
        let placed = copied.map_err(BackupError::from).and_then(|_| {
            std::fs::File::open(&beside).and_then(|file| file.sync_all()).map_err(io)?;
            // A link, unlike a rename, replaces nothing.
            std::fs::hard_link(&beside, to).map_err(io)
        });
        drop(std::fs::remove_file(&beside));
        if placed.is_ok() {
            let event = NewEvent::new(AuditKind::BackupMade).by(&By::Operator);
            self.record_now(event.detail(to.to_string_lossy())).await;
        }
        placed
    }

    /// Ends every session, every grant and all that waits to become one, and says how many grants that were: after a copy was put back nobody knows
    /// what has been revoked or used up since it was made.
    ///
    /// # Errors
    /// Where the store fails; then nothing has ended.
    pub async fn end_all_grants(&self) -> Result<u64, StoreError> {
        let mut tx = self.begin().await?;
        self.take_turn(&mut tx, Turn::EndingGrants).await?;
        for delete in [
            "DELETE FROM sessions",
            "DELETE FROM half_logins",
            "DELETE FROM user_links",
            "DELETE FROM codes",
            "DELETE FROM device_codes",
            "DELETE FROM pushed_requests",
            "DELETE FROM interactions",
            "DELETE FROM initial_access_tokens",
            "DELETE FROM scim_tokens",
            "DELETE FROM access_tokens",
            // What has been renewed since would look stolen.
            "DELETE FROM vault",
        ] {
            sqlx::query(delete).execute(&mut *tx).await?;
        }
        let ended = self.revoke_all_grants(&mut tx).await?;
        let own = self.revoke_all_own_grants(&mut tx).await?;
        tx.commit().await?;
        let count = ended.len() as u64;
        self.remember_revoked(ended.into_iter().chain(own).collect());
        Ok(count)
    }
}

pub(super) fn beside(path: &Path) -> PathBuf {
    path.with_extension(format!("{}.new", crate::random::id()))
}

#[cfg(test)]
mod tests {
    use hallpass_protocol::time::{Clock, Timestamp};
    use hallpass_testkit::database::TestDatabase;

    use super::*;
    use crate::keys::MasterKey;
    use crate::store::testing::open;
    use crate::store::{CodeRow, Restoring};

    fn clock() -> Clock {
        Clock::new(|| Timestamp::from_unix(1_000))
    }

    async fn reopen(path: &Path) -> Store {
        Store::open(path, MasterKey::from_bytes([1; 32]), clock()).await.unwrap()
    }

    async fn restore(from: &Path, to: &Path, replace: bool) -> Result<u64, BackupError> {
        restore_with([1; 32], from, to, Restoring { replace, keep_grants: false }).await
    }

    async fn restore_with(key: [u8; 32], from: &Path, to: &Path, how: Restoring) -> Result<u64, BackupError> {
        Store::restore(from, to, MasterKey::from_bytes(key), clock(), how).await
    }

    /// The names of all that is there.
    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[tokio::test]
    async fn a_copy_is_made_while_a_server_runs_and_put_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hallpass.db");
        let copy = folder.path().join("a copy's name.db");
        let running = reopen(&path).await;
        assert!(running.insert_user("u", "before", "before", "h").await.unwrap());
        let code = CodeRow { grant_id: "g".to_owned(), ..CodeRow::sample("u", 1_060) };
        running.insert_code("c", &code).await.unwrap();
        let ends = Timestamp::from_unix(9_000_000);
        assert!(running.redeem_code("c", ends, Some(("token", ends)), None).await.unwrap());
        running.backup(&copy).await.unwrap();
        assert!(matches!(running.backup(&copy).await, Err(BackupError::Taken { .. })));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(std::fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert!(running.insert_user("v", "after", "after", "h").await.unwrap());

        assert!(matches!(restore(&copy, &path, false).await, Err(BackupError::Occupied { .. })));
        let refused = restore(&copy, &path, true).await;
        assert!(matches!(refused, Err(BackupError::InUse { .. })), "{refused:?}");
        running.close().await;
        assert_eq!(restore(&copy, &path, true).await.unwrap(), 1, "the grant has ended");
        let left = ["a copy's name.db", "hallpass.db", "hallpass.lock"];
        assert_eq!(names(folder.path()), left, "nothing half done is left");
        let restored = reopen(&path).await;
        assert!(restored.find_user("before").await.unwrap().is_some());
        assert!(restored.find_user("after").await.unwrap().is_none());

        assert_eq!(restored.revoked().is_revoked("g.token"), Ok(true));
        assert!(!restored.rotate("token", "next", "s", ends).await.unwrap());
        assert_eq!(restored.end_all_grants().await.unwrap(), 0);
    }

    /// A copy of another house, or of this one under a key that is gone: what was there goes on.
    #[tokio::test]
    async fn a_copy_that_the_key_does_not_open_replaces_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hallpass.db");
        let copy = folder.path().join("copy");
        let other = folder.path().join("other.db");
        let foreign = Store::open(&other, MasterKey::from_bytes([2; 32]), clock()).await.unwrap();
        foreign.backup(&copy).await.unwrap();
        let own = reopen(&path).await;
        assert!(own.insert_user("u", "ada", "ada", "h").await.unwrap());
        own.close().await;
        let before = names(folder.path());
        for keep_grants in [false, true] {
            let refused = restore_with([1; 32], &copy, &path, Restoring { replace: true, keep_grants }).await;
            let Err(BackupError::OtherKey { wanted, held, .. }) = refused else { panic!("{refused:?}") };
            assert_eq!(wanted, MasterKey::from_bytes([2; 32]).newest().0);
            assert_eq!(held, MasterKey::from_bytes([1; 32]).newest().0);
            assert_eq!(names(folder.path()), before);
            let own = reopen(&path).await;
            assert!(own.find_user("ada").await.unwrap().is_some());
            own.close().await;
        }
        // A value beside the first one counts too.
        sqlx::query("DELETE FROM house_secrets").execute(foreign.writer()).await.unwrap();
        let sealed = MasterKey::from_bytes([2; 32]).sealing("signing key").seal("kid", b"x").unwrap();
        let insert =
            "INSERT INTO signing_keys (kid, algorithm, sealed, created_at) VALUES ('kid', 'ES256', $1, 1)";
        sqlx::query(insert).bind(sealed).execute(foreign.writer()).await.unwrap();
        let copy = folder.path().join("second copy");
        foreign.backup(&copy).await.unwrap();
        let refused = restore(&copy, &path, true).await;
        assert!(matches!(refused, Err(BackupError::OtherKey { .. })), "{refused:?}");
    }

    #[tokio::test]
    async fn nothing_that_was_spent_lives_again() {
        let database = TestDatabase::new();
        let store = open(&database, clock()).await;
        let ends = Timestamp::from_unix(9_000);
        store.insert_user("u", "Ada", "ada", "h").await.unwrap();
        assert!(store.insert_half_login("half", "u", "h", ends).await.unwrap());
        assert!(store.replace_user_link("ada", "link", ends).await.unwrap());
        store.insert_pushed_request("pushed", "c", "x", ends).await.unwrap();
        let device = crate::store::DeviceRow {
            grant_id: "d".to_owned(),
            client_id: "c".to_owned(),
            resource: "r".to_owned(),
            scopes: String::new(),
            acts_at: String::new(),
            refreshable: false,
            confidential: false,
            user_id: None,
            decision: None,
            must_bind: Default::default(),
            authenticated_at: None,
            redeemed_at: None,
            sealed_token: None,
            expires_at: ends,
        };
        assert!(store.insert_device("device", "code", &device, 5).await.unwrap());
        let client = crate::clients::NewClient {
            id: "c".to_owned(),
            secret: Some(hallpass_protocol::secret::Secret::new("s")),
            grant_types: vec!["client_credentials".to_owned()],
            ..Default::default()
        };
        store.clients().add(client).await.unwrap();
        let own = store.find_client("c").await.unwrap().unwrap().own_grant;
        store.end_all_grants().await.unwrap();
        assert!(store.find_half_login("half").await.unwrap().is_none());
        assert!(store.find_device("device").await.unwrap().is_none());
        assert!(store.take_pushed_request("pushed", "c").await.unwrap().is_none());
        let links: i64 =
            sqlx::query_scalar("SELECT COUNT(*) FROM user_links").fetch_one(store.reader()).await.unwrap();
        assert_eq!(links, 0);
        assert_eq!(store.revoked().is_revoked(&format!("{own}.token")), Ok(true));
        assert_ne!(store.find_client("c").await.unwrap().unwrap().own_grant, own);
    }

    #[tokio::test]
    async fn what_is_no_whole_copy_is_not_put_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hallpass.db");
        drop(reopen(&path).await);
        let other = folder.path().join("other");
        std::fs::write(&other, "not a database at all, and long enough to be read as one".repeat(100))
            .unwrap();
        let refused = restore(&other, &path, true).await;
        assert!(matches!(refused, Err(BackupError::Unusable { .. })), "{refused:?}");
        std::fs::write(&other, "").unwrap();
        let refused = restore(&other, &path, true).await;
        assert!(matches!(refused, Err(BackupError::Unusable { .. })), "{refused:?}");
        assert!(matches!(
            restore(&folder.path().join("nowhere"), &path, true).await,
            Err(BackupError::Io { .. })
        ));
    }

    #[tokio::test]
    async fn postgresql_has_its_own_tools() {
        let store = open(&TestDatabase::postgres(), clock()).await;
        let refused = store.backup(Path::new("/nowhere")).await;
        assert!(matches!(refused, Err(BackupError::Postgres)));
    }
}
