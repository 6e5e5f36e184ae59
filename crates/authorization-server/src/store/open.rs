//! Opening the database: folder and file for the owner alone, WAL, migrations.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hallpass_protocol::time::Clock;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{SqlSafeStr, SqlitePool};

use super::{Inner, Result, Store, StoreError};
use crate::keys::MasterKey;
use crate::revocations::Revocations;

/// How long a statement waits for another process's write before it gives up.
const BUSY: Duration = Duration::from_secs(5);
const READERS: u32 = 4;

impl Store {
    /// Opens the database file, and makes it and its folder where they are missing, readable by their
    /// owner alone.
    ///
    /// # Errors
    /// Where the file cannot be made or opened, and where its tables belong to a newer version.
    pub async fn open(path: &Path, key: MasterKey, clock: Clock) -> Result<Self> {
        let refused = |source| StoreError::Open { path: path.to_owned(), source };
        make_private(path).map_err(refused)?;
        check_private(path)?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .journal_mode(SqliteJournalMode::Wal)
            // What was answered must be true after a power failure: a revoked token stays revoked.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY);
        let write = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(BUSY)
            .connect_with(options.clone())
            .await?;
        migrate(path, &write).await?;
        let read = SqlitePoolOptions::new()
            .max_connections(READERS)
            .acquire_timeout(BUSY)
            .connect_with(options.pragma("query_only", "ON"))
            .await?;
        let store = Self(Arc::new(Inner {
            read,
            write,
            key,
            clock: clock.clone(),
            revocations: Revocations::new(clock),
        }));
        store.read_all_revocations().await?;
        Ok(store)
    }
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

fn private_file(path: &Path) -> std::io::Result<std::fs::File> {
    let mut options = std::fs::OpenOptions::new();
    options.read(true).append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Two processes that start at once must not both migrate; SQLite has no lock for that, a file has.
async fn migrate(path: &Path, pool: &SqlitePool) -> Result<()> {
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

fn migrations() -> Migrator {
    let step = |version, name: &'static str, sql: &'static str| {
        Migration::new(version, name.into(), MigrationType::Simple, sql.into_sql_str(), false)
    };
    Migrator::with_migrations(vec![
        step(1, "first light", include_str!("migrations/0001_first_light.sql")),
        step(2, "strangers", include_str!("migrations/0002_strangers.sql")),
        step(20, "people", include_str!("migrations/0020_people.sql")),
    ])
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
}
