//! The key that is not in the database: 32 bytes in a file that only its owner can read. Where it has been changed, the
//! former keys stand behind it, 32 bytes each: what they sealed can be opened until it is sealed anew.

use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};
use std::time::SystemTime;

use aws_lc_rs::{digest, hmac};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hallpass_protocol::secret::Secret;

use super::sealing::SealingKey;

const LENGTH: usize = 32;
/// One in use, and more than anyone will have left behind.
const MOST_KEYS: usize = 16;

type Key = [u8; LENGTH];

/// The key under which secrets in the database are encrypted. One that was read from a file follows the file: a server
/// that runs while the key is changed goes on.
pub struct MasterKey {
    file: Option<PathBuf>,
    /// Whose keys these are, where they are derived from those in the file.
    tenant: Option<String>,
    keys: RwLock<Keys>,
    /// Under which client secrets are hashed; the oldest key until the store says otherwise.
    client_secrets: RwLock<Key>,
}

struct Keys {
    /// The newest first; never empty.
    keys: Vec<Key>,
    changed: Option<SystemTime>,
}

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("MasterKey([secret])")
    }
}

/// Why the master key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MasterKeyError {
    /// Others than the owner can read or write the file.
    #[error(
        "the master key {path} can be read by others (mode {mode:o}): run `chmod 600 {path}`; if others may have read \
         it, run `hallpass master-key rotate` and `hallpass keys rotate --now` after that"
    )]
    OpenToOthers {
        /// The key file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file does not hold exactly 32 bytes a key.
    #[error(
        "the master key {path} is not 32 bytes long, nor 32 for each of some keys: restore it from a backup. A file holds the bytes \
         themselves, as of `head -c 32 /dev/urandom`; base64 is for an environment or a command"
    )]
    WrongLength {
        /// The key file.
        path: PathBuf,
    },
    /// The text holds no key.
    #[error(
        "the master key is not what `head -c 32 /dev/urandom | base64` prints: one line for each key, the newest first, each 32 bytes \
         in base64"
    )]
    Text,
    /// The file cannot be read or made.
    #[error("the master key {path} cannot be read or made: {source}")]
    Io {
        /// The key file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
}

impl MasterKey {
    /// A key from bytes that the caller keeps safe.
    #[must_use]
    pub fn from_bytes(bytes: Key) -> Self {
        Self::of(None, vec![bytes], None)
    }

    /// Keys from text that the caller keeps safe: 32 bytes in base64 for each, one a line, the newest first.
    ///
    /// # Errors
    /// [`MasterKeyError::Text`] for any other text.
    pub fn from_text(text: &Secret) -> Result<Self, MasterKeyError> {
        let words = text.expose().split_whitespace();
        let read = |word: &str| {
            let bytes = STANDARD.decode(word).or_else(|_| URL_SAFE_NO_PAD.decode(word)).ok()?;
            Key::try_from(bytes).ok()
        };
        let keys: Option<Vec<Key>> = words.map(read).collect();
        match keys {
            Some(keys) if !keys.is_empty() && keys.len() <= MOST_KEYS => Ok(Self::of(None, keys, None)),
            _ => Err(MasterKeyError::Text),
        }
    }

    fn of(file: Option<PathBuf>, keys: Vec<Key>, changed: Option<SystemTime>) -> Self {
        let oldest = keys.last().copied().unwrap_or_default();
        let keys = RwLock::new(Keys { keys, changed });
        Self { file, tenant: None, keys, client_secrets: RwLock::new(oldest) }
    }

    /// The key of one tenant, derived from this one: what it seals opens under no other tenant's, and says nothing of this one.
    /// It changes when this one changes, and there is no further file to keep.
    #[must_use]
    pub fn of_tenant(self, name: &str) -> Self {
        let known = self.keys.into_inner().unwrap_or_else(PoisonError::into_inner);
        let keys = known.keys.iter().map(|key| derived(key, name)).collect();
        Self { tenant: Some(name.to_owned()), ..Self::of(self.file, keys, known.changed) }
    }

    /// Reads the key file, and makes it (mode 0600) where there is none.
    ///
    /// # Errors
    /// Where others than the owner have any right to the file, where it does not hold 32 bytes a key, and
    /// where the operating system refuses.
    pub fn load_or_create(path: &Path) -> Result<Self, MasterKeyError> {
        let (keys, changed) = match read(path) {
            Err(MasterKeyError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {
                match create(path) {
                    // Another process made it in the meantime; its key counts.
                    Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                    made => made.map_err(|source| MasterKeyError::Io { path: path.to_owned(), source })?,
                }
                read(path)?
            }
            read => read?,
        };
        Ok(Self::of(Some(path.to_owned()), keys, changed))
    }

    /// Reads the key file that is there.
    ///
    /// # Errors
    /// As [`load_or_create`](Self::load_or_create), and where there is none.
    pub fn load(path: &Path) -> Result<Self, MasterKeyError> {
        let (keys, changed) = read(path)?;
        Ok(Self::of(Some(path.to_owned()), keys, changed))
    }

    /// Puts a new key before those in the file. From now on it seals; what the former ones sealed can be opened still.
    ///
    /// # Errors
    /// Where the file cannot be read or written; then it is as it was.
    pub fn add(path: &Path) -> Result<(), MasterKeyError> {
        let (mut keys, _) = read(path)?;
        keys.insert(0, rand::random());
        keys.truncate(MOST_KEYS);
        replace(path, &keys).map_err(|source| MasterKeyError::Io { path: path.to_owned(), source })
    }

    /// Leaves the newest key alone in the file, and says how many are gone. Whoever calls this knows that nothing is
    /// sealed under them any more.
    ///
    /// # Errors
    /// Where the file cannot be read or written; then it is as it was.
    pub fn forget_former(path: &Path) -> Result<usize, MasterKeyError> {
        let (mut keys, _) = read(path)?;
        let former = keys.len() - 1;
        keys.truncate(1);
        replace(path, &keys).map_err(|source| MasterKeyError::Io { path: path.to_owned(), source })?;
        Ok(former)
    }

    /// The key that encrypts rows of this kind.
    pub(crate) fn sealing(&self, kind: &'static str) -> SealingKey {
        self.follow_file();
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        SealingKey::derive_each(keys.keys.iter().map(|key| (id(key), key.as_slice())), kind)
    }

    /// What stands before everything that the newest key seals, and how many keys there are.
    pub(crate) fn newest(&self) -> (String, usize) {
        self.follow_file();
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        (keys.keys.first().map(id).unwrap_or_default(), keys.keys.len())
    }

    /// What tells each of them from others, the newest first.
    pub(crate) fn ids(&self) -> Vec<String> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).keys.iter().map(id).collect()
    }

    /// Where they were read.
    pub(crate) fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// A file that has become unreadable changes nothing: what was read from it counts.
    fn follow_file(&self) {
        let Some(file) = &self.file else { return };
        let changed = modified(file);
        let known = self.keys.read().unwrap_or_else(PoisonError::into_inner).changed;
        if changed != known
            && let Ok((mut keys, changed)) = read(file)
        {
            if let Some(tenant) = &self.tenant {
                keys.iter_mut().for_each(|key| *key = derived(key, tenant));
            }
            *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Keys { keys, changed };
        }
    }

    /// The key that keeps client secrets, from the database. It outlives the master key: a hash cannot be made anew.
    pub(crate) fn keep_client_secrets_under(&self, key: Key) {
        *self.client_secrets.write().unwrap_or_else(PoisonError::into_inner) = key;
    }

    /// Under which client secrets are hashed where the database does not say: the oldest key.
    pub(crate) fn client_secrets_key(&self) -> Key {
        *self.client_secrets.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The keyed hash that is stored of a client secret: operators choose short ones, and the
    /// database alone must not be enough to guess them.
    pub(crate) fn client_secret_hash(&self, secret: &str) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.client_secrets_key());
        let mut context = hmac::Context::with_key(&key);
        context.update(b"hallpass client secret\0");
        context.update(secret.as_bytes());
        URL_SAFE_NO_PAD.encode(context.sign())
    }
}

/// RFC 2104 under a key of 32 random bytes is a pseudo-random function: who has one of these knows neither the key nor another.
fn derived(key: &Key, tenant: &str) -> Key {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key));
    context.update(b"hallpass master key of a tenant\0");
    context.update(tenant.as_bytes());
    let mut derived = Key::default();
    derived.copy_from_slice(context.sign().as_ref());
    derived
}

/// Eight characters that tell keys from each other and nothing about them.
fn id(key: &Key) -> String {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(b"hallpass master key\0");
    context.update(key);
    let mut id = URL_SAFE_NO_PAD.encode(context.finish());
    id.truncate(8);
    id
}

fn modified(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).and_then(|data| data.modified()).ok()
}

fn read(path: &Path) -> Result<(Vec<Key>, Option<SystemTime>), MasterKeyError> {
    let io = |source| MasterKeyError::Io { path: path.to_owned(), source };
    // Asked before it is read: a change in between is noticed the next time.
    let changed = modified(path);
    let mut file = std::fs::File::open(path).map_err(io)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = file.metadata().map_err(io)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            let path = path.to_owned();
            return Err(MasterKeyError::OpenToOthers { path, mode });
        }
    }
    let mut bytes = Vec::new();
    (&mut file).take((MOST_KEYS * LENGTH) as u64 + 1).read_to_end(&mut bytes).map_err(io)?;
    let (keys, rest) = bytes.as_chunks::<LENGTH>();
    match (keys.is_empty(), rest.is_empty()) {
        (false, true) => Ok((keys.to_vec(), changed)),
        _ => Err(MasterKeyError::WrongLength { path: path.to_owned() }),
    }
}

/// Linked into its place, so that no other process ever reads half a key and the first of two makers wins.
fn create(path: &Path) -> std::io::Result<()> {
    beside(path, &[rand::random()], |beside| std::fs::hard_link(beside, path))
}

/// Renamed over its place: a crash leaves the old file or the new one.
fn replace(path: &Path, keys: &[Key]) -> std::io::Result<()> {
    beside(path, keys, |beside| std::fs::rename(beside, path))?;
    // The name has to be on disk before anything is sealed under the new key.
    if cfg!(unix) { std::fs::File::open(folder_of(path))?.sync_all() } else { Ok(()) }
}

/// The folder that a file is in. A bare name is in this one.
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Writes the file beside its place (mode 0600), and puts it there.
fn beside(path: &Path, keys: &[Key], put: impl FnOnce(&Path) -> std::io::Result<()>) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let beside = path.with_extension(format!("{}.new", crate::random::id()));
    let written = options.open(&beside).and_then(|mut file| {
        file.write_all(keys.as_flattened())?;
        file.sync_all()?;
        put(&beside)
    });
    // A link carries the file on; a name that stays behind is only litter.
    drop(std::fs::remove_file(&beside));
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_name_is_in_this_folder() {
        for (path, folder) in [("key", "."), ("./key", "."), ("a/key", "a"), ("/key", "/")] {
            assert_eq!(folder_of(Path::new(path)), Path::new(folder), "{path}");
        }
    }

    #[test]
    fn is_made_once_and_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        let made = MasterKey::load_or_create(&path).unwrap();
        let read = MasterKey::load_or_create(&path).unwrap();
        assert_eq!(made.newest(), read.newest());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn a_key_that_others_can_read_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        MasterKey::load_or_create(&path).unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        let error = MasterKey::load_or_create(&path).unwrap_err();
        assert!(matches!(error, MasterKeyError::OpenToOthers { mode: 0o640, .. }));
    }

    #[test]
    fn text_holds_a_key_a_line_the_newest_first() {
        let text = |keys: &[Key]| -> String {
            keys.iter().map(|key| format!("{}\n", STANDARD.encode(key))).collect()
        };
        let (one, two) = ([1; LENGTH], [2; LENGTH]);
        let read = |text: &str| MasterKey::from_text(&Secret::new(text));
        assert_eq!(read(&text(&[two, one])).unwrap().ids(), [id(&two), id(&one)]);
        assert_eq!(read(&URL_SAFE_NO_PAD.encode(one)).unwrap().ids(), [id(&one)]);
        let cut = STANDARD.encode([1; 31]);
        let many = text(&[one; MOST_KEYS + 1]);
        for wrong in ["", " \n", "no key", cut.as_str(), many.as_str(), &format!("{}\n{cut}", text(&[one]))] {
            let error = read(wrong).unwrap_err();
            assert!(matches!(error, MasterKeyError::Text), "{error}");
        }
    }

    #[test]
    fn a_cut_key_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        MasterKey::load_or_create(&path).unwrap();
        std::fs::write(&path, [7; 31]).unwrap();
        let error = MasterKey::load_or_create(&path).unwrap_err();
        assert!(matches!(error, MasterKeyError::WrongLength { .. }));
    }

    #[test]
    fn two_houses_never_share_a_key() {
        // Row 39: nothing secret is built in.
        let folder = tempfile::tempdir().unwrap();
        let one = MasterKey::load_or_create(&folder.path().join("one")).unwrap();
        let two = MasterKey::load_or_create(&folder.path().join("two")).unwrap();
        assert_ne!(one.newest(), two.newest());
        assert_ne!(one.client_secret_hash("s"), two.client_secret_hash("s"));
    }

    #[test]
    fn a_tenants_key_opens_nothing_of_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        let of = |tenant: &str| MasterKey::load_or_create(&path).unwrap().of_tenant(tenant);
        let (acme, whole) = (of("acme"), MasterKey::load_or_create(&path).unwrap());
        let sealed = acme.sealing("test").seal("", b"x").unwrap();
        assert_eq!(of("acme").sealing("test").open("", &sealed).unwrap(), b"x");
        assert!(of("globex").sealing("test").open("", &sealed).is_err());
        assert!(whole.sealing("test").open("", &sealed).is_err());
        assert_ne!(acme.client_secret_hash("s"), of("globex").client_secret_hash("s"));
        MasterKey::add(&path).unwrap();
        let later = SystemTime::now() + std::time::Duration::from_secs(5);
        std::fs::File::options().append(true).open(&path).unwrap().set_modified(later).unwrap();
        let by_new = of("acme").sealing("test").seal("", b"y").unwrap();
        assert_eq!(acme.sealing("test").open("", &by_new).unwrap(), b"y", "it follows the file");
        assert_eq!(of("acme").sealing("test").open("", &sealed).unwrap(), b"x");
    }

    #[test]
    fn a_new_key_seals_and_the_former_one_opens_until_it_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        let running = MasterKey::load_or_create(&path).unwrap();
        let by_old = running.sealing("test").seal("", b"x").unwrap();
        MasterKey::add(&path).unwrap();
        // Files are dated by a clock that may be coarse.
        let later = SystemTime::now() + std::time::Duration::from_secs(5);
        std::fs::File::options().append(true).open(&path).unwrap().set_modified(later).unwrap();
        let started = MasterKey::load_or_create(&path).unwrap();
        let by_new = started.sealing("test").seal("", b"y").unwrap();
        assert_eq!(started.sealing("test").open("", &by_old).unwrap(), b"x");
        assert_eq!(running.sealing("test").open("", &by_new).unwrap(), b"y", "it follows the file");
        assert_eq!(running.newest(), started.newest());
        assert_eq!(started.newest().1, 2);
        assert_eq!(MasterKey::forget_former(&path).unwrap(), 1);
        let left = MasterKey::load_or_create(&path).unwrap();
        assert_eq!(left.newest(), (started.newest().0, 1));
        assert!(left.sealing("test").open("", &by_old).is_err());
        assert_eq!(left.sealing("test").open("", &by_new).unwrap(), b"y");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
