//! The encrypted form of a document: AES-256-GCM, and a word on where the key is.

mod key_file;
mod keys;
mod source;

pub(super) use keys::Keys;
pub(super) use source::KeySource;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// A key for AES-256.
pub(super) type Key = Zeroizing<[u8; 32]>;

/// The registered name of the algorithm (RFC 7518 §5.3).
const ALGORITHM: &str = "A256GCM";

/// What a file holds in place of a document.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Envelope {
    version: u32,
    encryption: String,
    pub(super) key: KeySource,
    nonce: String,
    ciphertext: String,
}

/// Why an envelope cannot be opened.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Sealed {
    /// Not an envelope of ours.
    Damaged(&'static str),
    /// The key does not fit, or something was changed: the algorithm cannot tell these apart.
    Refused,
}

impl Envelope {
    /// Encrypts. A fresh random nonce for each write: a person's tokens are written far less often than the
    /// 2^32 times that NIST SP 800-38D §8.3 allows for one key.
    pub(super) fn seal(version: u32, source: KeySource, key: &Key, plain: &[u8]) -> Option<Self> {
        let nonce: [u8; NONCE_LEN] = rand::random();
        let mut buffer = plain.to_vec();
        cipher(key)?
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(bound(version, &source)),
                &mut buffer,
            )
            .ok()?;
        Some(Self {
            version,
            encryption: ALGORITHM.to_owned(),
            key: source,
            nonce: URL_SAFE_NO_PAD.encode(nonce),
            ciphertext: URL_SAFE_NO_PAD.encode(buffer),
        })
    }

    /// Decrypts.
    pub(super) fn open(&self, key: &Key) -> Result<Zeroizing<Vec<u8>>, Sealed> {
        if self.encryption != ALGORITHM {
            return Err(Sealed::Damaged("its encryption is not A256GCM"));
        }
        let decode =
            |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| Sealed::Damaged("it is not base64url"));
        let nonce = Nonce::try_assume_unique_for_key(&decode(&self.nonce)?)
            .map_err(|_| Sealed::Damaged("its nonce has a wrong length"))?;
        let mut buffer = Zeroizing::new(decode(&self.ciphertext)?);
        let length = cipher(key)
            .ok_or(Sealed::Refused)?
            .open_in_place(nonce, Aad::from(bound(self.version, &self.key)), &mut buffer)
            .map_err(|_| Sealed::Refused)?
            .len();
        buffer.truncate(length);
        Ok(buffer)
    }
}

fn cipher(key: &Key) -> Option<LessSafeKey> {
    UnboundKey::new(&AES_256_GCM, key.as_slice()).ok().map(LessSafeKey::new)
}

/// What is authenticated along: neither the version nor the source of the key can be exchanged.
fn bound(version: u32, source: &KeySource) -> Vec<u8> {
    let source = serde_json::to_string(source).unwrap_or_default();
    format!("hallpass token store {version} {source}").into_bytes()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seal(key: &Key, plain: &[u8]) -> Envelope {
        Envelope::seal(2, KeySource::File, key, plain).unwrap()
    }

    proptest! {
        #[test]
        fn what_was_sealed_is_opened(plain: Vec<u8>, key: [u8; 32]) {
            let key = Key::new(key);
            prop_assert_eq!(&*seal(&key, &plain).open(&key).unwrap(), &plain);
        }
    }

    #[test]
    fn no_part_can_be_exchanged() {
        let key = Key::new([7; 32]);
        type Change = fn(&mut Envelope);
        let changes: [(&str, Change); 5] = [
            ("version", |e| e.version = 1),
            ("source", |e| e.key = KeySource::Keyring { id: "other".into() }),
            ("nonce", |e| e.nonce = URL_SAFE_NO_PAD.encode([0; NONCE_LEN])),
            ("ciphertext", |e| e.ciphertext = e.ciphertext.replacen(|_| true, "_", 1)),
            ("truncation", |e| e.ciphertext.truncate(8)),
        ];
        for (what, change) in changes {
            let mut envelope = seal(&key, b"tokens");
            while what == "ciphertext" && envelope.ciphertext.starts_with('_') {
                envelope = seal(&key, b"tokens");
            }
            change(&mut envelope);
            assert_eq!(envelope.open(&key), Err(Sealed::Refused), "{what}");
        }
        assert_eq!(seal(&key, b"tokens").open(&Key::new([8; 32])), Err(Sealed::Refused), "another key");
    }

    #[test]
    fn the_same_tokens_never_look_the_same() {
        let key = Key::new([7; 32]);
        assert_ne!(seal(&key, b"tokens").ciphertext, seal(&key, b"tokens").ciphertext);
    }
}
