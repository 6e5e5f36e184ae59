//! Passwords: argon2id, on the blocking pool, a few at a time.

use std::sync::Arc;

use argon2::{Argon2, Params, PasswordHash, PasswordHasher, PasswordVerifier};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use hallpass_protocol::secret::Secret;
use tokio::sync::Semaphore;

/// NIST SP 800-63B §3.1.1.2: length is what counts.
const SHORTEST: usize = 8;
/// Hashing is made to be slow; a book is not a password.
const LONGEST: usize = 1024;
/// Each check takes 19 MiB and a core for some 20 ms.
const AT_ONCE: usize = 4;
/// More than this waiting, and the next is turned away.
const WAITING: usize = 64;

/// Why a password cannot be had.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WeakPassword {
    /// Fewer than eight characters.
    #[error("the password is shorter than {SHORTEST} characters")]
    TooShort,
    /// More than 1024 bytes.
    #[error("the password is longer than {LONGEST} bytes")]
    TooLong,
}

/// Too many passwords are being checked.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many passwords are being checked at once")]
pub(crate) struct Busy;

/// Checks passwords, and makes the hashes that are stored.
pub(crate) struct Passwords {
    /// The hash of a password that nobody has: checked where there is no user, so that a name that does not
    /// exist takes as long as one that does.
    nobody: String,
    working: Arc<Semaphore>,
    admitted: Arc<Semaphore>,
}

impl Passwords {
    pub(crate) fn new() -> Self {
        Self {
            nobody: hash_of_nothing(),
            working: Arc::new(Semaphore::new(AT_ONCE)),
            admitted: Arc::new(Semaphore::new(AT_ONCE + WAITING)),
        }
    }

    /// Whether this is the password behind the hash. Without a hash the same work is done for nothing.
    pub(crate) async fn verify(&self, password: Secret, hash: Option<&str>) -> Result<bool, Busy> {
        let exists = hash.is_some();
        let hash = hash.unwrap_or(&self.nobody).to_owned();
        let _admitted = self.admitted.try_acquire().map_err(|_| Busy)?;
        // Held by the work itself: a person who goes away does not make room for another while it still runs.
        let permit = Arc::clone(&self.working).acquire_owned().await.map_err(|_| Busy)?;
        let fits = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            verify(&password, &hash)
        });
        Ok(fits.await.unwrap_or(false) && exists)
    }
}

/// A hash with the parameters of a new one, and random bits where the result would stand.
fn hash_of_nothing() -> String {
    let salt = STANDARD_NO_PAD.encode(rand::random::<[u8; 16]>());
    let result = STANDARD_NO_PAD.encode(rand::random::<[u8; 32]>());
    format!(
        "$argon2id$v=19$m={},t={},p={}${salt}${result}",
        Params::DEFAULT_M_COST,
        Params::DEFAULT_T_COST,
        Params::DEFAULT_P_COST
    )
}

fn verify(password: &Secret, hash: &str) -> bool {
    if password.expose().len() > LONGEST {
        return false;
    }
    PasswordHash::new(hash)
        .is_ok_and(|hash| Argon2::default().verify_password(password.expose().as_bytes(), &hash).is_ok())
}

/// Checks the rules for a new password.
pub(crate) fn check_strength(password: &Secret) -> Result<(), WeakPassword> {
    if password.expose().chars().count() < SHORTEST {
        return Err(WeakPassword::TooShort);
    }
    if password.expose().len() > LONGEST {
        return Err(WeakPassword::TooLong);
    }
    Ok(())
}

/// The hash to be stored, with its salt and parameters (PHC string).
pub(crate) async fn hash(password: Secret) -> Result<String, Busy> {
    tokio::task::spawn_blocking(move || {
        let hash: Result<PasswordHash, _> = Argon2::default().hash_password(password.expose().as_bytes());
        hash.map(|hash| hash.to_string()).map_err(|_| Busy)
    })
    .await
    .map_err(|_| Busy)?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_characters_are_enough() {
        let check = |text: &str| check_strength(&Secret::new(text));
        assert_eq!(check("1234567"), Err(WeakPassword::TooShort));
        assert_eq!(check("12345678"), Ok(()));
        assert_eq!(check("ääääääää"), Ok(()));
        assert_eq!(check(&"x".repeat(1025)), Err(WeakPassword::TooLong));
    }

    #[tokio::test]
    async fn only_the_right_password_fits() {
        let stored = hash(Secret::new("right password")).await.unwrap();
        assert!(stored.starts_with("$argon2id$v=19$"), "{stored}");
        let passwords = Passwords::new();
        let verify = |text: &str| passwords.verify(Secret::new(text), Some(&stored));
        assert_eq!(verify("right password").await, Ok(true));
        assert_eq!(verify("wrong password").await, Ok(false));
        assert_eq!(passwords.verify(Secret::new("right password"), None).await, Ok(false));
    }

    #[tokio::test]
    async fn a_name_that_does_not_exist_costs_the_same_work() {
        let work = |hash: &str| hash.rsplitn(3, '$').last().unwrap().to_owned();
        let (real, none) = (hash(Secret::new("a password")).await.unwrap(), hash_of_nothing());
        assert_eq!(work(&real), work(&none));
        let parsed = PasswordHash::new(&none).unwrap();
        assert_eq!(parsed.salt.unwrap().len(), PasswordHash::new(&real).unwrap().salt.unwrap().len());
        assert_eq!(none.len(), real.len());
        assert_ne!(none, hash_of_nothing());
    }
}
