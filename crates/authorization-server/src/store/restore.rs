//! A copy of a SQLite database is put back: made ready beside its place, and moved there in one step.

use std::path::{Path, PathBuf};

use hallpass_protocol::time::Clock;
use sqlx::{AnyConnection, Connection};

use super::backup::{BackupError, beside};
use super::open::{private_file, url_of};
use super::{Store, StoreError};
use crate::audit::{AuditKind, By, NewEvent};
use crate::keys::MasterKey;

/// How a copy is put back.
#[derive(Copy, Clone, Debug, Default)]
pub struct Restoring {
    /// A database that is there is replaced.
    pub replace: bool,
    /// Sessions and grants of the copy live on, those too that have been revoked since it was made.
    pub keep_grants: bool,
}

impl Store {
    /// Puts a copy in the place of a database that nobody works on, and says how many grants of the copy have ended. Before
    /// anything is touched the copy is opened with the key; its sessions and grants end before it stands in its place.
    ///
    /// # Errors
    /// One variant of [`BackupError`] for each reason; then what was there is there.
    pub async fn restore(
        from: &Path,
        to: &Path,
        key: MasterKey,
        clock: Clock,
        how: Restoring,
    ) -> Result<u64, BackupError> {
        check_whole(from).await?;
        if to.exists() {
            if !how.replace {
                return Err(BackupError::Occupied { path: to.to_owned() });
            }
            check_unused(to).await?;
        }
        let room = beside(to);
        let restored = restore_through(&room, from, to, key, clock, how.keep_grants).await;
        drop(std::fs::remove_dir_all(&room));
        restored
    }

    /// Waits until nobody works on it any more, and closes it. On SQLite its log is taken in.
    pub(super) async fn close(self) {
        self.0.database.read.close().await;
        self.0.database.write.close().await;
    }
}

/// Everything is done to a file in a room of its own, on the same file system.
async fn restore_through(
    room: &Path,
    from: &Path,
    to: &Path,
    key: MasterKey,
    clock: Clock,
    keep_grants: bool,
) -> Result<u64, BackupError> {
    let io = |source| BackupError::Io { path: to.to_owned(), source };
    let copy = room.join("hallpass.db");
    make_room(room).and_then(|()| copy_into(from, &copy)).map_err(io)?;
    let held = key.ids().join(", ");
    let key_file = key.file().map_or_else(|| PathBuf::from("the master key"), Path::to_owned);
    let ended = match make_ready(&copy, from, key, clock, keep_grants).await {
        Err(StoreError::Sealed) => {
            let wanted = sealed_under(from).await;
            return Err(BackupError::OtherKey { path: from.to_owned(), wanted, key_file, held });
        }
        ended => ended?,
    };
    place(&copy, to).map_err(io)?;
    Ok(ended)
}

/// Brings the tables up to date, opens what is sealed, and ends what must not live again.
async fn make_ready(
    copy: &Path,
    from: &Path,
    key: MasterKey,
    clock: Clock,
    keep_grants: bool,
) -> Result<u64, StoreError> {
    let store = Store::open(copy, key, clock).await?;
    store.check_sealed().await?;
    let ended = if keep_grants { 0 } else { store.end_all_grants().await? };
    let what = if keep_grants { "grants live on".to_owned() } else { format!("{ended} grants have ended") };
    let event = NewEvent::new(AuditKind::Restored).by(&By::Operator);
    store.record_now(event.detail(format!("{}: {what}", from.display()))).await;
    // All of it has to be in the one file that is moved.
    sqlx::raw_sql("PRAGMA wal_checkpoint(TRUNCATE)").execute(store.writer()).await?;
    store.close().await;
    let log = copy.with_extension("db-wal");
    if std::fs::metadata(&log).is_ok_and(|log| log.len() > 0) {
        let source = std::io::Error::other("its log was not taken in");
        return Err(StoreError::Open { path: copy.to_owned(), source });
    }
    Ok(ended)
}

fn make_room(room: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(room)
}

fn copy_into(from: &Path, to: &Path) -> std::io::Result<()> {
    let (mut from, mut to) = (std::fs::File::open(from)?, private_file(to)?);
    std::io::copy(&mut from, &mut to).map(drop)
}

/// Renamed over its place: a crash leaves the old database or the new one.
fn place(copy: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::File::open(copy)?.sync_all()?;
    // What the old database had in its log it has taken in, and none of it is for the new one.
    for side in ["db-wal", "db-shm"] {
        match std::fs::remove_file(to.with_extension(side)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    std::fs::rename(copy, to)?;
    match to.parent() {
        Some(folder) if cfg!(unix) => std::fs::File::open(folder)?.sync_all(),
        _ => Ok(()),
    }
}

/// The id of the key that sealed what is in the copy, as far as it says.
async fn sealed_under(path: &Path) -> String {
    let unknown = || "of another house".to_owned();
    let Ok(mut connection) = look_at(path).await else { return unknown() };
    for query in [
        "SELECT sealed FROM house_secrets LIMIT 1",
        "SELECT sealed FROM signing_keys WHERE sealed IS NOT NULL LIMIT 1",
    ] {
        let sealed: Result<Option<String>, _> =
            sqlx::query_scalar(query).fetch_optional(&mut connection).await;
        if let Ok(Some((id, _))) = sealed.as_ref().map(|sealed| sealed.as_deref()?.split_once('.')) {
            return id.to_owned();
        }
    }
    unknown()
}

/// Opens it to read, and for nothing else.
async fn look_at(path: &Path) -> Result<AnyConnection, BackupError> {
    sqlx::any::install_default_drivers();
    let url = url_of(path).map_err(|source| BackupError::Io { path: path.to_owned(), source })?;
    let url = url.replace("?mode=rwc", "?mode=ro");
    let unusable =
        |error: sqlx::Error| BackupError::Unusable { path: path.to_owned(), why: error.to_string() };
    AnyConnection::connect(&url).await.map_err(unusable)
}

/// A copy has no log beside it, so it is read as it is.
async fn check_whole(path: &Path) -> Result<(), BackupError> {
    let unusable = |why: String| BackupError::Unusable { path: path.to_owned(), why };
    let mut connection = look_at(path).await?;
    let said: Result<String, _> =
        sqlx::query_scalar("PRAGMA integrity_check").fetch_one(&mut connection).await;
    match said {
        Ok(ok) if ok == "ok" => {}
        Ok(why) => return Err(unusable(why)),
        Err(error) => return Err(unusable(error.to_string())),
    }
    let steps: Result<i64, _> =
        sqlx::query_scalar("SELECT COUNT(*) FROM _sqlx_migrations").fetch_one(&mut connection).await;
    steps.map_err(|_| unusable("it holds other tables".to_owned()))?;
    drop(connection.close().await);
    Ok(())
}

/// Nobody else may have it open. When the last one closes it, SQLite takes its log in.
async fn check_unused(path: &Path) -> Result<(), BackupError> {
    let in_use = |_| BackupError::InUse { path: path.to_owned() };
    let url = url_of(path).map_err(|source| BackupError::Io { path: path.to_owned(), source })?;
    let mut connection = AnyConnection::connect(&url).await.map_err(in_use)?;
    let alone = "PRAGMA busy_timeout = 200; PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; COMMIT";
    sqlx::raw_sql(alone).execute(&mut connection).await.map_err(in_use)?;
    drop(connection.close().await);
    Ok(())
}
