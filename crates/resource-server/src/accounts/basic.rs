//! Basic (RFC 7617): over TLS or loopback only, since the password itself is sent. argon2id is slow on purpose, so
//! what was verified is remembered, under a hash that only this process can make.

use std::net::IpAddr;
use std::sync::Arc;

use argon2::{Argon2, PasswordHash, PasswordHasher, PasswordVerifier};
use aws_lc_rs::hmac;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hallpass_protocol::secret::Secret;
use quick_cache::sync::Cache;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::guesses::Guesses;
use super::{Account, Accounts, Shows};
use crate::refusal::Refusal;
use crate::settings::Settings;
use crate::verify::Verified;

/// Each check takes 19 MiB and a core for some 20 ms.
const AT_ONCE: usize = 2;
/// More than this waiting, and the next is turned away.
const WAITING: usize = 128;
/// The same for names that nobody has: whoever makes up names keeps nobody out but others who do.
const STRANGERS: usize = 8;
/// How many verified passwords are remembered.
const REMEMBERED: usize = 1_000;
/// Hashing is made to be slow; a book is not a password.
const LONGEST: usize = 1024;

/// The PHC string of a password, to be kept.
///
/// # Errors
/// Where the system has no randomness, or the password is longer than 1024 bytes.
pub fn hash_password(password: &Secret) -> Result<Shows, argon2::password_hash::Error> {
    if password.expose().len() > LONGEST {
        return Err(argon2::password_hash::Error::PasswordInvalid);
    }
    let hash = Argon2::default().hash_password(password.expose().as_bytes())?;
    Ok(Shows::Password(hash.to_string()))
}

pub(crate) struct Basic {
    /// User name and password, by a keyed hash: the PHC string that they were verified against.
    verified: Cache<[u8; 32], Arc<str>>,
    key: hmac::Key,
    nobody: Arc<str>,
    working: Arc<Semaphore>,
    admitted: Semaphore,
    strangers: Semaphore,
}

impl Basic {
    pub(crate) fn new() -> Self {
        // Checked where there is no account, so that a name that does not exist takes as long as one that does.
        let nobody = match hash_password(&Secret::new("nobody has this password")) {
            Ok(Shows::Password(hash)) => hash.into(),
            _ => "".into(),
        };
        Self {
            verified: Cache::new(REMEMBERED),
            key: hmac::Key::new(hmac::HMAC_SHA256, &rand::random::<[u8; 32]>()),
            nobody,
            working: Arc::new(Semaphore::new(AT_ONCE)),
            admitted: Semaphore::new(AT_ONCE + WAITING),
            strangers: Semaphore::new(STRANGERS),
        }
    }

    /// RFC 7617 §2.
    pub(crate) async fn verify(
        &self,
        credentials: &str,
        from: Option<IpAddr>,
        guesses: &Guesses,
        accounts: &Accounts,
        settings: &Settings,
    ) -> Result<Verified, Refusal> {
        let (name, password) = decode(credentials).ok_or(Refusal::MalformedCredential)?;
        let of_that_name =
            |account: &Account| account.name == name && matches!(account.shows, Shows::Password(_));
        let now = settings.clock.now();
        let account = accounts.find(now, of_that_name)?;
        let hash: Arc<str> = match account.as_ref().map(|account| &account.shows) {
            Some(Shows::Password(hash)) => hash.as_str().into(),
            _ => Arc::clone(&self.nobody),
        };
        let mut seen = [0; 32];
        seen.copy_from_slice(hmac::sign(&self.key, credentials.as_bytes()).as_ref());
        // With another password in the list, it must be verified again. No guess is among these, so whoever guesses
        // at an account keeps out nobody who was in.
        let known = self.verified.get(&seen).is_some_and(|known| known == hash);
        if known && let Some(account) = account.clone() {
            return Ok(account.verified(settings));
        }
        let attempt = guesses.begin(&name, from, now)?;
        let fits = match self.admit(account.is_some()) {
            Ok(_admitted) => self.fits(seen, password, hash).await,
            Err(refusal) => Err(refusal),
        };
        match (account, fits) {
            (Some(account), Ok(true)) => {
                guesses.succeeded(&attempt);
                Ok(account.verified(settings))
            }
            (_, Ok(_)) => Err(Refusal::WrongPassword),
            (_, Err(refusal)) => {
                guesses.not_made(&attempt);
                Err(refusal)
            }
        }
    }

    fn admit(&self, known: bool) -> Result<SemaphorePermit<'_>, Refusal> {
        let among = if known { &self.admitted } else { &self.strangers };
        among.try_acquire().map_err(|_| Refusal::Busy)
    }

    async fn fits(&self, seen: [u8; 32], password: Secret, hash: Arc<str>) -> Result<bool, Refusal> {
        let permit = Arc::clone(&self.working).acquire_owned().await.map_err(|_| Refusal::Busy)?;
        let against = Arc::clone(&hash);
        let checked = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let parsed = PasswordHash::new(&against);
            parsed.is_ok_and(|hash| {
                Argon2::default().verify_password(password.expose().as_bytes(), &hash).is_ok()
            })
        });
        let fits = checked.await.unwrap_or(false);
        if fits {
            self.verified.insert(seen, hash);
        }
        Ok(fits)
    }
}

fn decode(credentials: &str) -> Option<(String, Secret)> {
    let text = String::from_utf8(BASE64_STANDARD.decode(credentials).ok()?).ok()?;
    let (name, password) = text.split_once(':')?;
    let control = |text: &str| text.chars().any(char::is_control);
    (password.len() <= LONGEST && !control(name) && !control(password))
        .then(|| (name.to_owned(), Secret::new(password)))
}
