//! Locks that all processes of one person share: the operating system's own, on files that stay empty.
//!
//! Whoever lets go of a lock removes its file first. So whoever takes one looks whether the file is still the one at
//! that path: the lock of a removed file excludes nobody.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
};

use super::{StoreError, StoreLock};

/// Lock files beside a path. A killed process leaves no lock behind, and its file to the next one.
#[derive(Clone, Debug)]
pub(super) struct Locks(PathBuf);

impl Locks {
    /// Locks whose files begin with `path`.
    pub(super) fn beside(path: PathBuf) -> Self {
        Self(path)
    }

    /// Waits for the one lock of those who write.
    pub(super) fn write(&self) -> Result<Held, StoreError> {
        let path = with_suffix(&self.0, ".lock");
        loop {
            let file = self.open(&path)?;
            // Held for one read and one write of a small file, never for a network request.
            file.lock().map_err(|error| self.failed(&error))?;
            if let Some(held) = Held::of(file, &path).map_err(|error| self.failed(&error))? {
                return Ok(held);
            }
        }
    }

    /// Takes a named lock if it is free.
    pub(super) fn try_named(&self, name: &str) -> Result<Option<StoreLock>, StoreError> {
        let path = with_suffix(&self.0, &format!(".{}.lock", file_name(name)));
        loop {
            let file = self.open(&path)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(self.failed(&error)),
            }
            if let Some(held) = Held::of(file, &path).map_err(|error| self.failed(&error))? {
                return Ok(Some(StoreLock::new(held)));
            }
        }
    }

    fn open(&self, path: &Path) -> Result<File, StoreError> {
        create_private_folder(folder_of(&self.0)).map_err(|error| self.failed(&error))?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(path).map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &io::Error) -> StoreError {
        StoreError::Io { path: self.0.clone(), action: "locked", detail: error.to_string() }
    }
}

/// A lock, and the file that goes with it.
#[derive(Debug)]
pub(super) struct Held {
    file: File,
    path: PathBuf,
}

impl Held {
    /// `None` where the file was removed, or replaced, between its opening and its locking.
    fn of(file: File, path: &Path) -> io::Result<Option<Self>> {
        Ok(is_at(&file, path)?.then(|| Self { file, path: path.to_owned() }))
    }
}

impl Drop for Held {
    /// The lock itself ends after this, with the file. Where open files cannot be removed, they stay.
    fn drop(&mut self) {
        if cfg!(unix) && is_at(&self.file, &self.path).unwrap_or(false) {
            drop(fs::remove_file(&self.path));
        }
    }
}

/// Whether that open file is the one at the path. While it is open, no other file gets its number.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt as _;
    let ours = file.metadata()?;
    match fs::metadata(path) {
        Ok(there) => Ok((ours.dev(), ours.ino()) == (there.dev(), there.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(not(unix))]
fn is_at(_: &File, _: &Path) -> io::Result<bool> {
    Ok(true)
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

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    fn locks() -> (tempfile::TempDir, Locks) {
        let folder = tempfile::tempdir().unwrap();
        let locks = Locks::beside(folder.path().join("tokens.json"));
        (folder, locks)
    }

    fn files(folder: &tempfile::TempDir) -> usize {
        fs::read_dir(folder.path()).unwrap().count()
    }

    #[test]
    fn a_lock_that_is_let_go_leaves_no_file() {
        let (folder, locks) = locks();
        let (one, all) = (locks.try_named("a").unwrap(), locks.write().unwrap());
        assert_eq!((one.is_some(), files(&folder)), (true, 2));
        assert!(locks.try_named("a").unwrap().is_none());
        drop((one, all));
        assert_eq!(files(&folder), 0);
        assert!(locks.try_named("a").unwrap().is_some());
    }

    /// The race of those who remove lock files: opened while it was there, locked after it was gone.
    #[test]
    fn the_lock_of_a_removed_file_is_not_held() {
        let (folder, locks) = locks();
        let path = folder.path().join("tokens.json.a.lock");
        let first = locks.try_named("a").unwrap().unwrap();
        let late = locks.open(&path).unwrap();
        drop(first);
        let _second = locks.try_named("a").unwrap().unwrap();
        late.try_lock().expect("nobody else has that file");
        assert!(Held::of(late, &path).unwrap().is_none());
        assert!(path.exists() && locks.try_named("a").unwrap().is_none(), "the second one is as it was");
    }

    /// Someone has tidied up by hand.
    #[test]
    fn a_file_that_is_not_ours_is_not_removed() {
        let (folder, locks) = locks();
        let path = folder.path().join("tokens.json.a.lock");
        let first = locks.try_named("a").unwrap().unwrap();
        fs::remove_file(&path).unwrap();
        let second = locks.try_named("a").unwrap().unwrap();
        drop(first);
        assert!(path.exists() && locks.try_named("a").unwrap().is_none());
        drop(second);
    }

    #[test]
    fn only_one_at_a_time_has_it() {
        let (_folder, locks) = locks();
        let (inside, most) = (std::sync::atomic::AtomicU32::new(0), std::sync::atomic::AtomicU32::new(0));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        let held = locks.write().unwrap();
                        let now = inside.fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1;
                        most.fetch_max(now, std::sync::atomic::Ordering::SeqCst);
                        inside.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
                        drop(held);
                    }
                });
            }
        });
        assert_eq!(most.into_inner(), 1);
    }
}
