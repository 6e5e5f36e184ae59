//! Passwords: argon2id, on the blocking pool, a few at a time.

use std::sync::Arc;

use argon2::{Algorithm, Argon2, Block, Params, PasswordHash, Version};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use hallpass_protocol::secret::Secret;
use subtle::ConstantTimeEq;
use tokio::sync::Semaphore;

/// NIST SP 800-63B §3.1.1.2: length is what counts.
const SHORTEST: usize = 8;
/// Hashing is made to be slow; a book is not a password.
const LONGEST: usize = 1024;
/// Each check takes 19 MiB and a core for some 20 ms. More than there are cores would be no faster.
const MOST_AT_ONCE: usize = 4;
/// More than this waiting, and the next is turned away.
const WAITING: usize = 64;

/// Blocks of 1 KiB. A request for more than 32 MiB is always a mapping of its own, which goes back to the system when
/// it is freed; smaller ones end up in glibc's arenas, one for each thread, and stay there. What is not touched of it
/// costs nothing.
const OWN_MAPPING: usize = 33 * 1024;

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

/// Too many passwords are being checked, or there is no memory to check one.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many passwords are being checked at once")]
pub(crate) struct Busy;

/// How a password and a hash go together.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Wrong,
    Right,
    /// Right, and the hash was made with weaker parameters than today's: it is to be made anew.
    RightButWeak,
}

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
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let at_once = cores.min(MOST_AT_ONCE);
        Self {
            nobody: unknown_password(),
            working: Arc::new(Semaphore::new(at_once)),
            admitted: Arc::new(Semaphore::new(at_once + WAITING)),
        }
    }

    /// Whether this is the password behind the hash. Without a hash the same work is done for nothing.
    pub(crate) async fn verify(&self, password: Secret, hash: Option<&str>) -> Result<Verdict, Busy> {
        let exists = hash.is_some();
        let hash = hash.unwrap_or(&self.nobody).to_owned();
        let verdict = self.work(move || verify(&password, &hash)).await??;
        Ok(if exists { verdict } else { Verdict::Wrong })
    }

    /// The hash to be stored, when its turn comes.
    pub(crate) async fn hash(&self, password: Secret) -> Result<String, Busy> {
        self.work(move || hash_now(&password)).await?
    }

    async fn work<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Busy> {
        let _admitted = self.admitted.try_acquire().map_err(|_| Busy)?;
        // Held by the work itself: a person who goes away does not make room for another while it still runs.
        let permit = Arc::clone(&self.working).acquire_owned().await.map_err(|_| Busy)?;
        let working = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            work()
        });
        working.await.map_err(|_| Busy)
    }
}

/// A hash that no password has, with the parameters of a new one: random bits where the result would stand.
pub(crate) fn unknown_password() -> String {
    phc(&rand::random::<[u8; 16]>(), &rand::random::<[u8; 32]>())
}

fn verify(password: &Secret, hash: &str) -> Result<Verdict, Busy> {
    if password.expose().len() > LONGEST {
        return Ok(Verdict::Wrong);
    }
    let Some((params, salt, expected)) = parse(hash) else { return Ok(Verdict::Wrong) };
    let weak = is_weaker_than_todays(&params);
    let mut result = vec![0; expected.len()];
    derive(password, &salt, params, &mut result)?;
    Ok(match bool::from(result.ct_eq(&expected)) {
        false => Verdict::Wrong,
        true if weak => Verdict::RightButWeak,
        true => Verdict::Right,
    })
}

/// Parameters, salt and result of a PHC string that this server could have written.
fn parse(hash: &str) -> Option<(Params, Vec<u8>, Vec<u8>)> {
    let hash = PasswordHash::new(hash).ok()?;
    let written_here = hash.algorithm.as_str() == Algorithm::Argon2id.as_str()
        && hash.version == Some(u32::from(Version::V0x13));
    let params = Params::try_from(&hash).ok()?;
    written_here.then_some((params, hash.salt?.to_vec(), hash.hash?.as_bytes().to_vec()))
}

fn is_weaker_than_todays(params: &Params) -> bool {
    params.m_cost() < Params::DEFAULT_M_COST || params.t_cost() < Params::DEFAULT_T_COST
}

fn derive(password: &Secret, salt: &[u8], params: Params, result: &mut [u8]) -> Result<(), Busy> {
    let mut memory: Vec<Block> = Vec::new();
    let blocks = params.block_count();
    memory.try_reserve_exact(blocks.max(OWN_MAPPING)).map_err(|_| Busy)?;
    memory.resize(blocks, Block::new());
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into_with_memory(password.expose().as_bytes(), salt, result, &mut memory)
        .map_err(|_| Busy)
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
    tokio::task::spawn_blocking(move || hash_now(&password)).await.map_err(|_| Busy)?
}

fn hash_now(password: &Secret) -> Result<String, Busy> {
    let (salt, mut result) = (rand::random::<[u8; 16]>(), [0; 32]);
    derive(password, &salt, Params::DEFAULT, &mut result)?;
    Ok(phc(&salt, &result))
}

fn phc(salt: &[u8], result: &[u8]) -> String {
    format!(
        "$argon2id$v=19$m={},t={},p={}${}${}",
        Params::DEFAULT_M_COST,
        Params::DEFAULT_T_COST,
        Params::DEFAULT_P_COST,
        STANDARD_NO_PAD.encode(salt),
        STANDARD_NO_PAD.encode(result)
    )
}

#[cfg(test)]
mod tests {
    use argon2::{PasswordHasher, PasswordVerifier};

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
        let passwords = Passwords::new();
        let stored = passwords.hash(Secret::new("right password")).await.unwrap();
        assert!(stored.starts_with("$argon2id$v=19$"), "{stored}");
        let verify = |text: &str| passwords.verify(Secret::new(text), Some(&stored));
        assert_eq!(verify("right password").await, Ok(Verdict::Right));
        assert_eq!(verify("wrong password").await, Ok(Verdict::Wrong));
        assert_eq!(passwords.verify(Secret::new("right password"), None).await, Ok(Verdict::Wrong));
        assert_eq!(passwords.verify(Secret::new("x"), Some("no hash at all")).await, Ok(Verdict::Wrong));
    }

    #[tokio::test]
    async fn hashes_are_the_librarys_own() {
        let ours = hash(Secret::new("a password")).await.unwrap();
        let parsed = PasswordHash::new(&ours).unwrap();
        assert!(Argon2::default().verify_password(b"a password", &parsed).is_ok());
        let theirs: PasswordHash = Argon2::default().hash_password(b"a password").unwrap();
        assert_eq!(verify(&Secret::new("a password"), &theirs.to_string()), Ok(Verdict::Right));
    }

    #[tokio::test]
    async fn a_hash_with_weaker_parameters_is_told_apart() {
        let weaker = [(8 * 1024, Params::DEFAULT_T_COST), (Params::DEFAULT_M_COST, 1)];
        let stronger = [(Params::DEFAULT_M_COST, Params::DEFAULT_T_COST + 1)];
        for ((m_cost, t_cost), verdict) in weaker
            .map(|costs| (costs, Verdict::RightButWeak))
            .into_iter()
            .chain(stronger.map(|costs| (costs, Verdict::Right)))
        {
            let params = Params::new(m_cost, t_cost, 1, None).unwrap();
            let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
            let hash: PasswordHash = argon2.hash_password(b"a password").unwrap();
            assert_eq!(verify(&Secret::new("a password"), &hash.to_string()), Ok(verdict));
            assert_eq!(verify(&Secret::new("another"), &hash.to_string()), Ok(Verdict::Wrong));
        }
    }

    #[tokio::test]
    async fn a_name_that_does_not_exist_costs_the_same_work() {
        let work = |hash: &str| hash.rsplitn(3, '$').last().unwrap().to_owned();
        let (real, none) = (hash(Secret::new("a password")).await.unwrap(), unknown_password());
        assert_eq!(work(&real), work(&none));
        let parsed = PasswordHash::new(&none).unwrap();
        assert_eq!(parsed.salt.unwrap().len(), PasswordHash::new(&real).unwrap().salt.unwrap().len());
        assert_eq!(none.len(), real.len());
        assert_ne!(none, unknown_password());
    }
}
