//! What the resource server asks on every request: is this access token revoked?

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use hallpass_protocol::time::{Clock, Timestamp};

/// Parts a token's id from the grant's: a `jti` is `<grant>.<token>`. Neither alphabet has a dot.
const SEPARATOR: char = '.';

/// The access tokens and grants that were revoked and whose tokens might still be alive. Clones share
/// the same memory; asking takes a read lock and two look-ups.
///
/// Other processes' revocations arrive within a second.
#[derive(Clone)]
pub struct Revocations {
    until: Arc<RwLock<HashMap<String, Timestamp>>>,
    clock: Clock,
}

impl std::fmt::Debug for Revocations {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Revocations")
    }
}

impl Revocations {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { until: Arc::default(), clock }
    }

    /// Whether the access token with this `jti` claim must be refused: it, or the grant that it came
    /// from, was revoked.
    #[must_use]
    pub fn is_revoked(&self, jti: &str) -> bool {
        let until = self.until.read().unwrap_or_else(PoisonError::into_inner);
        !until.is_empty()
            && (until.contains_key(jti)
                || jti.split_once(SEPARATOR).is_some_and(|(grant, _)| until.contains_key(grant)))
    }

    pub(crate) fn insert(&self, revoked: impl IntoIterator<Item = (String, Timestamp)>) {
        self.until.write().unwrap_or_else(PoisonError::into_inner).extend(revoked);
    }

    pub(crate) fn sweep(&self) {
        let now = self.clock.now();
        self.until.write().unwrap_or_else(PoisonError::into_inner).retain(|_, until| *until > now);
    }
}

/// The `jti` of a new access token under this grant.
pub(crate) fn new_token_id(grant_id: &str) -> String {
    format!("{grant_id}{SEPARATOR}{}", crate::random::id())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn revocations() -> Revocations {
        Revocations::new(Clock::new(|| Timestamp::from_unix(1_000)))
    }

    #[test]
    fn a_revoked_grant_takes_its_tokens_along() {
        let revocations = revocations();
        let (one, two) = (new_token_id("grant-a"), new_token_id("grant-b"));
        revocations.insert([("grant-a".to_owned(), Timestamp::from_unix(2_000))]);
        assert!(revocations.is_revoked(&one));
        assert!(!revocations.is_revoked(&two));
    }

    #[test]
    fn a_revoked_token_leaves_its_siblings() {
        let revocations = revocations();
        let (one, two) = (new_token_id("grant-a"), new_token_id("grant-a"));
        revocations.insert([(one.clone(), Timestamp::from_unix(2_000))]);
        assert!(revocations.is_revoked(&one));
        assert!(!revocations.is_revoked(&two));
    }

    #[test]
    fn is_forgotten_when_every_token_is_dead() {
        let revocations = revocations();
        revocations.insert([
            ("old".to_owned(), Timestamp::from_unix(1_000)),
            ("new".to_owned(), Timestamp::from_unix(1_001)),
        ]);
        revocations.sweep();
        assert!(!revocations.is_revoked("old"));
        assert!(revocations.is_revoked("new"));
    }
}
