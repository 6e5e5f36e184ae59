//! Events that wait to be written, within bounds.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hallpass_protocol::time::Timestamp;

use super::{AuditKind, NewEvent};

/// So many wait, should the database be away; then the rest is counted.
const MOST_WAITING: usize = 10_000;
/// What strangers cause is taken so often a minute by each process: a flood of refusals must not fill the disk. Kept for a
/// week, that is three million rows.
const STRANGERS_A_MINUTE: u32 = 300;
const MINUTE: i64 = 60;
/// How long what strangers did not cause is kept, where nobody says otherwise: 90 days.
const KEPT: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// An event with its time and place in the order.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    pub(crate) id: String,
    pub(crate) at: Timestamp,
    pub(crate) event: NewEvent,
}

/// The events of one process.
pub(crate) struct Queue {
    waiting: Mutex<State>,
    number: AtomicU64,
    kept_seconds: AtomicU64,
}

#[derive(Default)]
struct State {
    events: Vec<Waiting>,
    left_out: u64,
    minute: i64,
    by_strangers: u32,
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            waiting: Mutex::default(),
            number: AtomicU64::default(),
            kept_seconds: AtomicU64::new(KEPT.as_secs()),
        }
    }
}

impl Queue {
    /// How long events are kept that strangers did not cause.
    pub(crate) fn kept(&self) -> Duration {
        Duration::from_secs(self.kept_seconds.load(Ordering::Relaxed))
    }

    pub(crate) fn keep_for(&self, lifetime: Duration) {
        self.kept_seconds.store(lifetime.as_secs(), Ordering::Relaxed);
    }

    /// Takes an event, or counts it where there is no room.
    pub(crate) fn push(&self, event: NewEvent, now: Timestamp) {
        let id = self.id(now);
        let mut state = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        match state.has_room(event.kind, now) {
            true => state.events.push(Waiting { id, at: now, event }),
            false => state.left_out += 1,
        }
    }

    /// All that wait; and how many had no room, as one event more.
    pub(crate) fn take(&self, now: Timestamp) -> Vec<Waiting> {
        let mut state = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let left_out = std::mem::take(&mut state.left_out);
        let mut events = std::mem::take(&mut state.events);
        drop(state);
        if left_out > 0 {
            let event = NewEvent::new(AuditKind::LeftOut).detail(format!("{left_out} events"));
            events.push(Waiting { id: self.id(now), at: now, event });
        }
        events
    }

    /// What could not be written waits again.
    pub(crate) fn put_back(&self, mut events: Vec<Waiting>) {
        let mut state = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        events.append(&mut state.events);
        let over = events.len().saturating_sub(MOST_WAITING);
        events.truncate(MOST_WAITING);
        state.left_out += over as u64;
        state.events = events;
    }

    /// Digits and small letters alone, of one length: in order of time in every collation.
    fn id(&self, now: Timestamp) -> String {
        let number = self.number.fetch_add(1, Ordering::Relaxed) % 1_000_000_000;
        format!("{}{number:09}{:08x}", first_id_of(now), rand::random::<u32>())
    }
}

impl State {
    fn has_room(&mut self, kind: AuditKind, now: Timestamp) -> bool {
        if self.events.len() >= MOST_WAITING {
            return false;
        }
        if !kind.is_fleeting() {
            return true;
        }
        let minute = now.unix().div_euclid(MINUTE);
        if minute != self.minute {
            (self.minute, self.by_strangers) = (minute, 0);
        }
        self.by_strangers = self.by_strangers.saturating_add(1);
        self.by_strangers <= STRANGERS_A_MINUTE
    }
}

/// What ids of this second begin with; no id of an earlier one is behind it.
pub(crate) fn first_id_of(at: Timestamp) -> String {
    format!("{:012}", at.unix().max(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix(seconds)
    }

    #[test]
    fn ids_are_in_order_of_time() {
        let queue = Queue::default();
        for second in [5, 5, 6, 1_000_000_000, 10_000_000_000] {
            queue.push(NewEvent::new(AuditKind::LoggedIn), at(second));
        }
        let ids: Vec<_> = queue.take(at(0)).into_iter().map(|waiting| waiting.id).collect();
        assert!(ids.is_sorted(), "{ids:?}");
        assert!(first_id_of(at(6)) > ids[1] && first_id_of(at(6)) < ids[2]);
    }

    #[test]
    fn a_flood_of_strangers_is_counted_and_keeps_nothing_else_out() {
        let queue = Queue::default();
        for _ in 0..STRANGERS_A_MINUTE + 7 {
            queue.push(NewEvent::new(AuditKind::ErrorPage), at(0));
        }
        queue.push(NewEvent::new(AuditKind::LoggedIn), at(0));
        let events = queue.take(at(0));
        assert_eq!(events.len(), STRANGERS_A_MINUTE as usize + 2);
        assert_eq!(events.last().unwrap().event.detail.as_deref(), Some("7 events"));
        queue.push(NewEvent::new(AuditKind::ErrorPage), at(59));
        queue.push(NewEvent::new(AuditKind::ErrorPage), at(60));
        assert_eq!(queue.take(at(60)).len(), 2, "one of the next minute, and the count");
    }

    #[test]
    fn what_waits_for_a_database_is_bounded() {
        let queue = Queue::default();
        for _ in 0..MOST_WAITING + 1 {
            queue.push(NewEvent::new(AuditKind::TokenIssued), at(0));
        }
        let events = queue.take(at(0));
        assert_eq!(events.len(), MOST_WAITING + 1, "with the count");
        queue.push(NewEvent::new(AuditKind::LoggedIn), at(0));
        queue.put_back(events);
        let events = queue.take(at(0));
        assert_eq!(events.len(), MOST_WAITING + 1);
        assert_eq!(events.last().unwrap().event.detail.as_deref(), Some("2 events"));
    }
}
