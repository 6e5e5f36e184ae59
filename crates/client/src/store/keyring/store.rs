//! The whole document in the keyring, in pieces that every platform takes.

use std::path::PathBuf;

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{
    super::{Document, StoreError, StoreLock, TokenStore, locks::Locks},
    Keyring, KeyringError,
};

/// Windows takes 2,560 bytes an entry.
const PIECE: usize = 2048;

/// More pieces than a document of ours ever has: an index that says more is not ours.
const MOST_PIECES: usize = 4096;

/// The entry that says where the pieces are.
const INDEX: &str = "tokens";

/// Keeps everything in the operating system's keyring. Only locks are files: keyrings know none.
///
/// A write puts its pieces into the slot that is not in use and then changes the index, one entry: whoever
/// is killed in between leaves the old document as it was.
#[derive(Clone, Debug)]
pub struct KeyringStore {
    keyring: Keyring,
    locks: Locks,
}

#[derive(Debug, Serialize, Deserialize)]
struct Index {
    version: u32,
    slot: char,
    pieces: usize,
    sha256: String,
}

impl KeyringStore {
    /// A store in `keyring`, with its lock files in the folder `locks`. All processes that share the tokens have
    /// to name the same folder.
    #[must_use]
    pub fn new(keyring: Keyring, locks: impl Into<PathBuf>) -> Self {
        Self { keyring, locks: Locks::beside(locks.into().join("keyring")) }
    }

    fn index(&self) -> Result<Option<Index>, StoreError> {
        let Some(bytes) = self.keyring.get(INDEX).map_err(failed)? else { return Ok(None) };
        let index: Index = serde_json::from_slice(&bytes).map_err(|_| damaged("its index cannot be read"))?;
        if index.version > Document::VERSION {
            return Err(StoreError::Version {
                path: INDEX.into(),
                found: index.version,
                known: Document::VERSION,
            });
        }
        let sound = index.pieces <= MOST_PIECES && ['a', 'b'].contains(&index.slot);
        if sound { Ok(Some(index)) } else { Err(damaged("its index makes no sense")) }
    }

    fn document(&self, index: &Index) -> Result<Document, StoreError> {
        let mut bytes = Zeroizing::new(Vec::new());
        for number in 0..index.pieces {
            let piece = self.keyring.get(&piece_name(index.slot, number)).map_err(failed)?;
            bytes.extend_from_slice(&piece.ok_or_else(|| damaged("a piece of it is gone"))?);
        }
        if hash(&bytes) != index.sha256 {
            return Err(damaged("its pieces do not fit together"));
        }
        let document: Document =
            serde_json::from_slice(&bytes).map_err(|_| damaged("it is not a token document"))?;
        Ok(document.migrated())
    }

    fn write(&self, before: Option<&Index>, document: &Document) -> Result<(), StoreError> {
        self.keyring.ensure_lasting().map_err(failed)?;
        let bytes = Zeroizing::new(
            serde_json::to_vec(document).map_err(|_| damaged("the new document cannot be written"))?,
        );
        let slot = if before.is_some_and(|index| index.slot == 'a') { 'b' } else { 'a' };
        let pieces: Vec<_> = bytes.chunks(PIECE).collect();
        for (number, piece) in pieces.iter().enumerate() {
            self.keyring.set(&piece_name(slot, number), piece).map_err(failed)?;
        }
        let index = Index { version: Document::VERSION, slot, pieces: pieces.len(), sha256: hash(&bytes) };
        let entry = serde_json::to_vec(&index).map_err(|_| damaged("the new index cannot be written"))?;
        self.keyring.set(INDEX, &entry).map_err(failed)?;
        for number in 0..before.map_or(0, |index| index.pieces) {
            // What stays behind is overwritten by the write after the next one.
            let _ = self.keyring.delete(&piece_name(if slot == 'a' { 'b' } else { 'a' }, number));
        }
        Ok(())
    }
}

impl TokenStore for KeyringStore {
    fn read(&self) -> Result<Document, StoreError> {
        // A writer may exchange the slots while the pieces are read; the index then is another one.
        let mut tries = 3;
        loop {
            let Some(index) = self.index()? else { return Ok(Document::default()) };
            match self.document(&index) {
                Err(StoreError::Corrupted { .. }) if tries > 0 => {
                    // Not while someone writes.
                    drop(self.locks.write()?);
                    tries -= 1;
                }
                result => return result,
            }
        }
    }

    fn update(&self, change: &mut dyn FnMut(&mut Document)) -> Result<(), StoreError> {
        let _lock = self.locks.write()?;
        let index = self.index()?;
        let mut document = index.as_ref().map_or_else(|| Ok(Document::default()), |i| self.document(i))?;
        change(&mut document);
        self.write(index.as_ref(), &document)
    }

    fn try_lock(&self, name: &str) -> Result<Option<StoreLock>, StoreError> {
        self.locks.try_named(name)
    }
}

fn piece_name(slot: char, number: usize) -> String {
    format!("{INDEX}-{slot}-{number}")
}

fn hash(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, bytes))
}

fn failed(error: KeyringError) -> StoreError {
    StoreError::Keyring(error)
}

fn damaged(detail: &str) -> StoreError {
    StoreError::Corrupted { path: "(keyring)".into(), detail: detail.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::super::{
        super::document::tests::account,
        tests::{Odd, good, odd},
    };
    use super::*;

    fn store(keyring: Keyring) -> (tempfile::TempDir, KeyringStore) {
        let folder = tempfile::tempdir().unwrap();
        let store = KeyringStore::new(keyring, folder.path());
        (folder, store)
    }

    #[test]
    fn a_long_document_is_kept_in_pieces() {
        let keyring = good();
        let (_folder, store) = store(keyring.clone());
        assert_eq!(store.read().unwrap(), Document::default());
        for n in 0..40 {
            let kept = account(&format!("https://{n}.example/mcp"), "https://as", "r", 1);
            store.update(&mut |d| d.put(kept.clone())).unwrap();
        }
        assert_eq!(store.read().unwrap().accounts().len(), 40);
        let index = store.index().unwrap().unwrap();
        assert!(index.pieces > 3);
        for number in 0..index.pieces {
            assert!(keyring.get(&piece_name(index.slot, number)).unwrap().unwrap().len() <= 2560);
        }
        let other = if index.slot == 'a' { 'b' } else { 'a' };
        assert_eq!(keyring.get(&piece_name(other, 0)).unwrap(), None, "the old pieces are gone");
    }

    #[test]
    fn a_missing_or_changed_piece_is_refused_and_kept() {
        let keyring = good();
        let (_folder, store) = store(keyring.clone());
        store.update(&mut |d| d.put(account("https://a/mcp", "https://as", "r", 1))).unwrap();
        let index = keyring.get(INDEX).unwrap();
        keyring.set(&piece_name('a', 0), b"{}").unwrap();
        assert!(matches!(store.read(), Err(StoreError::Corrupted { .. })));
        assert!(matches!(store.update(&mut |_| {}), Err(StoreError::Corrupted { .. })));
        keyring.delete(&piece_name('a', 0)).unwrap();
        assert!(matches!(store.update(&mut |_| {}), Err(StoreError::Corrupted { .. })));
        assert_eq!(keyring.get(INDEX).unwrap(), index);
    }

    #[test]
    fn a_forgetful_keyring_is_given_nothing() {
        let (_folder, store) = store(odd(Odd::Forgetful));
        let refused = store.update(&mut |d| d.put(account("https://a/mcp", "https://as", "r", 1)));
        assert_eq!(refused, Err(StoreError::Keyring(KeyringError::Volatile)));
    }
}
