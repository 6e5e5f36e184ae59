//! What counts once: DPoP proofs (RFC 9449 §11.1) and the counts of Digest (RFC 7616 §3.4), remembered until they have ended
//! of themselves.

use std::collections::hash_map::RandomState;
use std::collections::{BTreeSet, HashMap};
use std::hash::BuildHasher;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use hallpass_protocol::time::Timestamp;

/// The most that is remembered in this process. Each is some 50 bytes.
const REMEMBERED: usize = 200_000;
/// How often what has ended is forgotten.
const SWEEP: Duration = Duration::from_secs(60);

/// Something that counts once.
#[derive(Clone, Copy, Debug)]
pub struct Once<'a> {
    /// Who sent it: two parties may use one id.
    pub party: &'a str,
    /// Its name.
    pub id: &'a str,
    /// From then on it is refused anyway, and may be forgotten.
    pub ends: Timestamp,
}

/// Whether something was there before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// It was not, and is noted now.
    New,
    /// It was, or may have been.
    Before,
    /// Nobody can tell at this moment. The request is refused with 503.
    Unknown,
}

/// Where it is remembered what was there before: in this process, or where several replicas do.
pub trait Memory: Send + Sync {
    /// Looks and notes in one step: of several who ask at the same time, one hears [`Seen::New`].
    fn see<'a>(&'a self, once: Once<'a>, now: Timestamp) -> Pin<Box<dyn Future<Output = Seen> + Send + 'a>>;
}

/// What was there before. Replicas that share a [`Memory`] take nothing twice between them.
#[derive(Clone)]
pub struct Replays(Arc<dyn Memory>);

impl Replays {
    /// Remembered there.
    #[must_use]
    pub fn new(memory: impl Memory + 'static) -> Self {
        Self(Arc::new(memory))
    }

    pub(crate) async fn see(&self, once: Once<'_>, now: Timestamp) -> Seen {
        self.0.see(once, now).await
    }
}

impl Default for Replays {
    /// Remembered in this process.
    fn default() -> Self {
        Self::new(InThisProcess::remembering(REMEMBERED))
    }
}

impl std::fmt::Debug for Replays {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Replays")
    }
}

/// A memory of bounded size, in which nobody pushes out what another sent: where it is full, whoever holds most of it gives
/// up its older half, and from then on has to send what is younger than that.
struct InThisProcess {
    most: usize,
    parties: Mutex<Parties>,
    key: RandomState,
}

#[derive(Default)]
struct Parties {
    /// By a keyed hash: names may be long.
    of: HashMap<u64, Party>,
    held: usize,
    swept: Option<Timestamp>,
}

#[derive(Default)]
struct Party {
    seen: BTreeSet<(Timestamp, u128)>,
    /// What ends no later than this may have been there.
    given_up: Option<Timestamp>,
}

impl InThisProcess {
    fn remembering(most: usize) -> Self {
        Self { most, parties: Mutex::default(), key: RandomState::new() }
    }

    fn note(&self, once: Once<'_>, now: Timestamp) -> Seen {
        let (party, id) = (self.key.hash_one(once.party), short(once.id));
        let mut parties = self.parties.lock().unwrap_or_else(PoisonError::into_inner);
        parties.sweep(now);
        let party = parties.of.entry(party).or_default();
        let given_up = party.given_up.is_some_and(|until| once.ends <= until);
        if given_up || once.ends <= now || !party.seen.insert((once.ends, id)) {
            return Seen::Before;
        }
        parties.held += 1;
        if parties.held > self.most {
            parties.give_up();
        }
        Seen::New
    }
}

impl Memory for InThisProcess {
    fn see<'a>(&'a self, once: Once<'a>, now: Timestamp) -> Pin<Box<dyn Future<Output = Seen> + Send + 'a>> {
        Box::pin(std::future::ready(self.note(once, now)))
    }
}

impl Parties {
    /// Forgets what has ended.
    fn sweep(&mut self, now: Timestamp) {
        if self.swept.is_some_and(|swept| now < swept.after(SWEEP)) {
            return;
        }
        self.swept = Some(now);
        self.of.retain(|_, party| {
            party.seen = party.seen.split_off(&(now.after(Duration::from_secs(1)), 0));
            !party.seen.is_empty() || party.given_up.is_some_and(|until| now < until)
        });
        self.held = self.of.values().map(|party| party.seen.len()).sum();
    }

    /// The older half of whoever holds most.
    fn give_up(&mut self) {
        let Some(party) = self.of.values_mut().max_by_key(|party| party.seen.len()) else { return };
        let half = party.seen.len().div_ceil(2);
        self.held -= half;
        for _ in 0..half {
            if let Some((ends, _)) = party.seen.pop_first() {
                party.given_up = Some(ends);
            }
        }
    }
}

/// Half of its SHA-256 is enough to tell ids of one sender apart.
fn short(id: &str) -> u128 {
    let hash = digest(&SHA256, id.as_bytes());
    hash.as_ref().first_chunk().map_or(0, |half| u128::from_be_bytes(*half))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp::from_unix(1_000);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix(1_000 + seconds)
    }

    fn once<'a>(party: &'a str, id: &'a str, ends: i64) -> Once<'a> {
        Once { party, id, ends: at(ends) }
    }

    #[test]
    fn each_counts_once_for_each_party_until_it_has_ended() {
        let memory = InThisProcess::remembering(10);
        assert_eq!(memory.note(once("alice", "1", 300), NOW), Seen::New);
        assert_eq!(memory.note(once("alice", "1", 300), at(299)), Seen::Before);
        assert_eq!(memory.note(once("bob", "1", 300), NOW), Seen::New);
        assert_eq!(memory.note(once("alice", "1", 300), at(300)), Seen::Before, "ended of itself");
        assert_eq!(memory.note(once("alice", "1", 700), at(400)), Seen::New);
        assert_eq!(memory.parties.lock().unwrap().held, 1, "what has ended is forgotten");
    }

    /// Whoever floods the memory gives up what is its own.
    #[test]
    fn one_who_floods_pushes_out_nobody() {
        let memory = InThisProcess::remembering(100);
        assert_eq!(memory.note(once("alice", "1", 300), NOW), Seen::New);
        for n in 0..1_000 {
            let id = n.to_string();
            assert_eq!(memory.note(once("mallory", &id, 301 + n), NOW), Seen::New, "{n}");
        }
        assert!(memory.parties.lock().unwrap().held <= 100);
        assert_eq!(memory.note(once("alice", "1", 300), NOW), Seen::Before);
        assert_eq!(memory.note(once("alice", "2", 300), NOW), Seen::New);
        // What it gave up may have been there.
        assert_eq!(memory.note(once("mallory", "0", 301), NOW), Seen::Before);
        assert_eq!(memory.note(once("mallory", "new", 302), NOW), Seen::Before);
        assert_eq!(memory.note(once("mallory", "new", 2_000), NOW), Seen::New);
    }

    proptest! {
        /// However small the memory and whoever sends what, nothing counts twice.
        #[test]
        fn nothing_counts_twice(
            most in 0usize..8,
            sent in prop::collection::vec((0u8..4, 0u8..8, 1i64..200, 0i64..3), 0..300),
        ) {
            let memory = InThisProcess::remembering(most);
            let (mut taken, mut now) = (std::collections::HashSet::new(), 0);
            for (party, id, ends, passes) in sent {
                now += passes;
                let once = (party.to_string(), id.to_string(), ends);
                let seen = memory.note(Once { party: &once.0, id: &once.1, ends: at(ends) }, at(now));
                prop_assert!(seen != Seen::New || taken.insert(once));
                prop_assert!(memory.parties.lock().unwrap().held <= most);
            }
        }
    }
}
