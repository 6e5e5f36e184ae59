//! What an operator does with users, from the command line or elsewhere.

use std::time::Duration;

use hallpass_protocol::secret::Secret;
use url::Url;

use super::password::{check_strength, hash, unknown_password};
use super::{UserName, UserNameError, WeakPassword};
use crate::audit::{AuditKind, By, NewEvent};
use crate::random::{digest, token};
use crate::store::{Store, StoreError, User};

/// How long a link that sets a password works.
pub(crate) const LINK_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// Adds, lists, disables and removes users. Works on a bare store, while a server runs on it too; the server
/// notices within a second.
#[derive(Clone, Debug)]
pub struct Users {
    store: Store,
    by: By,
}

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
        Self { store, by: By::Operator }
    }

    /// The same at the wish of an administrator, whose id this is.
    pub(crate) fn by_admin(self, id: &str) -> Self {
        Self { by: By::Admin(id.to_owned()), ..self }
    }

    /// For the audit log.
    async fn note(&self, kind: AuditKind, id: &str, name: &str) {
        self.store.record_now(NewEvent::new(kind).user(id).by(&self.by).detail(name)).await;
    }

    /// The same for whoever has this name.
    async fn note_name(&self, kind: AuditKind, name: &UserName) -> Result<(), StoreError> {
        let id = self.store.subject(&name.key).await?;
        self.note(kind, &id, &name.shown).await;
        Ok(())
    }

    /// What was done, where it was.
    async fn noted(&self, done: bool, kind: AuditKind, name: &UserName) -> Result<bool, StoreError> {
        if done {
            self.note_name(kind, name).await?;
        }
        Ok(done)
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
        match self.store.insert_user(&id, &name.shown, &name.key, &hash).await? {
            true => {
                self.note(AuditKind::UserAdded, &id, &name.shown).await;
                Ok(id)
            }
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
        match self.store.insert_user(&id, &name.shown, &name.key, &unknown_password()).await? {
            true => {
                self.note(AuditKind::UserAdded, &id, &name.shown).await;
                Ok(id)
            }
            false => Err(AddUserError::Taken),
        }
    }

    /// Whether somebody has the name, upper and lower case aside.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn knows(&self, name: &str) -> Result<bool, StoreError> {
        let Ok(name) = UserName::parse(name) else { return Ok(false) };
        Ok(self.store.find_user(&name.key).await?.is_some())
    }

    /// Sets another password. The user's sessions end; what apps were granted stays.
    ///
    /// # Errors
    /// One variant of [`SetPasswordError`] for each rule.
    pub async fn set_password(&self, name: &str, password: Secret) -> Result<(), SetPasswordError> {
        let name = UserName::parse(name).map_err(|_| SetPasswordError::NoUser)?;
        check_strength(&password)?;
        let hash = hash(password).await.map_err(|_| SetPasswordError::Hash)?;
        match self.store.set_password(&name.key, &hash).await? {
            true => Ok(self.note_name(AuditKind::PasswordSet, &name).await?),
            false => Err(SetPasswordError::NoUser),
        }
    }

    /// Whether there can be links: a server has run on this store, so it is known where they lead.
    ///
    /// # Errors
    /// [`LinkError::NeverServed`] where not.
    pub async fn check_links(&self) -> Result<(), LinkError> {
        self.store.last_issuer().await?.map(drop).ok_or(LinkError::NeverServed)
    }

    /// Makes a link under which the user sets a password, once and within a day; earlier links of the user end. It leads
    /// to the server that was last started on this store. Whoever has it has the account, second factor aside.
    ///
    /// # Errors
    /// Where nobody has the name, and where no server was ever started.
    pub async fn link(&self, name: &str) -> Result<Url, LinkError> {
        let name = UserName::parse(name).map_err(|_| LinkError::NoUser)?;
        let issuer = self.store.last_issuer().await?.ok_or(LinkError::NeverServed)?;
        let token = token();
        let url = Url::parse(&format!("{}/link?token={token}", issuer.trim_end_matches('/')))
            .map_err(|_| LinkError::NeverServed)?;
        let ends = self.store.now().after(LINK_LIFETIME);
        match self.store.replace_user_link(&name.key, &digest(&token), ends).await? {
            true => {
                self.note_name(AuditKind::LinkMade, &name).await?;
                Ok(url)
            }
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
            Ok(name) => {
                let kind = if admin { AuditKind::AdminGiven } else { AuditKind::AdminTaken };
                self.noted(self.store.set_admin(&name.key, admin).await?, kind, &name).await
            }
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
        match self.store.user_id(&name.key).await? {
            Some(id) => {
                let done = self.store.delete_totp(&id).await?;
                self.noted(done, AuditKind::SecondFactorOff, &name).await
            }
            None => Ok(false),
        }
    }

    /// Whether an identity provider says that the user is not active (SCIM). That is its own to take back.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn is_deactivated(&self, name: &str) -> Result<bool, StoreError> {
        let Ok(name) = UserName::parse(name) else { return Ok(false) };
        self.store.is_deactivated(&name.key).await
    }

    /// Lets a disabled user log in again, unless an identity provider says otherwise; sessions, grants and tokens that ended stay
    /// ended. False where nobody has the name.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn enable(&self, name: &str) -> Result<bool, StoreError> {
        match UserName::parse(name) {
            Ok(name) => {
                self.noted(self.store.enable_user(&name.key).await?, AuditKind::UserEnabled, &name).await
            }
            Err(_) => Ok(false),
        }
    }

    /// All users, by name.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn list(&self) -> Result<Vec<User>, StoreError> {
        self.store.list_users().await
    }

    /// How many users there are.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn count(&self) -> Result<u64, StoreError> {
        self.store.count_users().await
    }

    /// Disables a user: no more logins, and every session, grant and token ends. False where nobody has the name.
    ///
    /// # Errors
    /// Where the store fails; then nothing was done.
    pub async fn disable(&self, name: &str) -> Result<bool, StoreError> {
        match UserName::parse(name) {
            Ok(name) => {
                self.noted(self.store.disable_user(&name.key).await?, AuditKind::UserDisabled, &name).await
            }
            Err(_) => Ok(false),
        }
    }

    /// Disables a user at the wish of an administrator, whose id this is. Nobody does it to themselves, and only who runs
    /// the server still.
    pub(crate) async fn disable_as(&self, admin_id: &str, name: &str) -> Result<bool, StoreError> {
        match UserName::parse(name) {
            Ok(name) => {
                let done = self.store.disable_user_as(admin_id, &name.key).await?;
                self.noted(done, AuditKind::UserDisabled, &name).await
            }
            Err(_) => Ok(false),
        }
    }

    /// Makes a user no longer one who runs the server, under the same rule.
    pub(crate) async fn dismiss_admin_as(&self, admin_id: &str, name: &str) -> Result<bool, StoreError> {
        match UserName::parse(name) {
            Ok(name) => {
                let done = self.store.dismiss_admin_as(admin_id, &name.key).await?;
                self.noted(done, AuditKind::AdminTaken, &name).await
            }
            Err(_) => Ok(false),
        }
    }

    /// Removes a user with all that hangs on it. False where nobody has the name.
    ///
    /// # Errors
    /// Where the store fails; then nothing was done.
    pub async fn remove(&self, name: &str) -> Result<bool, StoreError> {
        match UserName::parse(name) {
            Ok(name) => {
                let id = self.store.subject(&name.key).await?;
                let done = self.store.remove_user(&name.key).await?;
                if done {
                    self.note(AuditKind::UserRemoved, &id, &name.shown).await;
                }
                Ok(done)
            }
            Err(_) => Ok(false),
        }
    }
}
