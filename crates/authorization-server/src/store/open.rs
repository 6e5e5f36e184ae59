//! Opening SQLite: folder and file for the owner alone, WAL, one writer.

use std::path::Path;
use std::time::Duration;

use hallpass_protocol::time::Clock;
use sqlx::any::AnyPoolOptions;
use sqlx::{AnyPool, Connection};
use url::Url;

use super::checkpoints::Checkpoints;
use super::database::{Database, Engine};
use super::migrate::migrations;
use super::{Result, Store, StoreError};
use crate::keys::MasterKey;
use crate::revocations::Revocations;

/// How long a request waits for its turn before it gives up. SQLite's own wait for another process is as long.
const BUSY: Duration = Duration::from_secs(5);
const READERS: u32 = 4;

/// What was answered must be true after a power failure: a revoked token stays revoked. The log is taken in beside the
/// requests, so this connection does so only where that does not keep up: 64 MiB.
const WRITER: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;
    PRAGMA wal_autocheckpoint = 16384; PRAGMA cache_size = -16384";
const READER: &str = "PRAGMA query_only = ON; PRAGMA cache_size = -4096";

impl Store {
    /// Opens the SQLite file, and makes it and its folder where they are missing, readable by their
    /// owner alone.
    ///
    /// # Errors
    /// Where the file cannot be made or opened, and where its tables belong to a newer version.
    pub async fn open(path: &Path, key: MasterKey, clock: Clock) -> Result<Self> {
        let refused = |source| StoreError::Open { path: path.to_owned(), source };
        make_private(path).map_err(refused)?;
        check_private(path)?;
        let url = url_of(path).map_err(refused)?;
        let write = pool(1, WRITER).connect(&url).await?;
        migrate(path, &write).await?;
        let read = pool(READERS, READER).connect(&url).await?;
        let _checkpoints = Some(Checkpoints::begin(read.clone()));
        let channel = String::new();
        let database = Database { engine: Engine::Sqlite, read, write, channel, _ears: None, _checkpoints };
        Self::on(database, key, clock.clone(), Revocations::new(clock)).await
    }
}

fn pool(connections: u32, pragmas: &'static str) -> AnyPoolOptions {
    sqlx::any::install_default_drivers();
    AnyPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(BUSY)
        // A file does not go away: nothing to ask before each statement.
        .test_before_acquire(false)
        // A full disk makes SQLite roll back by itself, which the driver does not notice: it takes the transaction for
        // open, and begins no other. Such a connection is closed. (The ping lets a rollback that is on its way arrive.)
        .after_release(|connection, _| {
            Box::pin(async {
                if connection.is_in_transaction() {
                    connection.ping().await?;
                }
                Ok(!connection.is_in_transaction())
            })
        })
        .after_connect(move |connection, _| {
            Box::pin(async move { sqlx::raw_sql(pragmas).execute(connection).await.map(drop) })
        })
}

/// The file exists by now, so its path can be made absolute.
pub(super) fn url_of(path: &Path) -> std::io::Result<String> {
    let unusable = || std::io::Error::other("the path cannot be written as a URL");
    let url = Url::from_file_path(path.canonicalize()?).map_err(|()| unusable())?;
    let path = if cfg!(windows) { url.path().trim_start_matches('/') } else { url.path() };
    Ok(format!("sqlite://{path}?mode=rwc"))
}

/// SQLite gives its side files the mode of the main file, so making that one first is enough.
fn make_private(path: &Path) -> std::io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder)?;
    }
    private_file(path).map(drop)
}

/// Whoever reads the database has the hashes of passwords; whoever writes it is a user.
fn check_private(path: &Path) -> Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let refused = |source| StoreError::Open { path: path.to_owned(), source };
        let mode = std::fs::metadata(path).map_err(refused)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(StoreError::OpenToOthers { path: path.to_owned(), mode });
        }
    }
    Ok(())
}

pub(super) fn private_file(path: &Path) -> std::io::Result<std::fs::File> {
    let mut options = std::fs::OpenOptions::new();
    options.read(true).append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Two processes that start at once must not both migrate; SQLite has no lock for that, a file has.
async fn migrate(path: &Path, pool: &AnyPool) -> Result<()> {
    let lock = path.with_extension("lock");
    let refused = |source| StoreError::Open { path: lock.clone(), source };
    let file = private_file(&lock).map_err(refused)?;
    let file = tokio::task::spawn_blocking(move || file.lock().map(|()| file))
        .await
        .map_err(std::io::Error::other)
        .flatten()
        .map_err(refused)?;
    let migrated = migrations().run(pool).await;
    drop(file);
    Ok(migrated?)
}

#[cfg(test)]
mod tests {
    use hallpass_protocol::time::Timestamp;

    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn several_at_once_can_open_a_new_database() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data").join("hallpass.db");
        let openings: Vec<_> = (0..8)
            .map(|_| {
                let path = path.clone();
                tokio::spawn(async move {
                    let clock = Clock::new(|| Timestamp::from_unix(1_000));
                    Store::open(&path, MasterKey::from_bytes([1; 32]), clock).await.map(drop)
                })
            })
            .collect();
        for opening in openings {
            opening.await.unwrap().unwrap();
        }
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_database_that_is_open_to_others_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hallpass.db");
        let open = async || {
            let clock = Clock::new(|| Timestamp::from_unix(1_000));
            Store::open(&path, MasterKey::from_bytes([1; 32]), clock).await
        };
        drop(open().await.unwrap());
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        let error = open().await.unwrap_err();
        assert!(matches!(error, StoreError::OpenToOthers { mode: 0o640, .. }), "{error}");
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_new_database_is_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data").join("hallpass.db");
        let clock = Clock::new(|| Timestamp::from_unix(1_000));
        let store = Store::open(&path, MasterKey::from_bytes([1; 32]), clock).await.unwrap();
        assert!(store.insert_user("u", "u", "u", "h").await.unwrap());
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(&path.with_extension("db-wal")), 0o600);
        assert_eq!(mode(path.parent().unwrap()), 0o700);
    }

    #[tokio::test]
    async fn a_place_that_cannot_be_written_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a file");
        std::fs::write(&file, "").unwrap();
        let clock = Clock::new(|| Timestamp::from_unix(1_000));
        let key = MasterKey::from_bytes([1; 32]);
        let error = Store::open(&file.join("hallpass.db"), key, clock).await.unwrap_err();
        assert!(matches!(error, StoreError::Open { .. }));
        assert!(error.to_string().contains("a file/hallpass.db"), "{error}");
    }

    #[tokio::test]
    async fn a_path_may_hold_what_has_a_meaning_in_a_url() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("100% a+b?mode=ro#x ä").join("hallpass.db");
        let clock = Clock::new(|| Timestamp::from_unix(1_000));
        let store = Store::open(&path, MasterKey::from_bytes([1; 32]), clock).await.unwrap();
        assert!(store.insert_user("u", "u", "u", "h").await.unwrap());
        assert!(std::fs::metadata(&path).unwrap().len() > 0);
    }
}
