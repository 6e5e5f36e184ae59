//! A JSON file that only its owner may read, replaced as a whole.
//!
//! Side by side live `tokens.json` and, for a file that is encrypted so, its key `tokens.json.key`; while they are held,
//! its write lock `tokens.json.lock`, and one lock file for each server that is being logged in to or refreshed.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use hallpass_protocol::secret::Secret;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::{
    Document, Keyring, Protection, StoreError, StoreLock, TokenStore,
    locks::Locks,
    replace::replace,
    sealed::{Envelope, KeySource, Keys, Sealed},
};

/// Keeps tokens in a file with mode 0600, encrypted or in plain text. Any number of processes may share it.
#[derive(Clone, Debug)]
pub struct FileStore {
    path: PathBuf,
    locks: Locks,
    keys: Arc<Keys>,
}

/// What every version of the file, encrypted or not, begins with.
#[derive(Deserialize)]
struct Head {
    version: u32,
    encryption: Option<String>,
}

impl FileStore {
    /// A store in the file `path`, in plain text. Neither the file nor its folder need exist.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self::protected(path, Protection::Plain, None)
    }

    /// The same, protected. A plain file of an earlier version is encrypted with the next write.
    #[must_use]
    pub fn protected(path: impl Into<PathBuf>, protection: Protection, passphrase: Option<Secret>) -> Self {
        Self::with_keyring(path, protection, passphrase, Keyring::system("hallpass"))
    }

    /// The same, with another keyring than the operating system's under the name `hallpass`.
    #[must_use]
    pub fn with_keyring(
        path: impl Into<PathBuf>,
        protection: Protection,
        passphrase: Option<Secret>,
        keyring: Keyring,
    ) -> Self {
        let path = path.into();
        let keys = Arc::new(Keys::new(&path, protection, passphrase, keyring));
        Self { locks: Locks::beside(path.clone()), path, keys }
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The document, and where its key is if it is encrypted.
    fn load(&self) -> Result<(Document, Option<KeySource>), StoreError> {
        let bytes = match fs::read(&self.path) {
            Ok(bytes) => Zeroizing::new(bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((Document::default(), None)),
            Err(error) => return Err(self.failed("read", &error)),
        };
        let head: Head = self.parse(&bytes)?;
        if head.version > Document::VERSION {
            return Err(StoreError::Version {
                path: self.path.clone(),
                found: head.version,
                known: Document::VERSION,
            });
        }
        if head.encryption.is_none() {
            return Ok((self.parse::<Document>(&bytes)?.migrated(), None));
        }
        let envelope: Envelope = self.parse(&bytes)?;
        let key = self.keys.of(&envelope.key).map_err(|why| self.locked_away(why))?;
        let plain = envelope.open(&key).map_err(|sealed| match sealed {
            Sealed::Damaged(what) => self.damaged(what.to_owned()),
            Sealed::Refused => self.locked_away(match envelope.key {
                KeySource::Passphrase(_) => {
                    "HALLPASS_PASSPHRASE is not the one this file was made with, or the file was changed"
                        .into()
                }
                _ => "its key does not open it, or it was changed".into(),
            }),
        })?;
        Ok((self.parse::<Document>(&plain)?.migrated(), Some(envelope.key)))
    }

    fn save(&self, document: &Document, now: Option<&KeySource>) -> Result<(), StoreError> {
        let unwritable = |error: serde_json::Error| self.failed("written", &io::Error::other(error));
        let plain = Zeroizing::new(serde_json::to_vec_pretty(document).map_err(unwritable)?);
        let key = self.keys.for_writing(now).map_err(|why| self.locked_away(why))?;
        let bytes = match key {
            None => plain,
            Some((source, key)) => {
                let envelope = Envelope::seal(Document::VERSION, source, &key, &plain)
                    .ok_or_else(|| self.failed("written", &io::Error::other("it cannot be encrypted")))?;
                Zeroizing::new(serde_json::to_vec_pretty(&envelope).map_err(unwritable)?)
            }
        };
        replace(&self.path, &bytes).map_err(|error| self.failed("written", &error))
    }

    /// The parser's message could quote what it read; its position cannot.
    fn parse<'a, T: Deserialize<'a>>(&self, bytes: &'a [u8]) -> Result<T, StoreError> {
        serde_json::from_slice(bytes).map_err(|error| {
            self.damaged(format!("not a token document, line {} column {}", error.line(), error.column()))
        })
    }

    fn failed(&self, action: &'static str, error: &io::Error) -> StoreError {
        StoreError::Io { path: self.path.clone(), action, detail: error.to_string() }
    }

    fn damaged(&self, detail: String) -> StoreError {
        StoreError::Corrupted { path: self.path.clone(), detail }
    }

    fn locked_away(&self, detail: String) -> StoreError {
        StoreError::Key { path: self.path.clone(), detail }
    }
}

impl TokenStore for FileStore {
    fn read(&self) -> Result<Document, StoreError> {
        self.load().map(|(document, _)| document)
    }

    fn update(&self, change: &mut dyn FnMut(&mut Document)) -> Result<(), StoreError> {
        let _lock = self.locks.write()?;
        let (mut document, source) = self.load()?;
        change(&mut document);
        self.save(&document, source.as_ref())
    }

    fn try_lock(&self, name: &str) -> Result<Option<StoreLock>, StoreError> {
        self.locks.try_named(name)
    }
}

#[cfg(test)]
mod encrypted;

#[cfg(test)]
mod tests {
    use super::super::{
        document::tests::account,
        locks::{folder_of, with_suffix},
    };
    use super::*;

    pub(super) const SERVER: &str = "https://a/mcp";

    pub(super) fn put(store: &FileStore) -> Result<(), StoreError> {
        store.update(&mut |d| d.put(account(SERVER, "https://as", "canary", 1)))
    }

    pub(super) fn has(store: &FileStore) -> bool {
        store.read().unwrap().accounts().iter().any(|kept| kept.server == SERVER)
    }

    pub(super) fn store() -> (tempfile::TempDir, FileStore) {
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
        assert_eq!(mode(folder_of(store.path())), 0o700);
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
                    d.remove("https://a/mcp", "");
                })
                .is_err()
        );
        assert_eq!(fs::read_to_string(store.path()).unwrap(), damaged, "the file is as it was");
    }

    #[test]
    fn a_newer_format_is_refused_and_kept() {
        let (_folder, store) = store();
        fs::create_dir_all(folder_of(store.path())).unwrap();
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

    /// What a process that was killed while it wrote leaves behind.
    #[test]
    fn litter_of_a_killed_writer_is_no_obstacle() {
        let (_folder, store) = store();
        put(&store).unwrap();
        fs::write(with_suffix(store.path(), ".new"), "half a docu").unwrap();
        assert!(has(&store));
        put(&store).unwrap();
        assert!(!with_suffix(store.path(), ".new").exists());
    }

    /// `/dev/full` takes no byte. A disk that is full keeps the document that was there.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_said_and_loses_nothing() {
        use std::io::Write as _;
        let mut full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let error = full.write_all(b"x").unwrap_err();
        let (_folder, store) = store();
        let shown = store.failed("written", &error).to_string();
        assert!(shown.contains("space"), "{shown}");
        // A folder in the way of the new file stands for the disk: the write fails before the rename.
        put(&store).unwrap();
        fs::create_dir(with_suffix(store.path(), ".new")).unwrap();
        assert!(matches!(put(&store), Err(StoreError::Io { action: "written", .. })));
        assert!(has(&store));
    }
}
