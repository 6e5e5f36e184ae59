//! AES-256-GCM under keys that HKDF derives, for what has to be read back from the database.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// A key for one purpose, derived from a longer-lived secret.
pub(crate) struct SealingKey(Option<LessSafeKey>);

/// What was sealed cannot be opened: another key, another row, or damage.
#[derive(Debug, thiserror::Error)]
#[error(
    "a sealed value in the database cannot be opened: it was sealed under another master key, or it is damaged"
)]
pub(crate) struct Unsealable;

impl SealingKey {
    /// RFC 5869: the secret is the input key, the purpose separates keys from each other.
    pub(crate) fn derive(secret: &[u8], purpose: &'static str) -> Self {
        let info = [b"hallpass ".as_slice(), purpose.as_bytes()];
        let key = Salt::new(HKDF_SHA256, b"hallpass sealing 1")
            .extract(secret)
            .expand(&info, &AES_256_GCM)
            .ok()
            .map(|okm| LessSafeKey::new(UnboundKey::from(okm)));
        Self(key)
    }

    /// Encrypts. The context, for example the row's name, has to be the same when opening, so that
    /// sealed values cannot be swapped between rows.
    pub(crate) fn seal(&self, context: &str, plain: &[u8]) -> Result<String, Unsealable> {
        let key = self.0.as_ref().ok_or(Unsealable)?;
        let nonce: [u8; NONCE_LEN] = rand::random();
        let mut sealed = plain.to_vec();
        key.seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(context.as_bytes()),
            &mut sealed,
        )
        .map_err(|_| Unsealable)?;
        let mut all = nonce.to_vec();
        all.append(&mut sealed);
        Ok(URL_SAFE_NO_PAD.encode(all))
    }

    /// Decrypts what [`SealingKey::seal`] made.
    pub(crate) fn open(&self, context: &str, sealed: &str) -> Result<Vec<u8>, Unsealable> {
        let key = self.0.as_ref().ok_or(Unsealable)?;
        let all = URL_SAFE_NO_PAD.decode(sealed).map_err(|_| Unsealable)?;
        let (nonce, sealed) = all.split_at_checked(NONCE_LEN).ok_or(Unsealable)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| Unsealable)?;
        let mut buffer = sealed.to_vec();
        let plain =
            key.open_in_place(nonce, Aad::from(context.as_bytes()), &mut buffer).map_err(|_| Unsealable)?;
        Ok(plain.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_with_the_same_key_and_context_only() {
        let key = SealingKey::derive(b"secret", "test");
        let sealed = key.seal("row 1", b"plain").unwrap();
        assert_eq!(key.open("row 1", &sealed).unwrap(), b"plain");
        assert!(key.open("row 2", &sealed).is_err());
        let other = SealingKey::derive(b"secret", "another purpose");
        assert!(other.open("row 1", &sealed).is_err());
        assert!(key.open("row 1", &sealed[..sealed.len() - 2]).is_err());
        assert!(key.open("row 1", "").is_err());
    }

    #[test]
    fn the_same_text_never_looks_the_same() {
        let key = SealingKey::derive(b"secret", "test");
        assert_ne!(key.seal("", b"x").unwrap(), key.seal("", b"x").unwrap());
    }
}
