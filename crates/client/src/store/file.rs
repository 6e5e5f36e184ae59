//! A JSON file that only its owner may read, replaced as a whole.
//!
//! Three files live side by side: `tokens.json`, its write lock `tokens.json.lock`, and one lock file
//! for each server that is being logged in to or refreshed. Locks are the operating system's own, so
//! that a killed process leaves none behind; the lock files themselves are empty and stay.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use super::{Document, StoreError, StoreLock, TokenStore};

/// Keeps tokens in a file with mode 0600, in plain text. Any number of processes may share it.
#[derive(Clone, Debug)]
pub struct FileStore {
    path: PathBuf,
}

impl FileStore {
    /// A store in the file `path`, which need not exist yet; nor need its folder.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn failed(&self, action: &'static str) -> impl Fn(io::Error) -> StoreError {
        let path = self.path.clone();
        move |error| StoreError::Io { path: path.clone(), action, detail: error.to_string() }
    }

    fn folder(&self) -> &Path {
        match self.path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        }
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = self.path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    }

    fn open_lock(&self, suffix: &str) -> Result<File, StoreError> {
        let failed = self.failed("locked");
        create_private_folder(self.folder()).map_err(&failed)?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(self.beside(suffix)).map_err(failed)
    }

    fn write(&self, document: &Document) -> Result<(), StoreError> {
        let failed = self.failed("written");
        let json = serde_json::to_vec_pretty(document).map_err(|e| failed(io::Error::other(e)))?;
        // A temporary file is made with mode 0600, in the same folder so that the rename is atomic.
        let mut file =
            tempfile::Builder::new().prefix(".tokens").tempfile_in(self.folder()).map_err(&failed)?;
        file.write_all(&json).and_then(|()| file.as_file().sync_all()).map_err(&failed)?;
        file.persist(&self.path).map_err(|e| failed(e.error))?;
        // The rename itself is durable once the folder is.
        #[cfg(unix)]
        File::open(self.folder()).and_then(|folder| folder.sync_all()).map_err(&failed)?;
        Ok(())
    }
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

impl TokenStore for FileStore {
    fn read(&self) -> Result<Document, StoreError> {
        let bytes = match fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Document::default()),
            Err(error) => return Err(self.failed("read")(error)),
        };
        // The parser's message could quote what it read; its position cannot.
        let document: Document = serde_json::from_slice(&bytes).map_err(|error| StoreError::Corrupted {
            path: self.path.clone(),
            detail: format!("not a token document, line {} column {}", error.line(), error.column()),
        })?;
        if document.version > Document::VERSION {
            return Err(StoreError::Version {
                path: self.path.clone(),
                found: document.version,
                known: Document::VERSION,
            });
        }
        Ok(document)
    }

    fn update(&self, change: &mut dyn FnMut(&mut Document)) -> Result<(), StoreError> {
        let lock = self.open_lock(".lock")?;
        // Held for one read and one write of a small file, never for a network request.
        lock.lock().map_err(self.failed("locked"))?;
        let mut document = self.read()?;
        change(&mut document);
        self.write(&document)
    }

    fn try_lock(&self, name: &str) -> Result<Option<StoreLock>, StoreError> {
        let file = self.open_lock(&format!(".{}.lock", file_name(name)))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(StoreLock::new(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(self.failed("locked")(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::document::tests::account;
    use super::*;

    fn store() -> (tempfile::TempDir, FileStore) {
        let folder = tempfile::tempdir().unwrap();
        let store = FileStore::new(folder.path().join("deep/er/tokens.json"));
        (folder, store)
    }

    #[test]
    fn what_was_kept_is_read_back() {
        let (_folder, store) = store();
        assert_eq!(store.read().unwrap(), Document::default(), "no file is an empty document");
        let kept = account("https://a/mcp", "https://as", "r", 1);
        store.update(&mut |d| d.put(kept.clone())).unwrap();
        assert_eq!(FileStore::new(store.path()).read().unwrap().accounts(), [kept]);
    }

    #[cfg(unix)]
    #[test]
    fn file_and_folder_are_private() {
        use std::os::unix::fs::PermissionsExt as _;
        let (_folder, store) = store();
        store.update(&mut |d| d.put(account("https://a/mcp", "https://as", "r", 1))).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(store.path()), 0o600);
        assert_eq!(mode(store.folder()), 0o700);
        // A file that someone made readable is private again after the next write.
        fs::set_permissions(store.path(), fs::Permissions::from_mode(0o644)).unwrap();
        store.update(&mut |_| {}).unwrap();
        assert_eq!(mode(store.path()), 0o600);
    }

    #[test]
    fn a_damaged_file_is_refused_and_kept() {
        let (_folder, store) = store();
        store.update(&mut |d| d.put(account("https://a/mcp", "https://as", "canary", 1))).unwrap();
        let damaged = format!("{}}}", fs::read_to_string(store.path()).unwrap());
        fs::write(store.path(), &damaged).unwrap();
        let error = store.read().unwrap_err();
        assert!(matches!(error, StoreError::Corrupted { .. }), "{error}");
        assert!(!error.to_string().contains("canary"));
        assert!(
            store
                .update(&mut |d| {
                    d.remove("https://a/mcp");
                })
                .is_err()
        );
        assert_eq!(fs::read_to_string(store.path()).unwrap(), damaged, "the file is as it was");
    }

    #[test]
    fn a_newer_format_is_refused_and_kept() {
        let (_folder, store) = store();
        fs::create_dir_all(store.folder()).unwrap();
        fs::write(store.path(), r#"{"version": 99}"#).unwrap();
        assert!(matches!(store.update(&mut |_| {}), Err(StoreError::Version { found: 99, .. })));
        assert_eq!(fs::read_to_string(store.path()).unwrap(), r#"{"version": 99}"#);
    }

    #[test]
    fn no_write_is_lost_among_many_writers() {
        let (_folder, store) = store();
        std::thread::scope(|scope| {
            for writer in 0..8 {
                let store = FileStore::new(store.path());
                scope.spawn(move || {
                    for n in 0..8 {
                        let server = format!("https://{writer}.example/{n}");
                        store.update(&mut |d| d.put(account(&server, "https://as", "r", 1))).unwrap();
                    }
                });
            }
        });
        assert_eq!(store.read().unwrap().accounts().len(), 64);
    }

    #[test]
    fn a_lock_excludes_other_holders_of_the_same_name() {
        let (_folder, store) = store();
        let held = store.try_lock("https://a/mcp").unwrap().unwrap();
        let other = FileStore::new(store.path());
        assert!(other.try_lock("https://a/mcp").unwrap().is_none());
        assert!(other.try_lock("https://b/mcp").unwrap().is_some());
        store.update(&mut |_| {}).expect("a held login lock does not stop writers");
        drop(held);
        assert!(other.try_lock("https://a/mcp").unwrap().is_some());
    }
}
