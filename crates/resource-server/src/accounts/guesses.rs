//! Wrong passwords, counted for an account and for an address: beyond a few, each next one waits longer.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hallpass_protocol::time::Timestamp;

use crate::refusal::Refusal;

/// So many for one account before anybody waits.
const FREE_OF_ACCOUNT: u32 = 10;
/// So many from one address: several people may sit behind it.
const FREE_OF_ADDRESS: u32 = 50;
/// The longest wait is 2 to this power, in seconds: enough against guessing, and too short to keep the owner out.
const MOST_DOUBLINGS: u32 = 6;
/// A counter is forgotten when nothing failed for so long.
const MEMORY: Duration = Duration::from_secs(60 * 60);
/// The most counters. Each is some 40 bytes.
const REMEMBERED: usize = 10_000;

/// Counters of wrong passwords, in this process.
#[derive(Default)]
pub(crate) struct Guesses {
    /// By a keyed hash: names come from anybody, at any length.
    counters: Mutex<HashMap<u64, Counter>>,
    key: RandomState,
}

struct Counter {
    failures: u32,
    blocked_until: Timestamp,
    forgotten: Timestamp,
}

/// An attempt that is counted already.
pub(crate) struct Attempt {
    account: u64,
    address: Option<u64>,
}

impl Guesses {
    /// Counts an attempt before its password is looked at, so that many at once cannot slip through together.
    ///
    /// # Errors
    /// [`Refusal::TooManyGuesses`].
    pub(crate) fn begin(&self, name: &str, from: Option<IpAddr>, now: Timestamp) -> Result<Attempt, Refusal> {
        let attempt = Attempt {
            account: self.key.hash_one(("account", name)),
            address: from.map(|address| self.key.hash_one(("address", network(address)))),
        };
        let mut counters = self.lock();
        let all = [Some((attempt.account, FREE_OF_ACCOUNT)), attempt.address.map(|of| (of, FREE_OF_ADDRESS))];
        let all = all.into_iter().flatten();
        let until = all.clone().filter_map(|(of, _)| counters.get(&of)).map(|one| one.blocked_until).max();
        if let Some(until) = until.filter(|until| now < *until) {
            let wait = u64::try_from(until.unix() - now.unix()).unwrap_or(1);
            return Err(Refusal::TooManyGuesses { wait: Duration::from_secs(wait) });
        }
        for (of, free) in all {
            make_room(&mut counters, of, now);
            let counter =
                counters.entry(of).or_insert(Counter { failures: 0, blocked_until: now, forgotten: now });
            if counter.forgotten <= now {
                counter.failures = 0;
            }
            counter.failures = counter.failures.saturating_add(1);
            if let Some(over) = counter.failures.checked_sub(free) {
                counter.blocked_until = now.after(Duration::from_secs(1 << over.min(MOST_DOUBLINGS)));
            }
            counter.forgotten = now.after(MEMORY);
        }
        Ok(attempt)
    }

    /// The password was right: the account starts anew, and its address has one failure less.
    pub(crate) fn succeeded(&self, attempt: &Attempt) {
        let mut counters = self.lock();
        counters.remove(&attempt.account);
        if let Some(address) = &attempt.address {
            take_back(&mut counters, address);
        }
    }

    /// The password was not looked at.
    pub(crate) fn not_made(&self, attempt: &Attempt) {
        let mut counters = self.lock();
        take_back(&mut counters, &attempt.account);
        if let Some(address) = &attempt.address {
            take_back(&mut counters, address);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Counter>> {
        self.counters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn take_back(counters: &mut HashMap<u64, Counter>, of: &u64) {
    if let Some(counter) = counters.get_mut(of) {
        counter.failures = counter.failures.saturating_sub(1);
        counter.blocked_until = Timestamp::from_unix(0);
    }
}

/// Where there is none, the counter goes that has counted least: made-up names push out each other.
fn make_room(counters: &mut HashMap<u64, Counter>, of: u64, now: Timestamp) {
    if counters.len() < REMEMBERED || counters.contains_key(&of) {
        return;
    }
    counters.retain(|_, counter| now < counter.forgotten);
    if counters.len() >= REMEMBERED
        && let Some(least) = counters.iter().min_by_key(|(_, counter)| counter.failures).map(|(of, _)| *of)
    {
        counters.remove(&least);
    }
}

/// Whoever has one address of IPv6 has the 64 bits after its network.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64)).into(),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_unix(1_800_000_000);

    fn at(seconds: u64) -> Timestamp {
        NOW.after(Duration::from_secs(seconds))
    }

    fn wait(guesses: &Guesses, name: &str, from: Option<&str>, now: Timestamp) -> u64 {
        match guesses.begin(name, from.map(|from| from.parse().unwrap()), now) {
            Ok(_) => 0,
            Err(Refusal::TooManyGuesses { wait }) => wait.as_secs(),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn waits_grow_up_to_a_minute_and_are_forgotten() {
        let guesses = Guesses::default();
        for _ in 0..FREE_OF_ACCOUNT {
            assert_eq!(wait(&guesses, "ci", None, NOW), 0);
        }
        let mut time = 0;
        for expected in [1, 2, 4, 8, 16, 32, 64, 64] {
            assert_eq!(wait(&guesses, "ci", None, at(time)), expected);
            assert_eq!(wait(&guesses, "other", None, at(time)), 0, "another account");
            time += expected;
            assert_eq!(wait(&guesses, "ci", None, at(time)), 0);
        }
        assert_eq!(wait(&guesses, "ci", None, at(time + 4000)), 0);
        assert_eq!(wait(&guesses, "ci", None, at(time + 4000)), 0);
    }

    #[test]
    fn an_address_is_counted_over_all_accounts() {
        let guesses = Guesses::default();
        for n in 0..FREE_OF_ADDRESS {
            assert_eq!(wait(&guesses, &n.to_string(), Some("2001:db8::1"), NOW), 0);
        }
        assert_eq!(wait(&guesses, "x", Some("2001:db8::ffff"), NOW), 1);
        assert_eq!(wait(&guesses, "x", Some("2001:db8:1::1"), NOW), 0);
    }

    #[test]
    fn a_right_password_starts_anew() {
        let guesses = Guesses::default();
        for _ in 0..30 {
            let attempt = guesses.begin("ci", Some("192.0.2.1".parse().unwrap()), NOW).unwrap();
            guesses.succeeded(&attempt);
            let attempt = guesses.begin("ci", Some("192.0.2.1".parse().unwrap()), NOW).unwrap();
            guesses.not_made(&attempt);
        }
    }

    #[test]
    fn made_up_names_cost_a_bounded_memory_and_push_out_no_account_that_is_guessed_at() {
        let guesses = Guesses::default();
        for _ in 0..FREE_OF_ACCOUNT {
            assert_eq!(wait(&guesses, "ci", None, NOW), 0);
        }
        for n in 0..REMEMBERED + 50 {
            assert_eq!(wait(&guesses, &format!("made up {n}"), None, NOW), 0);
        }
        assert_eq!(guesses.lock().len(), REMEMBERED);
        assert_eq!(wait(&guesses, "ci", None, NOW), 1);
    }
}
