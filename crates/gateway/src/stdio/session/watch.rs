//! What happens to a session by the passing of time.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::Session;
use crate::stdio::Limits;

/// How often is looked whether a stream is open: that is seen only by looking.
const LOOK: Duration = Duration::from_secs(60);

/// Ends requests that take too long. Done when nobody has used the session for too long.
pub(in crate::stdio) async fn watch(session: &Session, limits: &Limits) {
    loop {
        session.end_overdue();
        let now = Instant::now();
        let end = session.last_used() + limits.idle;
        if end <= now {
            return;
        }
        let longest = limits.call.unwrap_or(LOOK);
        let next = session.state().oldest().filter(|_| limits.call.is_some()).map(|since| since + longest);
        // A request that comes later than this look is not overdue before the next one.
        let look = now + LOOK.min(longest);
        sleep_until(end.min(look).min(next.unwrap_or(look))).await;
    }
}
