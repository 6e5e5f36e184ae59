//! The operating system's keyring, with a time limit.
//!
//! | system | keyring |
//! |---|---|
//! | Linux | the Secret Service (GNOME Keyring, KWallet, KeePassXC) |
//! | macOS | the Keychain |
//! | Windows | the Credential Manager |
//!
//! A Linux machine without a desktop may have none, or one that waits for ever for somebody to unlock it.
//! So each call runs on a thread of its own that may be left behind.

mod store;

pub use store::KeyringStore;

use std::{
    fmt,
    sync::{Arc, OnceLock, mpsc},
    thread,
    time::Duration,
};

use keyring_core::{CredentialPersistence, CredentialStore, Error as CoreError};
use zeroize::Zeroizing;

/// How long a keyring may take: enough to answer, not enough for a person to find a dialog behind a window.
const LIMIT: Duration = Duration::from_secs(5);

/// A keyring, or the promise to look for one.
#[derive(Clone)]
pub struct Keyring {
    service: String,
    limit: Duration,
    store: Arc<OnceLock<Arc<CredentialStore>>>,
}

/// Why a keyring is of no use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyringError {
    /// It said so itself, or there is none.
    #[error("the keyring cannot be used: {0}")]
    Unusable(String),
    /// It said nothing.
    #[error("the keyring did not answer within {0:?}; it may be locked, or wait for a dialog")]
    Silent(Duration),
    /// It would lose what it is given.
    #[error("the keyring forgets what it is given when the session or the machine ends")]
    Volatile,
}

impl Keyring {
    /// The operating system's, with entries under the name `service`.
    #[must_use]
    pub fn system(service: impl Into<String>) -> Self {
        Self { service: service.into(), limit: LIMIT, store: Arc::default() }
    }

    /// Any other credential store.
    #[must_use]
    pub fn other(service: impl Into<String>, store: Arc<CredentialStore>) -> Self {
        let keyring = Self::system(service);
        // The cell is new, so this cannot fail.
        let _ = keyring.store.set(store);
        keyring
    }

    /// How long one call may take; 5 s unless set.
    #[must_use]
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// The secret of that name.
    pub(super) fn get(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, KeyringError> {
        let (service, name) = (self.service.clone(), name.to_owned());
        self.ask(move |store| match store.build(&service, &name, None)?.get_secret() {
            Ok(secret) => Ok(Some(Zeroizing::new(secret))),
            Err(CoreError::NoEntry) => Ok(None),
            Err(error) => Err(error),
        })
    }

    /// Keeps a secret.
    pub(super) fn set(&self, name: &str, secret: &[u8]) -> Result<(), KeyringError> {
        let (service, name, secret) =
            (self.service.clone(), name.to_owned(), Zeroizing::new(secret.to_vec()));
        self.ask(move |store| store.build(&service, &name, None)?.set_secret(&secret))
    }

    /// Forgets a secret.
    pub(super) fn delete(&self, name: &str) -> Result<(), KeyringError> {
        let (service, name) = (self.service.clone(), name.to_owned());
        self.ask(move |store| match store.build(&service, &name, None)?.delete_credential() {
            Err(CoreError::NoEntry) => Ok(()),
            done => done,
        })
    }

    /// Fails for a keyring that loses its contents by design.
    pub(super) fn ensure_lasting(&self) -> Result<(), KeyringError> {
        let lasts = self.ask(|store| {
            let persistence = store.persistence();
            Ok(matches!(persistence, CredentialPersistence::UntilDelete | CredentialPersistence::Unspecified))
        })?;
        if lasts { Ok(()) } else { Err(KeyringError::Volatile) }
    }

    fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce(&CredentialStore) -> keyring_core::Result<T> + Send + 'static,
    ) -> Result<T, KeyringError> {
        let (answer, answered) = mpsc::sync_channel(1);
        let cell = Arc::clone(&self.store);
        let asking = thread::Builder::new().name("keyring".into()).spawn(move || {
            let result = open(&cell).and_then(|store| work(&*store));
            // Nobody may be waiting any more.
            let _ = answer.send(result.map_err(|error| reason(&error)));
        });
        asking.map_err(|error| KeyringError::Unusable(error.to_string()))?;
        match answered.recv_timeout(self.limit) {
            Ok(result) => result.map_err(KeyringError::Unusable),
            Err(mpsc::RecvTimeoutError::Timeout) => Err(KeyringError::Silent(self.limit)),
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                Err(KeyringError::Unusable("it broke while it was asked".into()))
            }
        }
    }
}

fn open(cell: &OnceLock<Arc<CredentialStore>>) -> keyring_core::Result<Arc<CredentialStore>> {
    if let Some(store) = cell.get() {
        return Ok(Arc::clone(store));
    }
    let store = system_store()?;
    Ok(Arc::clone(cell.get_or_init(|| store)))
}

#[cfg(target_os = "linux")]
fn system_store() -> keyring_core::Result<Arc<CredentialStore>> {
    Ok(zbus_secret_service_keyring_store::Store::new()?)
}

#[cfg(target_os = "macos")]
fn system_store() -> keyring_core::Result<Arc<CredentialStore>> {
    Ok(apple_native_keyring_store::keychain::Store::new()?)
}

#[cfg(windows)]
fn system_store() -> keyring_core::Result<Arc<CredentialStore>> {
    Ok(windows_native_keyring_store::Store::new()?)
}

#[cfg(not(any(target_os = "linux", target_os = "macos", windows)))]
fn system_store() -> keyring_core::Result<Arc<CredentialStore>> {
    Err(CoreError::NotSupportedByStore("this operating system has no keyring that is known here".into()))
}

/// Without the variants that carry the secret itself.
fn reason(error: &CoreError) -> String {
    match error {
        CoreError::BadEncoding(_) | CoreError::BadDataFormat(..) => "an entry cannot be read".to_owned(),
        other => other.to_string(),
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring").field("service", &self.service).finish_non_exhaustive()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::{any::Any, collections::HashMap};

    use keyring_core::{Entry, api::CredentialStoreApi, mock};

    use super::*;

    /// A keyring that behaves as some do.
    #[derive(Debug)]
    pub(in crate::store) enum Odd {
        /// Waits for a dialog that nobody sees.
        Hanging,
        /// Ends with the session.
        Forgetful,
    }

    impl CredentialStoreApi for Odd {
        fn vendor(&self) -> String {
            "test".into()
        }

        fn id(&self) -> String {
            "test".into()
        }

        fn build(
            &self,
            service: &str,
            user: &str,
            modifiers: Option<&HashMap<&str, &str>>,
        ) -> keyring_core::Result<Entry> {
            mock::Store::new()?.build(service, user, modifiers)
        }

        fn as_any(&self) -> &dyn Any {
            self
        }

        fn persistence(&self) -> CredentialPersistence {
            match self {
                Self::Hanging => loop {
                    thread::park();
                },
                Self::Forgetful => CredentialPersistence::UntilReboot,
            }
        }
    }

    pub(in crate::store) fn odd(odd: Odd) -> Keyring {
        Keyring::other("test", Arc::new(odd)).time_limit(Duration::from_millis(20))
    }

    /// A keyring in memory that says of itself that it lasts.
    pub(in crate::store) fn good() -> Keyring {
        Keyring::other("test", Arc::new(Lasting(mock::Store::new().unwrap())))
    }

    #[derive(Debug)]
    struct Lasting(Arc<mock::Store>);

    impl CredentialStoreApi for Lasting {
        fn vendor(&self) -> String {
            self.0.vendor()
        }

        fn id(&self) -> String {
            self.0.id()
        }

        fn build(
            &self,
            service: &str,
            user: &str,
            modifiers: Option<&HashMap<&str, &str>>,
        ) -> keyring_core::Result<Entry> {
            self.0.build(service, user, modifiers)
        }

        fn as_any(&self) -> &dyn Any {
            self
        }
    }

    #[test]
    fn a_hanging_keyring_is_left_behind() {
        assert!(matches!(odd(Odd::Hanging).ensure_lasting(), Err(KeyringError::Silent(_))));
    }

    #[test]
    fn a_volatile_keyring_is_noticed() {
        assert_eq!(odd(Odd::Forgetful).ensure_lasting(), Err(KeyringError::Volatile));
    }

    #[test]
    fn a_secret_is_kept_given_back_and_forgotten() {
        let keyring = good();
        assert_eq!(keyring.get("a").unwrap(), None);
        keyring.set("a", b"secret").unwrap();
        assert_eq!(**keyring.get("a").unwrap().unwrap(), *b"secret");
        keyring.delete("a").unwrap();
        keyring.delete("a").unwrap();
        assert_eq!(keyring.get("a").unwrap(), None);
    }
}
