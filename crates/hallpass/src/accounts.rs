//! The file of accounts: API keys and passwords, hashed. Commands write it, and a server that runs sees it within a
//! second.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use hallpass_resource_server::{Account, Accounts};

/// How long what was read is believed.
const BELIEVED: Duration = Duration::from_secs(1);

/// The file.
#[derive(Clone, Debug)]
pub(crate) struct AccountFile(PathBuf);

impl AccountFile {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// Everyone who stands in it; nobody where there is no file.
    pub(crate) fn read(&self) -> anyhow::Result<Vec<Account>> {
        match fs::read(&self.0) {
            Ok(text) => serde_json::from_slice(&text)
                .map_err(|error| anyhow::anyhow!("{} is damaged: {error}", self.0.display())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(anyhow::anyhow!("can't read {}: {error}", self.0.display())),
        }
    }

    /// Reads, changes and writes it; one at a time, and whole or not at all.
    pub(crate) fn change<T>(
        &self,
        change: impl FnOnce(&mut Vec<Account>) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let lock =
            File::options().create(true).write(true).truncate(false).open(self.0.with_extension("lock"))?;
        lock.lock()?;
        let mut accounts = self.read()?;
        let changed = change(&mut accounts)?;
        let folder = self.0.parent().unwrap_or(Path::new("."));
        // For its owner alone from the first byte: that is how temporary files are made.
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        serde_json::to_writer_pretty(&mut file, &accounts)?;
        file.write_all(b"\n")?;
        file.as_file().sync_all()?;
        file.persist(&self.0)?;
        Ok(changed)
    }

    /// For a server that runs. A file that cannot be read lets nobody in.
    pub(crate) fn live(self) -> Accounts {
        let seen: Mutex<Seen> = Mutex::new(Seen::default());
        Accounts::live(move || {
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            if seen.at.is_none_or(|at| at.elapsed() >= BELIEVED) {
                seen.look(&self);
            }
            seen.accounts.clone()
        })
    }
}

/// What was read, and of what.
#[derive(Default)]
struct Seen {
    at: Option<Instant>,
    version: Option<(SystemTime, u64)>,
    accounts: Option<Arc<Vec<Account>>>,
}

impl Seen {
    fn look(&mut self, file: &AccountFile) {
        self.at = Some(Instant::now());
        let version = fs::metadata(&file.0).and_then(|about| Ok((about.modified()?, about.len()))).ok();
        if self.accounts.is_some() && version == self.version {
            return;
        }
        self.version = version;
        self.accounts = match file.read() {
            Ok(accounts) => Some(Arc::new(accounts)),
            Err(error) => {
                tracing::error!(%error, "no API key and no password is taken");
                None
            }
        };
    }
}
