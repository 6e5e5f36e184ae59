//! What an operator does with users, from the command line or elsewhere.

use std::time::Duration;

use hallpass_protocol::secret::Secret;
use url::Url;

use super::password::{check_strength, hash, unknown_password};
use super::{UserName, UserNameError, WeakPassword};
use crate::random::{digest, token};
use crate::store::{Store, StoreError, User};

/// How long a link that sets a password works.
pub(crate) const LINK_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

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

/// Why a password cannot be set.
#[derive(Debug, thiserror::Error)]
pub enum SetPasswordError {
    /// Nobody has the name.
    #[error("there is no user with this name")]
    NoUser,
    /// The password cannot be had.
    #[error(transparent)]
    Password(#[from] WeakPassword),
    /// The password could not be hashed.
    #[error("the password could not be hashed: is there enough memory?")]
    Hash,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why there is no link.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// Nobody has the name.
    #[error("there is no user with this name who may log in")]
    NoUser,
    /// Nobody knows what the link would begin with.
    #[error(
        "no server has run on this data yet, so its address is not known: start `hallpass serve` once, then make the link"
    )]
    NeverServed,
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

    /// Adds a user without a password, for whom [`Users::link`] makes a link to set one, and says its id.
    ///
    /// # Errors
    /// One variant of [`AddUserError`] for each rule.
    pub async fn add_without_password(&self, name: &str) -> Result<String, AddUserError> {
        let name = UserName::parse(name)?;
        let id = crate::random::id();
        match self.0.insert_user(&id, &name.shown, &name.key, &unknown_password()).await? {
            true => Ok(id),
            false => Err(AddUserError::Taken),
        }
    }

    /// Sets another password. The user's sessions end; what apps were granted stays.
    ///
    /// # Errors
    /// One variant of [`SetPasswordError`] for each rule.
    pub async fn set_password(&self, name: &str, password: Secret) -> Result<(), SetPasswordError> {
        let name = UserName::parse(name).map_err(|_| SetPasswordError::NoUser)?;
        check_strength(&password)?;
        let hash = hash(password).await.map_err(|_| SetPasswordError::Hash)?;
        match self.0.set_password(&name.key, &hash).await? {
            true => Ok(()),
            false => Err(SetPasswordError::NoUser),
        }
    }

    /// Makes a link under which the user sets a password, once and within a day; earlier links of the user end. It leads
    /// to the server that was last started on this store. Whoever has it has the account, second factor aside.
    ///
    /// # Errors
    /// Where nobody has the name, and where no server was ever started.
    pub async fn link(&self, name: &str) -> Result<Url, LinkError> {
        let name = UserName::parse(name).map_err(|_| LinkError::NoUser)?;
        let issuer = self.0.last_issuer().await?.ok_or(LinkError::NeverServed)?;
        let token = token();
        let url = Url::parse(&format!("{}/link?token={token}", issuer.trim_end_matches('/')))
            .map_err(|_| LinkError::NeverServed)?;
        let ends = self.0.now().after(LINK_LIFETIME);
        match self.0.replace_user_link(&name.key, &digest(&token), ends).await? {
            true => Ok(url),
            false => Err(LinkError::NoUser),
        }
    }

    /// Makes the user one who runs the server and has its `/admin` pages, or no longer one. False where nobody has the
    /// name.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn set_admin(&self, name: &str, admin: bool) -> Result<bool, StoreError> {
        match UserName::parse(name) {
            Ok(name) => self.0.set_admin(&name.key, admin).await,
            Err(_) => Ok(false),
        }
    }

    /// Takes the second factor away from a user who has lost it: the password alone is enough until a new one is set up.
    /// False where nobody has the name, or there is no second factor.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn reset_second_factor(&self, name: &str) -> Result<bool, StoreError> {
        let Ok(name) = UserName::parse(name) else { return Ok(false) };
        match self.0.user_id(&name.key).await? {
            Some(id) => self.0.delete_totp(&id).await,
            None => Ok(false),
        }
    }

    /// Lets a disabled user log in again; sessions, grants and tokens that ended stay ended. False where nobody has the
    /// name.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn enable(&self, name: &str) -> Result<bool, StoreError> {
        match UserName::parse(name) {
            Ok(name) => self.0.enable_user(&name.key).await,
            Err(_) => Ok(false),
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

    /// Disables a user at the wish of an administrator, whose id this is. Nobody does it to themselves, and only who runs
    /// the server still.
    pub(crate) async fn disable_as(&self, admin_id: &str, name: &str) -> Result<bool, StoreError> {
        match UserName::parse(name) {
            Ok(name) => self.0.disable_user_as(admin_id, &name.key).await,
            Err(_) => Ok(false),
        }
    }

    /// Makes a user no longer one who runs the server, under the same rule.
    pub(crate) async fn dismiss_admin_as(&self, admin_id: &str, name: &str) -> Result<bool, StoreError> {
        match UserName::parse(name) {
            Ok(name) => self.0.dismiss_admin_as(admin_id, &name.key).await,
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
