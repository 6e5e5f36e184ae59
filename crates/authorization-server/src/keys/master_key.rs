//! The one key that is not in the database: 32 bytes in a file that only its owner can read.

use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::sealing::SealingKey;

const LENGTH: usize = 32;

/// The key under which secrets in the database are encrypted.
pub struct MasterKey([u8; LENGTH]);

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
        "the master key {path} can be read by others (mode {mode:o}): run `chmod 600 {path}`, and \
         if others may have read it, start with a new data folder"
    )]
    OpenToOthers {
        /// The key file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file does not hold exactly 32 bytes.
    #[error("the master key {path} is not 32 bytes long: restore it from a backup")]
    WrongLength {
        /// The key file.
        path: PathBuf,
    },
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
    pub fn from_bytes(bytes: [u8; LENGTH]) -> Self {
        Self(bytes)
    }

    /// Reads the key file, and makes it (mode 0600) where there is none.
    ///
    /// # Errors
    /// Where others than the owner have any right to the file, where it does not hold 32 bytes, and
    /// where the operating system refuses.
    pub fn load_or_create(path: &Path) -> Result<Self, MasterKeyError> {
        let io = |source| MasterKeyError::Io { path: path.to_owned(), source };
        match std::fs::File::open(path) {
            Ok(file) => Self::read(path, file),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                match Self::create(path) {
                    // Another process made it in the meantime; its key counts.
                    Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                        Self::read(path, std::fs::File::open(path).map_err(io)?)
                    }
                    made => made.map_err(io),
                }
            }
            Err(error) => Err(io(error)),
        }
    }

    fn read(path: &Path, mut file: std::fs::File) -> Result<Self, MasterKeyError> {
        let io = |source| MasterKeyError::Io { path: path.to_owned(), source };
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = file.metadata().map_err(io)?.permissions().mode() & 0o777;
            if mode & 0o077 != 0 {
                let path = path.to_owned();
                return Err(MasterKeyError::OpenToOthers { path, mode });
            }
        }
        let mut bytes = Vec::with_capacity(LENGTH);
        (&mut file).take(LENGTH as u64 + 1).read_to_end(&mut bytes).map_err(io)?;
        let bytes = bytes.try_into().map_err(|_| MasterKeyError::WrongLength { path: path.to_owned() })?;
        Ok(Self(bytes))
    }

    /// Written beside its place and linked into it, so that no other process ever reads half a key.
    fn create(path: &Path) -> std::io::Result<Self> {
        let key = Self(rand::random());
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let beside = path.with_extension(format!("{}.new", crate::random::id()));
        let written = options.open(&beside).and_then(|mut file| {
            file.write_all(&key.0)?;
            file.sync_all()?;
            std::fs::hard_link(&beside, path)
        });
        // The link carries the key on; a name that stays behind is only litter.
        drop(std::fs::remove_file(&beside));
        written.map(|()| key)
    }

    /// The key that encrypts rows of this kind.
    pub(crate) fn sealing(&self, kind: &'static str) -> SealingKey {
        SealingKey::derive(&self.0, kind)
    }

    /// The keyed hash that is stored of a client secret: operators choose short ones, and the
    /// database alone must not be enough to guess them.
    pub(crate) fn client_secret_hash(&self, secret: &str) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.0);
        let mut context = hmac::Context::with_key(&key);
        context.update(b"hallpass client secret\0");
        context.update(secret.as_bytes());
        URL_SAFE_NO_PAD.encode(context.sign())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_made_once_and_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        let made = MasterKey::load_or_create(&path).unwrap();
        let read = MasterKey::load_or_create(&path).unwrap();
        assert_eq!(made.0, read.0);
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
        assert_ne!(one.0, two.0);
        assert_ne!(one.client_secret_hash("s"), two.client_secret_hash("s"));
    }
}
