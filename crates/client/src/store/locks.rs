//! Locks that all processes of one person share: the operating system's own, on files that stay empty.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
};

use super::{StoreError, StoreLock};

/// Lock files beside a path. A killed process leaves no lock behind; the files themselves stay.
#[derive(Clone, Debug)]
pub(super) struct Locks(PathBuf);

impl Locks {
    /// Locks whose files begin with `path`.
    pub(super) fn beside(path: PathBuf) -> Self {
        Self(path)
    }

    /// Waits for the one lock of those who write.
    pub(super) fn write(&self) -> Result<File, StoreError> {
        let file = self.open(".lock")?;
        // Held for one read and one write of a small file, never for a network request.
        file.lock().map_err(|error| self.failed(&error))?;
        Ok(file)
    }

    /// Takes a named lock if it is free.
    pub(super) fn try_named(&self, name: &str) -> Result<Option<StoreLock>, StoreError> {
        let file = self.open(&format!(".{}.lock", file_name(name)))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(StoreLock::new(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(self.failed(&error)),
        }
    }

    fn open(&self, suffix: &str) -> Result<File, StoreError> {
        create_private_folder(folder_of(&self.0)).map_err(|error| self.failed(&error))?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(with_suffix(&self.0, suffix)).map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &io::Error) -> StoreError {
        StoreError::Io { path: self.0.clone(), action: "locked", detail: error.to_string() }
    }
}

/// The folder of a file, which for a bare name is the current one.
pub(super) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The path with something appended to its last name.
pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn create_private_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// A readable file name for a lock. Two names may fall together, and then share a lock: slower, never wrong.
fn file_name(name: &str) -> String {
    name.chars().take(100).map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}
