//! Calls that nobody waits for any more: whoever made them has cancelled them, or has left.
//!
//! The process may still work on them, and need not answer what was cancelled (basic/utilities/cancellation). What it
//! asks and logs meanwhile may be about any of them, and is for nobody else.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use super::super::session::Session;
use crate::owner::Owner;

/// So many are known by their numbers.
const MOST: usize = 4096;
/// Where a call may take as long as it likes: longer than any process runs.
const FOR_EVER: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);

/// Calls that may be under way, each until it is answered or as long as a call may take.
pub(super) struct Left {
    longest: Duration,
    calls: HashMap<i64, Call>,
    /// Until when there may be more of them: whose, nobody knows.
    more: Option<Instant>,
}

struct Call {
    session: u64,
    owner: Owner,
    until: Instant,
}

impl Left {
    /// None yet; `longest` is [`Limits::call`](crate::Limits::call).
    pub(super) fn new(longest: Option<Duration>) -> Self {
        Self { longest: longest.unwrap_or(FOR_EVER), calls: HashMap::new(), more: None }
    }

    /// Nobody waits for the answer to that request any more.
    pub(super) fn add(&mut self, number: i64, session: &Session) {
        let now = Instant::now();
        let until = now + self.longest;
        if self.calls.len() >= MOST {
            self.calls.retain(|_, call| call.until > now);
        }
        if self.calls.len() >= MOST {
            self.more = Some(until);
            return;
        }
        self.calls.insert(number, Call { session: session.number, owner: session.owner.clone(), until });
    }

    /// The process is done with it, if it is one of them.
    pub(super) fn answered(&mut self, number: i64) {
        self.calls.remove(&number);
    }

    pub(super) fn are_none(&self) -> bool {
        self.are_all(|_| false)
    }

    /// Whether nobody but that session has left any.
    pub(super) fn are_of(&self, session: &Session) -> bool {
        self.are_all(|call| call.session == session.number)
    }

    /// Whether no other user has left any.
    pub(super) fn are_of_user(&self, owner: &Owner) -> bool {
        self.are_all(|call| call.owner.is_same_user(owner))
    }

    fn are_all(&self, is_such: impl Fn(&Call) -> bool) -> bool {
        let now = Instant::now();
        self.more.is_none_or(|until| until <= now)
            && self.calls.values().all(|call| call.until <= now || is_such(call))
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::Limits;

    fn session(user: &str) -> Session {
        Session::new(Owner::named(user), &Limits::default(), CancellationToken::new()).0
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_is_left_until_it_is_answered_or_its_time_is_over() {
        let (alice, again, bob) = (session("alice"), session("alice"), session("bob"));
        let mut left = Left::new(Some(Duration::from_secs(60)));
        assert!(left.are_none());
        left.add(1, &alice);
        assert!(!left.are_none());
        assert_eq!([&alice, &again, &bob].map(|session| left.are_of(session)), [true, false, false]);
        assert_eq!(
            [&alice, &again, &bob].map(|session| left.are_of_user(&session.owner)),
            [true, true, false]
        );
        left.add(2, &bob);
        assert!(!left.are_of_user(&alice.owner) && !left.are_of_user(&bob.owner));
        left.answered(1);
        assert!(left.are_of(&bob));
        advance(Duration::from_secs(59)).await;
        assert!(!left.are_none());
        advance(Duration::from_secs(1)).await;
        assert!(left.are_none());
    }

    /// Whose those are that are too many to be kept, is not known: they may be anybody's.
    #[tokio::test(start_paused = true)]
    async fn so_many_are_kept_and_more_may_be_anybodys() {
        let alice = session("alice");
        let mut left = Left::new(Some(Duration::from_secs(60)));
        let most = i64::try_from(MOST).unwrap();
        (0..most).for_each(|number| left.add(number, &alice));
        assert!(left.are_of(&alice));
        left.add(most, &alice);
        assert!(!left.are_of(&alice) && !left.are_of_user(&alice.owner));
        assert_eq!(left.calls.len(), MOST);
        (0..=most).for_each(|number| left.answered(number));
        assert!(!left.are_none());
        advance(Duration::from_secs(60)).await;
        assert!(left.are_none());
        // Those whose time is over make room.
        (0..most).for_each(|number| left.add(number, &alice));
        advance(Duration::from_secs(60)).await;
        left.add(most, &alice);
        assert!(left.are_of(&alice));
        assert_eq!(left.calls.len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn where_calls_have_no_limit_they_are_left_for_ever() {
        let mut left = Left::new(None);
        left.add(1, &session("alice"));
        advance(Duration::from_secs(365 * 24 * 60 * 60)).await;
        assert!(!left.are_none());
    }
}
