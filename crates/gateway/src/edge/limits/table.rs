//! Who has how much at this moment, in bounded memory.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::{Limit, Much};

const SHARDS: usize = 16;
/// So many are told apart in a shard: 65,536 in all, at some 40 bytes each. Whoever finds no room among them shares one
/// allowance with all others that found none: a scan from many addresses costs no memory, and gets no more than one of them.
const ROOM: usize = 4096;
/// How often a full shard is looked through for those that have nothing any more.
const SWEEP: Duration = Duration::from_millis(100);
/// Under which those are counted that found no room.
const OTHERS: u64 = u64::MAX;
/// When a place may be free again: nobody knows.
const AT_ONCE: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Table {
    limit: Limit,
    shards: [Arc<Mutex<Shard>>; SHARDS],
    hashing: RandomState,
    start: Instant,
}

#[derive(Debug, Default)]
struct Shard {
    uses: HashMap<u64, Use>,
    swept: Duration,
}

/// What one of them has.
#[derive(Clone, Copy, Debug, Default)]
struct Use {
    /// The "theoretical arrival time" of the generic cell rate algorithm (ITU-T I.371): when the next would come, had all kept
    /// to the rate.
    paid_until: Duration,
    requests: u32,
    streams: u32,
}

impl Use {
    fn has_something(&self, now: Duration) -> bool {
        self.paid_until > now || self.requests > 0
    }
}

impl Table {
    pub(super) fn new(limit: Limit) -> Self {
        Self { limit, shards: Default::default(), hashing: RandomState::new(), start: Instant::now() }
    }

    /// Time, as the table counts it.
    pub(super) fn now(&self) -> Duration {
        self.start.elapsed()
    }

    pub(super) fn key_of(&self, name: &str) -> u64 {
        self.hashing.hash_one(name)
    }

    /// Takes a place, or says what there is too much of, and when to come again.
    pub(super) fn enter(&self, key: u64, is_stream: bool, now: Duration) -> Result<Held, (Much, Duration)> {
        let [first, ..] = &self.shards;
        let number = usize::try_from(self.hashing.hash_one(key)).unwrap_or_default() % SHARDS;
        let shard = self.shards.get(number).unwrap_or(first);
        let mut locked = lock(shard);
        let key = locked.room_for(key, now);
        let entry = locked.uses.entry(key).or_default();
        entry.take(&self.limit, is_stream, now)?;
        drop(locked);
        Ok(Held { shard: Arc::clone(shard), key, is_stream })
    }

    #[cfg(test)]
    fn size(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).uses.len()).sum()
    }
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shard {
    /// The key itself, where it is known or there is room for it.
    fn room_for(&mut self, key: u64, now: Duration) -> u64 {
        if self.uses.len() < ROOM || self.uses.contains_key(&key) {
            return key;
        }
        if now >= self.swept + SWEEP {
            self.swept = now;
            self.uses.retain(|_, entry| entry.has_something(now));
        }
        if self.uses.len() < ROOM { key } else { OTHERS }
    }
}

impl Use {
    fn take(&mut self, limit: &Limit, is_stream: bool, now: Duration) -> Result<(), (Much, Duration)> {
        let is_full = |most: Option<NonZeroU32>, has: u32| most.is_some_and(|most| has >= most.get());
        if is_full(limit.requests, self.requests) {
            return Err((Much::Requests, AT_ONCE));
        }
        if is_stream && is_full(limit.streams, self.streams) {
            return Err((Much::Streams, AT_ONCE));
        }
        if let Some(rate) = limit.rate {
            let each = Duration::from_secs(1) / rate.get();
            let ahead = each * (limit.burst.unwrap_or(rate).get() - 1);
            let paid = self.paid_until.max(now);
            let wait = (paid - now).saturating_sub(ahead);
            if wait > Duration::ZERO {
                return Err((Much::Rate, wait));
            }
            self.paid_until = paid + each;
        }
        self.requests += 1;
        self.streams += u32::from(is_stream);
        Ok(())
    }
}

/// A place that was taken. It is free when this is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    shard: Arc<Mutex<Shard>>,
    key: u64,
    is_stream: bool,
}

impl Held {
    /// It was answered with a stream, which nobody has asked for.
    pub(crate) fn is_a_stream(&mut self) {
        if !std::mem::replace(&mut self.is_stream, true)
            && let Some(entry) = lock(&self.shard).uses.get_mut(&self.key)
        {
            entry.streams += 1;
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(entry) = lock(&self.shard).uses.get_mut(&self.key) {
            entry.requests = entry.requests.saturating_sub(1);
            entry.streams = entry.streams.saturating_sub(u32::from(self.is_stream));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn table(rate: u32, burst: u32, requests: u32, streams: u32) -> Table {
        let number = NonZeroU32::new;
        Table::new(Limit {
            rate: number(rate),
            burst: number(burst),
            requests: number(requests),
            streams: number(streams),
        })
    }

    fn at(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn rate(milliseconds: u64) -> Option<(Much, Duration)> {
        Some((Much::Rate, at(milliseconds)))
    }

    #[test]
    fn a_burst_and_then_the_rate() {
        let table = table(10, 3, 0, 0);
        let come = |now| table.enter(1, false, at(now)).err();
        assert_eq!([come(0), come(0), come(0)], [None; 3]);
        assert_eq!((come(0), come(60)), (rate(100), rate(40)), "it says how long to wait");
        assert_eq!((come(100), come(100)), (None, rate(100)), "one more for each tenth of a second");
        assert_eq!([come(10_000), come(10_000), come(10_000)], [None; 3], "who waits has the burst again");
        assert_eq!(come(10_000), rate(100), "and no more, however long");
        assert!(table.enter(2, false, at(0)).is_ok(), "others have their own");
    }

    #[test]
    fn without_a_burst_there_is_a_second_of_it() {
        let table = table(2, 0, 0, 0);
        let come = |now| table.enter(1, false, at(now)).err();
        assert_eq!([come(0), come(0), come(0)], [None, None, rate(500)]);
    }

    #[test]
    fn so_many_at_once() {
        let table = table(0, 0, 2, 1);
        let (one, two) = (table.enter(1, true, at(0)).unwrap(), table.enter(1, false, at(0)).unwrap());
        let third = |is_stream| table.enter(1, is_stream, at(0)).err();
        assert_eq!(third(false), Some((Much::Requests, AT_ONCE)));
        drop(two);
        assert_eq!(third(true), Some((Much::Streams, AT_ONCE)));
        assert_eq!(third(false), None);
        drop(one);
        assert_eq!(third(true), None);
    }

    /// It has been acted upon: it counts, and is not refused.
    #[test]
    fn a_stream_that_nobody_asked_for_counts() {
        let table = table(0, 0, 0, 1);
        let mut held = [table.enter(1, false, at(0)).unwrap(), table.enter(1, false, at(0)).unwrap()];
        held.iter_mut().for_each(Held::is_a_stream);
        held[0].is_a_stream();
        let stream = || table.enter(1, true, at(0)).err();
        let [first, second] = held;
        drop(first);
        assert_eq!(stream(), Some((Much::Streams, AT_ONCE)));
        drop(second);
        assert_eq!(stream(), None);
    }

    /// A request that was refused has cost nothing of the rate.
    #[test]
    fn what_is_refused_is_not_paid_for() {
        let table = table(1, 2, 1, 0);
        let held = table.enter(1, false, at(0)).unwrap();
        assert_eq!(table.enter(1, false, at(0)).err(), Some((Much::Requests, AT_ONCE)));
        drop(held);
        assert_eq!(table.enter(1, false, at(0)).err(), None);
        assert_eq!(table.enter(1, false, at(0)).err(), rate(1000));
    }

    /// A million addresses, each once, while one is at work.
    #[test]
    fn a_scan_costs_bounded_memory_and_takes_nothing_from_who_is_there() {
        let table = table(10, 1, 2, 0);
        let held = table.enter(7, false, at(0)).unwrap();
        let passed = (1_000..1_001_000).filter(|key| table.enter(*key, false, at(0)).is_ok()).count();
        assert!(table.size() <= SHARDS * (ROOM + 1), "{}", table.size());
        assert!(passed <= SHARDS * (ROOM + 1), "those without room share one allowance a shard: {passed}");
        assert!(table.enter(7, false, at(100)).is_ok(), "who was there keeps what is theirs");
        let later = (2_000_000..2_001_000).filter(|key| table.enter(*key, false, at(1_000)).is_ok()).count();
        assert_eq!(later, 1_000, "what is over makes room");
        drop(held);
    }

    proptest! {
        /// Whatever the times, no more pass within any stretch of time than the burst and what the rate brings in it.
        #[test]
        fn never_more_than_burst_and_rate(steps in prop::collection::vec(0u64..400, 1..200), burst in 1u32..6) {
            let table = table(10, burst, 0, 0);
            let mut now = 0;
            let mut passed: Vec<u64> = Vec::new();
            for step in steps {
                now += step;
                if table.enter(1, false, at(now)).is_ok() {
                    passed.push(now);
                }
            }
            for (first, from) in passed.iter().enumerate() {
                for (last, to) in passed.iter().enumerate().skip(first) {
                    let count = (last - first + 1) as u64;
                    prop_assert!(count <= u64::from(burst) + (to - from) / 100, "{} in {}", count, to - from);
                }
            }
        }

        /// What is taken comes back.
        #[test]
        fn places_are_never_lost(takes in prop::collection::vec((0u64..3, any::<bool>(), any::<bool>()), 1..100)) {
            let table = table(0, 0, 4, 2);
            let mut held = Vec::new();
            for (key, is_stream, gives_back) in takes {
                if gives_back {
                    held.pop();
                }
                held.extend(table.enter(key, is_stream, at(0)));
            }
            drop(held);
            for key in 0..3 {
                let all: Vec<_> = (0..4).map(|count| table.enter(key, count < 2, at(0))).collect();
                prop_assert!(all.iter().all(Result::is_ok));
            }
        }
    }
}
