//! Where the key of an encrypted file is. Written beside the ciphertext, in the clear.

use argon2::{Algorithm, Argon2, Params, Version};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hallpass_protocol::secret::Secret;
use serde::{Deserialize, Serialize};

use super::Key;

/// RFC 9106 §4, the second recommended option, with one lane: half a second that a thief pays for each guess.
const MEMORY_KIB: u32 = 64 * 1024;
const PASSES: u32 = 3;

/// The most that a file may ask for: it could have been written by someone who wants the memory.
const MOST_MEMORY_KIB: u32 = 256 * 1024;
const MOST_PASSES: u32 = 16;

/// Where the key is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "from", rename_all = "kebab-case")]
pub(in crate::store) enum KeySource {
    /// In the key file beside the token file.
    File,
    /// In the operating system's keyring, under this name.
    Keyring {
        /// The entry's name.
        id: String,
    },
    /// In a person's head, or a secret of the environment.
    Passphrase(Derivation),
}

/// How a passphrase becomes a key: argon2id, version 0x13, one lane.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(in crate::store) struct Derivation {
    salt: String,
    memory_kib: u32,
    passes: u32,
}

impl Derivation {
    /// With a salt of its own.
    pub(super) fn fresh() -> Self {
        let salt = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 16]>());
        Self { salt, memory_kib: MEMORY_KIB, passes: PASSES }
    }

    /// The key, or why there is none.
    pub(super) fn derive(&self, passphrase: &Secret) -> Result<Key, String> {
        if self.memory_kib > MOST_MEMORY_KIB || self.passes > MOST_PASSES {
            return Err("it asks for more memory or time than a key derivation needs".into());
        }
        let params = Params::new(self.memory_kib, self.passes, 1, None).map_err(|e| e.to_string())?;
        let salt = URL_SAFE_NO_PAD.decode(&self.salt).map_err(|_| "its salt is not base64url".to_owned())?;
        let mut key = Key::new([0; 32]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(passphrase.expose().as_bytes(), &salt, key.as_mut_slice())
            .map_err(|error| error.to_string())?;
        Ok(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cheap(salt: &str) -> Derivation {
        Derivation { salt: salt.into(), memory_kib: 8, passes: 1 }
    }

    #[test]
    fn a_key_depends_on_passphrase_and_salt() {
        let derive = |salt: &str, passphrase: &str| cheap(salt).derive(&Secret::new(passphrase)).unwrap();
        let one = derive("AAAAAAAAAAAAAAAAAAAAAA", "a");
        assert_eq!(one, derive("AAAAAAAAAAAAAAAAAAAAAA", "a"));
        assert_ne!(one, derive("AAAAAAAAAAAAAAAAAAAAAA", "b"));
        assert_ne!(one, derive("BAAAAAAAAAAAAAAAAAAAAA", "a"));
        assert_ne!(Derivation::fresh(), Derivation::fresh());
    }

    #[test]
    fn a_file_cannot_ask_for_all_memory() {
        let greedy = Derivation { memory_kib: u32::MAX, ..cheap("AAAAAAAAAAAAAAAAAAAAAA") };
        assert!(greedy.derive(&Secret::new("a")).is_err());
    }
}
