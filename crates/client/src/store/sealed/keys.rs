//! Finding the key of a file, and choosing one for a new file.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hallpass_protocol::secret::Secret;

use super::{
    super::{Keyring, Protection, locks::with_suffix},
    Key, KeySource, key_file,
    source::Derivation,
};

/// The keys of one token file, and the wish for the next write.
pub(in crate::store) struct Keys {
    key_file: PathBuf,
    protection: Protection,
    passphrase: Option<Secret>,
    keyring: Keyring,
    /// A derivation takes half a second and a keyring may ask a person: once is enough.
    known: Mutex<HashMap<KeySource, Key>>,
}

impl Keys {
    pub(in crate::store) fn new(
        file: &Path,
        protection: Protection,
        passphrase: Option<Secret>,
        keyring: Keyring,
    ) -> Self {
        let passphrase = passphrase.filter(|words| !words.expose().is_empty());
        let key_file = with_suffix(file, ".key");
        Self { key_file, protection, passphrase, keyring, known: Mutex::default() }
    }

    /// The key of a file that exists. None is ever made here: the file would then be lost.
    pub(in crate::store) fn of(&self, source: &KeySource) -> Result<Key, String> {
        if let Some(key) = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(source) {
            return Ok(key.clone());
        }
        let key = match source {
            KeySource::File => key_file::read(&self.key_file)?
                .ok_or_else(|| format!("its key {} is gone", self.key_file.display()))?,
            KeySource::Keyring { id } => self.keyring_key(id)?,
            KeySource::Passphrase(derivation) => derivation.derive(self.passphrase()?)?,
        };
        Ok(self.remember(source, key))
    }

    /// The key for the next write; `now` is where the key of the present file is. `None` is for plain text.
    pub(in crate::store) fn for_writing(
        &self,
        now: Option<&KeySource>,
    ) -> Result<Option<(KeySource, Key)>, String> {
        let kept = now.filter(|source| match source {
            _ if self.protection == Protection::Automatic => true,
            KeySource::File => self.protection == Protection::KeyFile,
            KeySource::Keyring { .. } => self.protection == Protection::Keyring,
            KeySource::Passphrase(_) => self.protection == Protection::Passphrase,
        });
        if let Some(source) = kept {
            return Ok(Some((source.clone(), self.of(source)?)));
        }
        match self.protection {
            Protection::Plain => Ok(None),
            Protection::KeyFile => self.in_file().map(Some),
            Protection::Keyring => self.in_keyring().map(Some),
            Protection::Passphrase => self.by_passphrase().map(Some),
            Protection::Automatic if self.passphrase.is_some() => self.by_passphrase().map(Some),
            Protection::Automatic => match self.in_keyring() {
                Ok(made) => Ok(Some(made)),
                Err(why) => {
                    tracing::debug!(%why, "no keyring for the token file's key; it gets a key file");
                    self.in_file().map(Some)
                }
            },
        }
    }

    fn in_file(&self) -> Result<(KeySource, Key), String> {
        let key = key_file::read_or_make(&self.key_file)?;
        Ok((KeySource::File, self.remember(&KeySource::File, key)))
    }

    fn in_keyring(&self) -> Result<(KeySource, Key), String> {
        let id = format!("token-file-{}", URL_SAFE_NO_PAD.encode(rand::random::<[u8; 12]>()));
        let key = Key::new(rand::random());
        self.keyring.ensure_lasting().map_err(|error| error.to_string())?;
        self.keyring.set(&id, key.as_slice()).map_err(|error| error.to_string())?;
        // Some keyrings take everything and keep nothing: only what comes back counts.
        if self.keyring_key(&id)? != key {
            return Err("the keyring did not give back what it was given".into());
        }
        let source = KeySource::Keyring { id };
        let key = self.remember(&source, key);
        Ok((source, key))
    }

    fn keyring_key(&self, id: &str) -> Result<Key, String> {
        let found = self.keyring.get(id).map_err(|error| error.to_string())?;
        let bytes = found.ok_or_else(|| format!("its key `{id}` is not in the keyring any more"))?;
        let key = bytes.as_slice().try_into().map_err(|_| format!("the keyring's `{id}` is not a key"))?;
        Ok(Key::new(key))
    }

    fn by_passphrase(&self) -> Result<(KeySource, Key), String> {
        let derivation = Derivation::fresh();
        let key = derivation.derive(self.passphrase()?)?;
        let source = KeySource::Passphrase(derivation);
        let key = self.remember(&source, key);
        Ok((source, key))
    }

    fn passphrase(&self) -> Result<&Secret, String> {
        self.passphrase.as_ref().ok_or_else(|| {
            "its key comes from a passphrase, and none was given (HALLPASS_PASSPHRASE)".to_owned()
        })
    }

    fn remember(&self, source: &KeySource, key: Key) -> Key {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(source.clone(), key.clone());
        key
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys").field("protection", &self.protection).finish_non_exhaustive()
    }
}
