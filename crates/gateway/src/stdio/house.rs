//! Where processes run: how many there may be, and that none is left behind.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::refused::Refused;
use super::{Limits, StdioCommand};

/// What all processes of one stdio server have in common.
pub(super) struct House {
    pub(super) command: StdioCommand,
    pub(super) limits: Limits,
    /// Whether a process of the program, whose ever it was, said nothing before `initialize`. All else is known of each by itself.
    pub(super) silent: Arc<AtomicBool>,
    /// One place for each process that may run.
    places: Arc<Semaphore>,
    /// Every task that may have a process.
    pub(super) tasks: TaskTracker,
    pub(super) closing: CancellationToken,
}

impl House {
    pub(super) fn new(command: StdioCommand, limits: Limits) -> Self {
        let places = Arc::new(Semaphore::new(limits.processes));
        Self {
            command,
            limits,
            silent: Arc::default(),
            places,
            tasks: TaskTracker::new(),
            closing: CancellationToken::new(),
        }
    }

    /// A place for one process more.
    pub(super) fn place(&self) -> Result<OwnedSemaphorePermit, Refused> {
        if self.closing.is_cancelled() {
            return Err(Refused::Closing);
        }
        Arc::clone(&self.places).try_acquire_owned().map_err(|_| Refused::TooManyProcesses)
    }

    /// Ends all processes, and waits until every one is gone.
    pub(super) async fn close(&self) {
        self.closing.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}
