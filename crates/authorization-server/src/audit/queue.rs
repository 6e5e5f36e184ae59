//! Events that wait to be written, within bounds.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use hallpass_protocol::time::Timestamp;

use super::{AuditKind, NewEvent};

/// So many wait, should the database be away; then the rest is counted.
const MOST_WAITING: usize = 10_000;
/// What strangers cause is taken so often a minute by each process, of each kind: a flood of refusals must not fill the
/// disk, and cheap ones must not hide guesses at passwords. Kept for a week, that is three million rows of each kind.
const STRANGERS_A_MINUTE: u32 = 300;
const MINUTE: i64 = 60;
/// Among so many of the latest events, one that happens again within its second is counted.
const LATEST: usize = 16;
/// How long what strangers did not cause is kept, where nobody says otherwise: 90 days.
const KEPT: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// An event, its time, and how often it happened then.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    pub(crate) at: Timestamp,
    pub(crate) event: NewEvent,
    times: u32,
}

/// The events of one process.
pub(crate) struct Queue {
    waiting: Mutex<State>,
    /// Held by whoever writes, so that who writes next finds written what came before.
    writing: tokio::sync::Mutex<()>,
    kept_seconds: AtomicU64,
    /// Who else hears of what was written.
    hears: OnceLock<Hears>,
}

type Hears = Box<dyn Fn(&Recorded<'_>) + Send + Sync>;

/// An event that stands in the log now, for another log beside it.
#[derive(Clone, Copy, Debug)]
pub struct Recorded<'a> {
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    pub kind: AuditKind,
    /// How often, within that second.
    pub times: u32,
    /// The person it is about, by id.
    pub user_id: Option<&'a str>,
    /// Who did it, where that is another.
    pub actor: Option<&'a str>,
    /// The client.
    pub client_id: Option<&'a str>,
    /// The grant.
    pub grant_id: Option<&'a str>,
    /// The network address it came from.
    pub address: Option<&'a str>,
    /// The reference that an error page has shown.
    pub reference: Option<&'a str>,
    /// More, in words.
    pub detail: Option<&'a str>,
}

#[derive(Default)]
struct State {
    events: Vec<Waiting>,
    left_out: u64,
    minute: i64,
    /// How many came in this minute.
    by_strangers: HashMap<AuditKind, u32>,
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            waiting: Mutex::default(),
            writing: tokio::sync::Mutex::default(),
            kept_seconds: AtomicU64::new(KEPT.as_secs()),
            hears: OnceLock::new(),
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

    /// From now on `hear` is told of each event that was written. The first to ask is told, and no other.
    pub(crate) fn tell(&self, hear: impl Fn(&Recorded<'_>) + Send + Sync + 'static) {
        drop(self.hears.set(Box::new(hear)));
    }

    /// Takes an event, or counts it where there is no room.
    pub(crate) fn push(&self, event: NewEvent, now: Timestamp) {
        let mut state = self.state();
        match state.has_room(event.kind, now) {
            true => state.events.push(Waiting { at: now, event, times: 1 }),
            false => state.left_out += 1,
        }
    }

    /// The same for what a machine may cause a thousand times a second: where it waits already, it is counted.
    pub(crate) fn push_or_count(&self, event: NewEvent, now: Timestamp) {
        let mut state = self.state();
        let mut latest = state.events.iter_mut().rev().take(LATEST);
        match latest.find(|waiting| waiting.at == now && waiting.event == event) {
            Some(same) => same.times = same.times.saturating_add(1),
            None => {
                drop(state);
                self.push(event, now);
            }
        }
    }

    /// Waits for whoever writes at this moment.
    pub(crate) async fn turn(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.writing.lock().await
    }

    /// All that wait; and how many had no room, as one event more.
    pub(crate) fn take(&self, now: Timestamp) -> Taken<'_> {
        let mut state = self.state();
        let left_out = std::mem::take(&mut state.left_out);
        let mut events = std::mem::take(&mut state.events);
        drop(state);
        if left_out > 0 {
            let event = NewEvent::new(AuditKind::LeftOut).detail(format!("{left_out} events"));
            events.push(Waiting { at: now, event, times: 1 });
        }
        Taken { queue: self, events, left_out }
    }

    fn put_back(&self, mut events: Vec<Waiting>, left_out: u64) {
        let mut state = self.state();
        events.append(&mut state.events);
        let over = events.len().saturating_sub(MOST_WAITING);
        events.truncate(MOST_WAITING);
        state.left_out += left_out + over as u64;
        state.events = events;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn recorded(&self) -> Recorded<'_> {
        Recorded {
            at: self.at,
            kind: self.event.kind,
            times: self.times,
            user_id: self.event.user.as_deref(),
            actor: self.event.actor.as_deref(),
            client_id: self.event.client.as_deref(),
            grant_id: self.event.grant.as_deref(),
            address: self.event.address.as_deref(),
            reference: self.event.reference.as_deref(),
            detail: self.event.detail.as_deref(),
        }
    }

    /// The event's detail; and how often it happened within its second, where that was more than once.
    pub(crate) fn detail(&self) -> Option<String> {
        match (self.times, &self.event.detail) {
            (1, detail) => detail.clone(),
            (times, detail) => Some(format!("{} ({times} times)", detail.as_deref().unwrap_or_default())),
        }
    }
}

/// Events on their way into the database. What was not written waits again, however it ends: by a failure, or dropped in
/// the middle by a timeout. Where the answer to a commit got lost, events may be written twice; none is missing.
pub(crate) struct Taken<'a> {
    queue: &'a Queue,
    events: Vec<Waiting>,
    /// What the last event says, where it is not zero.
    left_out: u64,
}

impl Taken<'_> {
    /// What is to be written next, so many at most.
    pub(crate) fn first(&self, most: usize) -> &[Waiting] {
        self.events.get(..most).unwrap_or(&self.events)
    }

    /// The first so many are written.
    pub(crate) fn written(&mut self, count: usize) {
        for waiting in self.events.drain(..count.min(self.events.len())) {
            if let Some(hear) = self.queue.hears.get() {
                hear(&waiting.recorded());
            }
        }
    }

    /// The first cannot be written: it is counted.
    pub(crate) fn leave_out_first(&mut self) {
        self.events.drain(..1.min(self.events.len()));
        self.queue.state().left_out += 1;
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        let mut events = std::mem::take(&mut self.events);
        if events.is_empty() {
            return;
        }
        // The count waits as a number: there may be more by the next time.
        if self.left_out > 0 {
            events.pop();
        }
        self.queue.put_back(events, self.left_out);
    }
}

impl State {
    fn has_room(&mut self, kind: AuditKind, now: Timestamp) -> bool {
        if self.events.len() >= MOST_WAITING {
            return false;
        }
        if !kind.is_rationed() {
            return true;
        }
        let minute = now.unix().div_euclid(MINUTE);
        if minute != self.minute {
            self.minute = minute;
            self.by_strangers.clear();
        }
        let count = self.by_strangers.entry(kind).or_default();
        *count = count.saturating_add(1);
        *count <= STRANGERS_A_MINUTE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix(seconds)
    }

    fn push(queue: &Queue, kind: AuditKind, times: usize) {
        for _ in 0..times {
            queue.push(NewEvent::new(kind), at(0));
        }
    }

    /// All that wait, and the detail of the last; they are written.
    fn write(queue: &Queue, now: Timestamp) -> (usize, Option<String>) {
        let mut taken = queue.take(now);
        let (count, last) = seen(&taken);
        taken.written(count);
        (count, last)
    }

    fn seen(taken: &Taken<'_>) -> (usize, Option<String>) {
        let events = taken.first(usize::MAX);
        (events.len(), events.last().and_then(|last| last.event.detail.clone()))
    }

    fn says(detail: &str) -> Option<String> {
        Some(detail.to_owned())
    }

    #[test]
    fn a_flood_of_strangers_is_counted_and_keeps_nothing_else_out() {
        let queue = Queue::default();
        let most = STRANGERS_A_MINUTE as usize;
        push(&queue, AuditKind::ErrorPage, most + 7);
        push(&queue, AuditKind::LoggedIn, 1);
        assert_eq!(write(&queue, at(0)), (most + 2, says("7 events")));
        queue.push(NewEvent::new(AuditKind::ErrorPage), at(59));
        queue.push(NewEvent::new(AuditKind::ErrorPage), at(60));
        assert_eq!(write(&queue, at(60)).0, 2, "one of the next minute, and the count");
    }

    #[test]
    fn one_kind_of_noise_hides_no_guesses() {
        let queue = Queue::default();
        let most = STRANGERS_A_MINUTE as usize;
        push(&queue, AuditKind::RequestRefused, most + 1);
        push(&queue, AuditKind::ErrorPage, most + 1);
        push(&queue, AuditKind::LoginRefused, most + 1);
        push(&queue, AuditKind::SecondFactorRefused, most + 1);
        assert_eq!(write(&queue, at(0)), (4 * most + 2, says("3 events")));
    }

    #[test]
    fn what_a_machine_causes_again_within_its_second_is_counted() {
        let queue = Queue::default();
        let event = |client: &str| NewEvent::new(AuditKind::TokenIssued).client(client).detail("notes:read");
        for n in 0..6 {
            queue.push_or_count(event(if n % 3 == 0 { "b" } else { "a" }), at(n / 4));
        }
        let mut taken = queue.take(at(1));
        let events = taken.first(usize::MAX).iter();
        let seen: Vec<_> = events.map(|w| (w.at.unix(), w.event.client.clone(), w.detail())).collect();
        let said = |at, client: &str, detail: &str| (at, says(client), says(detail));
        let expected = [
            said(0, "b", "notes:read (2 times)"),
            said(0, "a", "notes:read (2 times)"),
            said(1, "a", "notes:read (2 times)"),
        ];
        assert_eq!(seen, expected);
        taken.written(3);
        queue.push(event("a"), at(1));
        queue.push(event("a"), at(1));
        assert_eq!(write(&queue, at(1)).0, 2, "what people cause stands there each time");
    }

    #[test]
    fn what_waits_for_a_database_is_bounded() {
        let queue = Queue::default();
        push(&queue, AuditKind::TokenIssued, MOST_WAITING + 1);
        let taken = queue.take(at(0));
        assert_eq!(seen(&taken), (MOST_WAITING + 1, says("1 events")), "the count");
        push(&queue, AuditKind::LoggedIn, 1);
        drop(taken);
        assert_eq!(write(&queue, at(0)), (MOST_WAITING + 1, says("2 events")));
    }

    /// Once for each that was written, and never for one that was not.
    #[test]
    fn whoever_listens_hears_of_what_was_written() {
        let (queue, heard) = (Queue::default(), std::sync::Arc::new(Mutex::new(Vec::new())));
        let hears = std::sync::Arc::clone(&heard);
        queue.tell(move |event| {
            let detail = event.detail.map(str::to_owned);
            hears.lock().unwrap().push((event.kind, event.times, event.at.unix(), detail));
        });
        queue.push(NewEvent::new(AuditKind::LoggedIn).detail("first"), at(5));
        queue.push_or_count(NewEvent::new(AuditKind::TokenIssued), at(6));
        queue.push_or_count(NewEvent::new(AuditKind::TokenIssued), at(6));
        drop(queue.take(at(6)));
        let mut taken = queue.take(at(6));
        taken.leave_out_first();
        taken.written(1);
        assert_eq!(*heard.lock().unwrap(), [(AuditKind::TokenIssued, 2, 6, None)]);
    }

    #[test]
    fn what_was_taken_and_not_written_waits_again() {
        let queue = Queue::default();
        push(&queue, AuditKind::TokenIssued, MOST_WAITING + 5);
        drop(queue.take(at(0)));
        let mut taken = queue.take(at(0));
        assert_eq!(seen(&taken), (MOST_WAITING + 1, says("5 events")), "no count is lost");
        taken.written(MOST_WAITING - 2);
        taken.leave_out_first();
        drop(taken);
        assert_eq!(write(&queue, at(0)), (2, says("6 events")), "the last, and the count");
        assert_eq!(write(&queue, at(0)), (0, None));
    }
}
