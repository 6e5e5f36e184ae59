//! Credentials of a small service: API keys, and passwords for Basic and Digest. No authorization server is
//! asked; who may call stands in a list.
//!
//! | room | what is in it |
//! |---|---|
//! | [`Accounts`] | the list |
//! | `key` | random keys, sent as Bearer or `X-API-Key` |
//! | `basic` | user name and password (RFC 7617), argon2id |
//! | `guesses` | wrong passwords, counted |
//! | `digest` | a proof of the password (RFC 7616) |

pub(crate) mod basic;
pub(crate) mod digest;
pub(crate) mod guesses;
mod key;

use std::collections::BTreeMap;
use std::sync::Arc;

use hallpass_protocol::digest::DigestAlgorithm;
use hallpass_protocol::jose::JoseError;
use hallpass_protocol::scope::ScopeSet;
use hallpass_protocol::secret::Secret;
use hallpass_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::caller::{Caller, Granted, Said};
use crate::refusal::Refusal;
use crate::settings::Settings;
use crate::verify::{Standing, Verified};

pub use basic::hash_password;
pub use digest::DigestScheme;
pub use key::{KEY_PREFIX, new_key};
pub(crate) use key::{hash_of_key, is_key};

/// The end of time, for accounts without one: 9999-12-31.
const NEVER: Timestamp = Timestamp::from_unix(253_402_300_799);

/// Someone who may call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Its own id, for good: a name that is used again is another account.
    pub id: String,
    /// Its name, which is the `sub` of its requests, and the user name of Basic and Digest.
    pub name: String,
    /// What it may do.
    pub scopes: ScopeSet,
    /// Its tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// When it was added.
    pub created: Timestamp,
    /// From when on it is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// What it shows.
    pub shows: Shows,
}

/// What an account shows, as it is kept.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shows {
    /// An API key: the SHA-256 of it, in base64url. It is random, so no slow hash is needed.
    Key(String),
    /// A password for Basic: argon2id, as a PHC string.
    Password(String),
    /// A password for Digest: H(A1) by the name of the algorithm, for one realm (RFC 7616 §3.4.2).
    Digest {
        /// The realm.
        realm: String,
        /// By [`DigestAlgorithm::name`].
        ha1: BTreeMap<String, String>,
    },
}

impl Shows {
    /// For Digest, under each of these algorithms.
    #[must_use]
    pub fn digest(name: &str, realm: &str, password: &Secret, algorithms: &[DigestAlgorithm]) -> Self {
        let each = algorithms.iter().map(|algorithm| {
            (algorithm.name().to_owned(), algorithm.ha1(name, realm, password).expose().to_owned())
        });
        Self::Digest { realm: realm.to_owned(), ha1: each.collect() }
    }

    fn scheme(&self) -> &'static str {
        match self {
            Self::Key(_) => "key",
            Self::Password(_) => "basic",
            Self::Digest { .. } => "digest",
        }
    }
}

/// Hashes are worth guessing at.
impl std::fmt::Debug for Shows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Key(_) => "Key",
            Self::Password(_) => "Password",
            Self::Digest { .. } => "Digest",
        })
    }
}

/// The list as it is at the moment of asking, so that a key that is revoked ends at once.
#[derive(Clone)]
pub struct Accounts(Arc<AskAccounts>);

type AskAccounts = dyn Fn() -> Option<Arc<Vec<Account>>> + Send + Sync;

impl Accounts {
    /// A list that may change. Asked for every request, so the answer should be at hand; `None` is "not
    /// known", and refuses with 503.
    #[must_use]
    pub fn live(current: impl Fn() -> Option<Arc<Vec<Account>>> + Send + Sync + 'static) -> Self {
        Self(Arc::new(current))
    }

    /// A list that stays.
    #[must_use]
    pub fn fixed(accounts: Vec<Account>) -> Self {
        let accounts = Arc::new(accounts);
        Self::live(move || Some(Arc::clone(&accounts)))
    }

    /// The account that fits, if it has not expired.
    fn find(&self, now: Timestamp, fits: impl Fn(&Account) -> bool) -> Result<Option<Account>, Refusal> {
        let all = (self.0)().ok_or(Refusal::AccountsUnavailable)?;
        let found = all.iter().find(|account| fits(account));
        Ok(found.filter(|account| account.expires.is_none_or(|end| now < end)).cloned())
    }

    /// Whether an account is still there.
    pub(crate) fn still_has(&self, id: &str, now: Timestamp) -> Result<(), Refusal> {
        let all = (self.0)().ok_or(Refusal::AccountsUnavailable)?;
        let account = all.iter().find(|account| account.id == id).ok_or(Refusal::Revoked)?;
        if account.expires.is_none_or(|end| now < end) { Ok(()) } else { Err(JoseError::Expired.into()) }
    }

    /// The account of that API key.
    pub(crate) fn by_key(&self, key: &str, settings: &Settings) -> Result<Verified, Refusal> {
        let hash = hash_of_key(key);
        let found = self
            .find(settings.clock.now(), |account| matches!(&account.shows, Shows::Key(of) if *of == hash))?;
        found.map(|account| account.verified(settings)).ok_or(Refusal::UnknownKey)
    }
}

impl std::fmt::Debug for Accounts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Accounts")
    }
}

impl Account {
    fn verified(self, settings: &Settings) -> Verified {
        let granted = Granted {
            principal: settings.account_principal(self.shows.scheme(), &self.name),
            // It is this server that says who this is.
            issuer: settings.resource.to_string(),
            subject: self.name,
            client: self.id.clone(),
            scopes: self.scopes,
            tenant: self.tenant.or_else(|| settings.tenant.clone()),
            ..Granted::default()
        };
        let caller = Caller::new(Said { granted, token_id: self.id, expires: self.expires.unwrap_or(NEVER) });
        Verified::new(caller, Standing::Account)
    }
}
