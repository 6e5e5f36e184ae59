//! AES-256-GCM under keys that HKDF derives, for what has to be read back from the database.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// A key for one purpose, derived from a longer-lived secret; or several, the newest first, of which that one seals and
/// each opens what it has sealed.
pub(crate) struct SealingKey(Vec<Derived>);

struct Derived {
    /// Which of several secrets it comes from; stands before what it seals.
    id: Option<String>,
    key: Option<LessSafeKey>,
}

/// Parts a key's id from what it sealed. Neither has a dot.
const SEPARATOR: char = '.';

/// What was sealed cannot be opened: another key, another row, or damage.
#[derive(Debug, thiserror::Error)]
#[error(
    "a sealed value in the database cannot be opened: it was sealed under another master key, or it is damaged; put \
     the master.key that belongs to this database into the data folder"
)]
pub(crate) struct Unsealable;

impl SealingKey {
    /// A key from the one secret that there is.
    pub(crate) fn derive(secret: &[u8], purpose: &'static str) -> Self {
        Self(vec![Derived { id: None, key: derive(secret, purpose) }])
    }

    /// Keys from secrets that take turns, the newest first, each with the id that tells it from the others.
    pub(super) fn derive_each<'a>(
        secrets: impl Iterator<Item = (String, &'a [u8])>,
        purpose: &'static str,
    ) -> Self {
        Self(secrets.map(|(id, secret)| Derived { id: Some(id), key: derive(secret, purpose) }).collect())
    }

    /// Encrypts. The context, for example the row's name, has to be the same when opening, so that
    /// sealed values cannot be swapped between rows.
    pub(crate) fn seal(&self, context: &str, plain: &[u8]) -> Result<String, Unsealable> {
        let newest = self.0.first().ok_or(Unsealable)?;
        let key = newest.key.as_ref().ok_or(Unsealable)?;
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
        let all = URL_SAFE_NO_PAD.encode(all);
        Ok(match &newest.id {
            Some(id) => format!("{id}{SEPARATOR}{all}"),
            None => all,
        })
    }

    /// Decrypts what [`SealingKey::seal`] made. What has no key's id before it was sealed before there were ids: any key
    /// may have done it.
    pub(crate) fn open(&self, context: &str, sealed: &str) -> Result<Vec<u8>, Unsealable> {
        let (id, sealed) = match sealed.split_once(SEPARATOR) {
            Some((id, sealed)) => (Some(id), sealed),
            None => (None, sealed),
        };
        let mut able = self.0.iter().filter(|derived| id.is_none() || derived.id.as_deref() == id);
        able.find_map(|derived| derived.open(context, sealed).ok()).ok_or(Unsealable)
    }
}

/// RFC 5869: the secret is the input key, the purpose separates keys from each other.
fn derive(secret: &[u8], purpose: &'static str) -> Option<LessSafeKey> {
    let info = [b"hallpass ".as_slice(), purpose.as_bytes()];
    Salt::new(HKDF_SHA256, b"hallpass sealing 1")
        .extract(secret)
        .expand(&info, &AES_256_GCM)
        .ok()
        .map(|okm| LessSafeKey::new(UnboundKey::from(okm)))
}

impl Derived {
    fn open(&self, context: &str, sealed: &str) -> Result<Vec<u8>, Unsealable> {
        let key = self.key.as_ref().ok_or(Unsealable)?;
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
    fn the_newest_seals_and_each_opens_its_own() {
        let keys = |secrets: &[&'static str]| {
            SealingKey::derive_each(secrets.iter().map(|s| ((*s).to_owned(), s.as_bytes())), "test")
        };
        let (old, both, new) = (keys(&["one"]), keys(&["two", "one"]), keys(&["two"]));
        let (by_old, by_new) = (old.seal("", b"x").unwrap(), both.seal("", b"y").unwrap());
        assert!(by_old.starts_with("one.") && by_new.starts_with("two."));
        assert_eq!(both.open("", &by_old).unwrap(), b"x");
        assert_eq!(new.open("", &by_new).unwrap(), b"y");
        assert!(new.open("", &by_old).is_err() && old.open("", &by_new).is_err());
        // An id is no more than a hint: the key decides.
        assert!(both.open("", &by_old.replace("one.", "two.")).is_err());
        // Sealed before there were ids.
        assert_eq!(both.open("", &SealingKey::derive(b"one", "test").seal("", b"z").unwrap()).unwrap(), b"z");
    }

    #[test]
    fn the_same_text_never_looks_the_same() {
        let key = SealingKey::derive(b"secret", "test");
        assert_ne!(key.seal("", b"x").unwrap(), key.seal("", b"x").unwrap());
    }
}
