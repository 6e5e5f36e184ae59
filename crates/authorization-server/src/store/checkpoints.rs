//! SQLite's log goes into the file beside the requests: left to SQLite, it would be the request that happens to fill it whose
//! answer waits until thousands of pages are on the disk.

use std::time::Duration;

use sqlx::AnyPool;
use tokio::task::AbortHandle;

use super::Store;
use super::database::Engine;

/// A busy second writes a few thousand pages.
const EVERY: Duration = Duration::from_secs(1);

/// Whoever sweeps goes on without it.
const PATIENCE: Duration = Duration::from_secs(5);

/// Goes on as long as it lives.
pub(super) struct Checkpoints(AbortHandle);

impl Drop for Checkpoints {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Checkpoints {
    /// On connections that never write.
    pub(super) fn begin(readers: AnyPool) -> Self {
        Self(tokio::spawn(go_on(readers)).abort_handle())
    }
}

async fn go_on(readers: AnyPool) {
    loop {
        tokio::time::sleep(EVERY).await;
        if let Err(error) = checkpoint(&readers).await {
            tracing::warn!(%error, "the database's log stays as long as it is; it is tried again");
        }
    }
}

impl Store {
    /// Takes the log in before whoever calls this writes on: while nobody writes, all of it gets in, and it begins anew.
    pub(super) async fn take_log_in(&self) {
        if self.engine() == Engine::Sqlite {
            let taken = tokio::time::timeout(PATIENCE, checkpoint(self.reader())).await;
            if !matches!(taken, Ok(Ok(()))) {
                tracing::warn!("the database's log stays as long as it is; it is tried again");
            }
        }
    }
}

/// Takes what it can without keeping anybody waiting.
async fn checkpoint(readers: &AnyPool) -> sqlx::Result<()> {
    sqlx::raw_sql("PRAGMA wal_checkpoint(PASSIVE)").execute(readers).await.map(drop)
}
