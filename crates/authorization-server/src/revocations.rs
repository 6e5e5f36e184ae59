//! What the resource server asks on every request: is this access token revoked?

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard};
use std::time::Duration;

use hallpass_protocol::time::{Clock, Timestamp};

/// How long what was read counts.
const FRESH: Duration = Duration::from_secs(30);

/// Parts a token's id from what it hangs on: a `jti` is `<grant>.<token>`, with more in front where the token hangs on
/// more, such as the issuer of an assertion. No alphabet has a dot.
pub(crate) const SEPARATOR: char = '.';

/// The access tokens and grants that were revoked and whose tokens might still be alive. Clones share
/// the same memory; asking takes a read lock and two look-ups.
///
/// Other processes' revocations arrive within a second.
#[derive(Clone)]
pub struct Revocations {
    memory: Arc<RwLock<Memory>>,
    clock: Clock,
}

#[derive(Default)]
struct Memory {
    until: HashMap<String, Timestamp>,
    /// When the database was last read in full or in part.
    read_at: Option<Timestamp>,
}

/// Nobody knows whether a token was revoked: the database has not been readable for 30 seconds. Whoever asks refuses.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("revocations could not be read for {} seconds, so it is not known which tokens are good", FRESH.as_secs())]
pub struct OutOfDate;

impl std::fmt::Debug for Revocations {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Revocations")
    }
}

impl Revocations {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { memory: Arc::default(), clock }
    }

    /// Whether the access token with this `jti` claim must be refused: it, or the grant that it came
    /// from, was revoked.
    ///
    /// # Errors
    /// Where what is known is older than 30 seconds and does not hold the token: it may have been revoked since.
    pub fn is_revoked(&self, jti: &str) -> Result<bool, OutOfDate> {
        let memory = self.memory.read().unwrap_or_else(PoisonError::into_inner);
        let until = &memory.until;
        if !until.is_empty() && (until.contains_key(jti) || parts(jti).any(|part| until.contains_key(part))) {
            return Ok(true);
        }
        let fresh = memory.read_at.is_some_and(|read_at| self.clock.now() <= read_at.after(FRESH));
        if fresh { Ok(false) } else { Err(OutOfDate) }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// What this process has revoked, or has heard of.
    pub(crate) fn insert(&self, revoked: impl IntoIterator<Item = (String, Timestamp)>) {
        self.write().until.extend(revoked);
    }

    /// What was read from the database, which was asked at this time.
    pub(crate) fn read(&self, revoked: impl IntoIterator<Item = (String, Timestamp)>, at: Timestamp) {
        let mut memory = self.write();
        memory.until.extend(revoked);
        memory.read_at = Some(at);
    }

    pub(crate) fn read_at(&self) -> Option<Timestamp> {
        self.memory.read().unwrap_or_else(PoisonError::into_inner).read_at
    }

    pub(crate) fn sweep(&self) {
        let now = self.clock.now();
        self.write().until.retain(|_, until| *until > now);
    }

    fn write(&self) -> RwLockWriteGuard<'_, Memory> {
        self.memory.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a token hangs on: each part of its id (a grant, a client, an issuer), and each beginning of it (a token that was
/// exchanged for it).
pub(crate) fn parts(jti: &str) -> impl Iterator<Item = &str> {
    let beginnings = jti.match_indices(SEPARATOR).map(|(at, _)| jti.get(..at).unwrap_or(jti));
    jti.split(SEPARATOR).chain(beginnings)
}

/// The `jti` of a new access token under this grant.
pub(crate) fn new_token_id(grant_id: &str) -> String {
    format!("{grant_id}{SEPARATOR}{}", crate::random::id())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn revocations() -> Revocations {
        let revocations = Revocations::new(Clock::new(|| Timestamp::from_unix(1_000)));
        revocations.read([], Timestamp::from_unix(1_000));
        revocations
    }

    #[test]
    fn a_revoked_grant_takes_its_tokens_along() {
        let revocations = revocations();
        let (one, two) = (new_token_id("grant-a"), new_token_id("grant-b"));
        revocations.insert([("grant-a".to_owned(), Timestamp::from_unix(2_000))]);
        assert_eq!(revocations.is_revoked(&one), Ok(true));
        assert_eq!(revocations.is_revoked(&two), Ok(false));
    }

    #[test]
    fn a_revoked_token_leaves_its_siblings() {
        let revocations = revocations();
        let (one, two) = (new_token_id("grant-a"), new_token_id("grant-a"));
        revocations.insert([(one.clone(), Timestamp::from_unix(2_000))]);
        assert_eq!(revocations.is_revoked(&one), Ok(true));
        assert_eq!(revocations.is_revoked(&two), Ok(false));
    }

    #[test]
    fn a_revoked_token_takes_along_what_it_was_exchanged_for() {
        let revocations = revocations();
        revocations.insert([("grant.token".to_owned(), Timestamp::from_unix(2_000))]);
        for (jti, revoked) in [
            ("grant.token", true),
            ("grant.token.client.x", true),
            ("grant.other.client.x", false),
            ("grant.toke.n", false),
            ("x.grant.token", false),
        ] {
            assert_eq!(revocations.is_revoked(jti), Ok(revoked), "{jti}");
        }
    }

    #[test]
    fn is_forgotten_when_every_token_is_dead() {
        let revocations = revocations();
        revocations.insert([
            ("old".to_owned(), Timestamp::from_unix(1_000)),
            ("new".to_owned(), Timestamp::from_unix(1_001)),
        ]);
        revocations.sweep();
        assert_eq!(revocations.is_revoked("old"), Ok(false));
        assert_eq!(revocations.is_revoked("new"), Ok(true));
    }

    #[test]
    fn nothing_is_good_when_the_database_was_not_read_for_long() {
        let clock = hallpass_testkit::clock::FakeClock::at(Timestamp::from_unix(1_000));
        let revocations = Revocations::new(clock.clock());
        assert_eq!(revocations.is_revoked("a"), Err(OutOfDate), "never read");
        revocations.read([("b".to_owned(), Timestamp::from_unix(2_000))], Timestamp::from_unix(1_000));
        clock.set(Timestamp::from_unix(1_030));
        assert_eq!(revocations.is_revoked("a"), Ok(false));
        clock.set(Timestamp::from_unix(1_031));
        assert_eq!(revocations.is_revoked("a"), Err(OutOfDate));
        assert_eq!(revocations.is_revoked("b"), Ok(true), "what is known stays known");
    }
}
