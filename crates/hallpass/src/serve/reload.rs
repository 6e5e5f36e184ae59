//! Another configuration without a restart: the file is read again when it changes, or one that it names, and at SIGHUP. What
//! it says is served whole or not at all; what cannot be served changes nothing.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, Notify};
use tokio_util::sync::CancellationToken;

use super::plan::Plan;
use super::running::{Changed, Running};
use super::watch::Watch;
use crate::cli;
use crate::config;
use crate::exit::Failure;
use crate::say::note;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(2);

/// The file, and what is served of it.
pub(super) struct Reload {
    file: PathBuf,
    args: cli::Serve,
    watch: Watch,
    running: Arc<Mutex<Running>>,
}

/// What a look at the files has led to.
enum Looked {
    /// They are what they were, or somebody is writing.
    Same,
    /// The file was read.
    Read(Changed),
    /// It cannot be served; what was before goes on.
    Kept(Failure),
}

impl Reload {
    /// Of a file that is watched since it was read, with the command line beside it.
    pub(super) fn new(file: &Path, watch: Watch, args: cli::Serve, running: Arc<Mutex<Running>>) -> Self {
        Self { file: file.to_owned(), args, watch, running }
    }

    /// Reads the file where it has to be read.
    async fn look(&mut self, asked: bool) -> Looked {
        if !self.watch.is_due(asked) {
            return Looked::Same;
        }
        match self.read().await {
            Ok(changed) => Looked::Read(changed),
            Err(failure) => Looked::Kept(failure),
        }
    }

    async fn read(&mut self) -> Result<Changed, Failure> {
        let config = config::read(&self.file).map_err(Failure::configuration)?;
        self.watch.follow(config.files());
        let plan = Plan::new(self.args.clone(), config).map_err(Failure::configuration)?;
        self.running.lock().await.change(plan).await
    }

    /// Looks again and again, and at once when somebody asks, until `stop`.
    pub(super) async fn follow(mut self, asked: Arc<Notify>, stop: CancellationToken) {
        loop {
            let asked = tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(LOOK) => false,
                () = asked.notified() => true,
            };
            let looked = self.look(asked).await;
            self.tell(&looked, asked);
        }
    }

    fn tell(&self, looked: &Looked, asked: bool) {
        let file = self.file.display();
        match looked {
            Looked::Read(Changed::Nothing) if asked => {
                note(format_args!("What {file} says is served already."))
            }
            Looked::Same | Looked::Read(Changed::Nothing) => {}
            Looked::Read(Changed::Now { new, other, gone }) => {
                note(format_args!("What {file} says is served now."));
                for (what, endpoints) in [("new", new), ("changed", other), ("gone", gone)] {
                    for endpoint in endpoints {
                        note(format_args!("  {what:<8} {endpoint}"));
                    }
                }
            }
            Looked::Read(Changed::NeedsRestart(settings)) => {
                let settings = settings.join(", ");
                tracing::warn!(
                    "restart needed for {settings}: that cannot change while hallpass runs; until then nothing of {file} is served \
                     that was not before"
                );
            }
            Looked::Kept(failure) => {
                tracing::error!("{file} cannot be served, and what was before goes on: {}", failure.text());
            }
        }
    }
}
