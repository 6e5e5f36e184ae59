//! What an operator does with users, from the command line or elsewhere.

use hallpass_protocol::secret::Secret;

use super::password::{check_strength, hash};
use super::{UserName, UserNameError, WeakPassword};
use crate::store::{Store, StoreError, User};

/// Adds, lists, disables and removes users. Works on a bare store, while a server runs on it too; the server
/// notices within a second.
#[derive(Clone, Debug)]
pub struct Users(Store);

/// Why a user cannot be added.
#[derive(Debug, thiserror::Error)]
pub enum AddUserError {
    /// The name cannot be had.
    #[error(transparent)]
    Name(#[from] UserNameError),
    /// The password cannot be had.
    #[error(transparent)]
    Password(#[from] WeakPassword),
    /// The name is taken.
    #[error("there is a user with this name already (upper and lower case count as the same)")]
    Taken,
    /// The password could not be hashed.
    #[error("the password could not be hashed: is there enough memory?")]
    Hash,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Users {
    pub(crate) fn new(store: Store) -> Self {
        Self(store)
    }

    /// Adds a user, and says its id: the `sub` of its tokens.
    ///
    /// # Errors
    /// One variant of [`AddUserError`] for each rule.
    pub async fn add(&self, name: &str, password: Secret) -> Result<String, AddUserError> {
        let name = UserName::parse(name)?;
        check_strength(&password)?;
        let hash = hash(password).await.map_err(|_| AddUserError::Hash)?;
        let id = crate::random::id();
        match self.0.insert_user(&id, &name.shown, &name.key, &hash).await? {
            true => Ok(id),
            false => Err(AddUserError::Taken),
        }
    }

    /// All users, by name.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn list(&self) -> Result<Vec<User>, StoreError> {
        self.0.list_users().await
    }

    /// How many users there are.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn count(&self) -> Result<u64, StoreError> {
        self.0.count_users().await
    }

    /// Disables a user: no more logins, and every session, grant and token ends. False where nobody has the name.
    ///
    /// # Errors
    /// Where the store fails; then nothing was done.
    pub async fn disable(&self, name: &str) -> Result<bool, StoreError> {
        match UserName::parse(name) {
            Ok(name) => self.0.disable_user(&name.key).await,
            Err(_) => Ok(false),
        }
    }

    /// Removes a user with all that hangs on it. False where nobody has the name.
    ///
    /// # Errors
    /// Where the store fails; then nothing was done.
    pub async fn remove(&self, name: &str) -> Result<bool, StoreError> {
        match UserName::parse(name) {
            Ok(name) => self.0.remove_user(&name.key).await,
            Err(_) => Ok(false),
        }
    }
}
