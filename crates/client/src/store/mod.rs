//! Where tokens and registrations are kept.
//!
//! A store keeps one [`Document`] and knows nothing of OAuth: what is in the document, and how it may
//! change, is decided there. A store promises three things: [`TokenStore::update`] is atomic, also
//! between processes; what `update` returned from is still there after a crash; and a lock taken by
//! [`TokenStore::try_lock`] is freed when its holder dies.

pub(crate) mod document;
mod file;
mod keyring;
mod locks;
mod memory;
mod protection;
mod replace;
mod sealed;

pub use document::{Account, AccountKey, Document, Registration, TokenEndpointAuth};
pub use file::FileStore;
pub use keyring::{Keyring, KeyringError, KeyringStore};
pub use memory::MemoryStore;
pub use protection::{Protection, UnknownProtection};

use std::path::PathBuf;

/// Why a store could not be read or written. Nothing was changed in any of these cases.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The file system said no.
    #[error(
        "the token store {path} cannot be {action}: {detail}. Check the folder's permissions and free space"
    )]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was tried, as a participle: `read`, `written`.
        action: &'static str,
        /// What the operating system answered.
        detail: String,
    },
    /// The file is not a document of ours. It is left as it is, so that nothing is lost.
    #[error(
        "the token store {path} is damaged ({detail}) and was left untouched. Repair it, or move it away and log in again"
    )]
    Corrupted {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, without its contents.
        detail: String,
    },
    /// The file was written by a newer version of hallpass.
    #[error(
        "the token store {path} has format version {found}, and this hallpass reads up to {known}. Use a newer hallpass"
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// The version in the file.
        found: u32,
        /// The newest version this code reads.
        known: u32,
    },
    /// The file is encrypted, and its key is not to be had, or does not fit.
    #[error(
        "the token store {path} cannot be opened: {detail}. It was left untouched; give it its key back, or move it away and log in again"
    )]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong with the key.
        detail: String,
    },
    /// The operating system's keyring.
    #[error("{0}. Unlock it, or keep tokens in an encrypted file")]
    Keyring(KeyringError),
}

/// A place to keep the [`Document`]. All methods may block for as long as a small file takes.
///
/// One of one's own keeps the document as JSON, wherever that may be:
///
/// ```
/// use std::sync::{Arc, Mutex, PoisonError};
///
/// use hallpass_client::{Client, store::{Document, MemoryStore, StoreError, StoreLock, TokenStore}};
///
/// /// A column of some database, with locks that this process alone knows.
/// #[derive(Clone, Default)]
/// struct Column { json: Arc<Mutex<Option<String>>>, locks: MemoryStore }
///
/// impl Column {
///     fn damaged(error: serde_json::Error) -> StoreError {
///         StoreError::Corrupted { path: "the column".into(), detail: error.to_string() }
///     }
/// }
///
/// impl TokenStore for Column {
///     fn read(&self) -> Result<Document, StoreError> {
///         match &*self.json.lock().unwrap_or_else(PoisonError::into_inner) {
///             Some(json) => serde_json::from_str(json).map_err(Self::damaged),
///             None => Ok(Document::default()),
///         }
///     }
///
///     fn update(&self, change: &mut dyn FnMut(&mut Document)) -> Result<(), StoreError> {
///         let mut json = self.json.lock().unwrap_or_else(PoisonError::into_inner);
///         let mut document = match &*json {
///             Some(json) => serde_json::from_str(json).map_err(Self::damaged)?,
///             None => Document::default(),
///         };
///         change(&mut document);
///         *json = Some(serde_json::to_string(&document).map_err(Self::damaged)?);
///         Ok(())
///     }
///
///     fn try_lock(&self, name: &str) -> Result<Option<StoreLock>, StoreError> {
///         self.locks.try_lock(name)
///     }
/// }
///
/// let store = Column::default();
/// store.update(&mut |_| {})?;
/// assert!(store.read()?.accounts().is_empty());
/// let held = store.try_lock("a")?;
/// assert!(held.is_some() && store.try_lock("a")?.is_none());
/// Client::builder("https://mcp.example.com/mcp")?.store(store).build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait TokenStore: Send + Sync + 'static {
    /// The document as it is now.
    ///
    /// # Errors
    /// When it cannot be read, or is not ours.
    fn read(&self) -> Result<Document, StoreError>;

    /// Reads, applies `change`, and writes, with no other writer in between. Durable on return.
    ///
    /// # Errors
    /// When it cannot be read or written. The stored document is then unchanged.
    fn update(&self, change: &mut dyn FnMut(&mut Document)) -> Result<(), StoreError>;

    /// Takes the named lock if it is free, across all processes that use this store.
    ///
    /// # Errors
    /// When locks cannot be taken here at all.
    fn try_lock(&self, name: &str) -> Result<Option<StoreLock>, StoreError>;
}

/// A held lock. Dropping it frees the lock, and so does the death of the process.
pub struct StoreLock {
    _held: Box<dyn Send + Sync>,
}

impl StoreLock {
    /// Wraps whatever frees the lock when dropped.
    pub fn new(held: impl Send + Sync + 'static) -> Self {
        Self { _held: Box::new(held) }
    }
}

impl std::fmt::Debug for StoreLock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StoreLock")
    }
}
