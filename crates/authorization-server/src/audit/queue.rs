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

/// An event and its time.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    pub(crate) at: Timestamp,
    pub(crate) event: NewEvent,
}

/// The events of one process.
pub(crate) struct Queue {
    waiting: Mutex<State>,
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
        Self { waiting: Mutex::default(), kept_seconds: AtomicU64::new(KEPT.as_secs()) }
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
        let mut state = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        match state.has_room(event.kind, now) {
            true => state.events.push(Waiting { at: now, event }),
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
            events.push(Waiting { at: now, event });
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

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix(seconds)
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
        assert_eq!(events.len(), MOST_WAITING + 1);
        assert_eq!(events.last().unwrap().event.detail.as_deref(), Some("1 events"), "the count");
        queue.push(NewEvent::new(AuditKind::LoggedIn), at(0));
        queue.put_back(events);
        let events = queue.take(at(0));
        assert_eq!(events.len(), MOST_WAITING + 1);
        assert_eq!(events.last().unwrap().event.detail.as_deref(), Some("2 events"));
    }
}
