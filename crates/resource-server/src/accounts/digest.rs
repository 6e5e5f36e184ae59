//! Digest (RFC 7616): `auth`, nonces that end, counts that rise.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hallpass_protocol::challenge::Challenge;
use hallpass_protocol::digest::{self, DigestAlgorithm, DigestCredentials};
use hallpass_protocol::secret::Secret;
use hallpass_protocol::time::Timestamp;
use http::{Method, Uri};

use super::guesses::Guesses;
use super::{Account, Accounts, Shows};
use crate::nonce::{Nonces, Worth};
use crate::refusal::Refusal;
use crate::settings::Settings;
use crate::verify::Verified;

/// How long a nonce is good for: five minutes.
const LIFETIME: Duration = Duration::from_secs(300);
/// The most nonces whose counts are remembered. Each is some 100 bytes.
const REMEMBERED: usize = 10_000;

/// Which algorithms are offered, the first one first: clients take the first that they know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DigestScheme {
    /// MD5 is offered only where it stands here by name.
    pub algorithms: Vec<DigestAlgorithm>,
}

impl Default for DigestScheme {
    /// SHA-256, which every client with Digest knows, then SHA-512/256.
    fn default() -> Self {
        Self { algorithms: vec![DigestAlgorithm::Sha256, DigestAlgorithm::Sha512Trunc256] }
    }
}

pub(crate) struct Digest {
    scheme: DigestScheme,
    nonces: Nonces,
    counts: Mutex<HashMap<String, Counts>>,
}

impl Digest {
    pub(crate) fn new(scheme: DigestScheme) -> Self {
        Self { scheme, nonces: Nonces::new(LIFETIME), counts: Mutex::default() }
    }

    /// RFC 7616 §3.3: one for each algorithm. `stale` says that the password was right.
    pub(crate) fn challenges(&self, realm: &str, stale: bool, now: Timestamp) -> Vec<Challenge> {
        let nonce = self.nonces.issue(now);
        let one = |algorithm: &DigestAlgorithm| {
            let challenge = Challenge::new(digest::SCHEME)
                .with("realm", realm)
                .with("qop", "auth")
                .with("algorithm", algorithm.name())
                .with("nonce", nonce.clone())
                .with("charset", "UTF-8")
                .with("userhash", "false");
            if stale { challenge.with("stale", "true") } else { challenge }
        };
        self.scheme.algorithms.iter().map(one).collect()
    }

    /// RFC 7616 §3.4.
    pub(crate) fn verify(
        &self,
        credentials: &str,
        method: &Method,
        uri: &Uri,
        (from, guesses): (Option<IpAddr>, &Guesses),
        accounts: &Accounts,
        settings: &Settings,
    ) -> Result<Verified, Refusal> {
        let said = DigestCredentials::parse(credentials).map_err(Refusal::Digest)?;
        let now = settings.clock.now();
        if !self.scheme.algorithms.contains(&said.algorithm) {
            return Err(Refusal::Digest(digest::DigestError::Algorithm));
        }
        // What was hashed is what was asked for (RFC 7616 §3.4.6).
        let target = uri.path_and_query().map_or("", |target| target.as_str());
        if said.uri != target {
            return Err(Refusal::OtherTarget);
        }
        let worth = self.nonces.worth(&said.nonce, now);
        if worth == Worth::Foreign {
            return Err(Refusal::StaleNonce);
        }
        let of_that_name = |account: &Account| {
            account.name == said.username && matches!(account.shows, Shows::Digest { .. })
        };
        let attempt = guesses.begin(&said.username, from, now)?;
        let account = accounts.find(now, of_that_name)?.ok_or(Refusal::WrongPassword)?;
        let Shows::Digest { realm, ha1 } = &account.shows else { return Err(Refusal::WrongPassword) };
        let ha1 = ha1.get(said.algorithm.name()).filter(|_| *realm == settings.realm && said.realm == *realm);
        if !ha1.is_some_and(|ha1| said.fits(&Secret::new(ha1.as_str()), method)) {
            return Err(Refusal::WrongPassword);
        }
        guesses.succeeded(&attempt);
        // Only who knows the password learns what became of the nonce, and only such use it up.
        if worth == Worth::Stale || !self.count(&said, now) {
            return Err(Refusal::StaleNonce);
        }
        Ok(account.verified(settings))
    }

    /// RFC 7616 §3.4: a count is there once. Requests of one client may overtake each other, so any of the
    /// last 64 is taken, once.
    fn count(&self, said: &DigestCredentials, now: Timestamp) -> bool {
        let Some(ends) = self.nonces.ends(&said.nonce) else { return false };
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() >= REMEMBERED && !counts.contains_key(&said.nonce) {
            counts.retain(|_, counts| now < counts.ends);
            if counts.len() >= REMEMBERED {
                return false;
            }
        }
        counts.entry(said.nonce.clone()).or_insert(Counts { ends, highest: 0, seen: 0 }).take(said.count)
    }
}

/// The counts that came with one nonce.
struct Counts {
    ends: Timestamp,
    highest: u32,
    /// Bit n: `highest - n` was there.
    seen: u64,
}

impl Counts {
    fn take(&mut self, count: u32) -> bool {
        if count > self.highest {
            self.seen = self.seen.checked_shl(count - self.highest).unwrap_or(0) | 1;
            self.highest = count;
            return true;
        }
        let Some(bit) = 1u64.checked_shl(self.highest - count) else { return false };
        let new = self.seen & bit == 0;
        self.seen |= bit;
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// No count is ever taken twice.
        #[test]
        fn a_count_is_taken_once(counts in prop::collection::vec(1u32..200, 0..300)) {
            let mut taken = std::collections::HashSet::new();
            let mut window = Counts { ends: Timestamp::from_unix(0), highest: 0, seen: 0 };
            for count in counts {
                let first = window.take(count);
                prop_assert!(!first || taken.insert(count));
            }
        }
    }

    #[test]
    fn a_count_that_was_overtaken_is_taken() {
        let mut window = Counts { ends: Timestamp::from_unix(0), highest: 0, seen: 0 };
        let taken: Vec<bool> =
            [2, 1, 1, 100, 37, 36, 37].into_iter().map(|count| window.take(count)).collect();
        assert_eq!(taken, [true, true, false, true, true, false, false]);
    }
}
