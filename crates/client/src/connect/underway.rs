//! Requests under way, whichever stream brings their answers.
//!
//! An answer belongs on the stream of its request (MCP 2025-11-25, "Sending Messages to the Server"). Some servers send it
//! on whatever stream is open, the one for what they say by themselves included. Nothing comes on its own any more then,
//! and whoever waited there would wait for ever.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio::sync::Notify;

/// What is awaited, of all messages.
#[derive(Default)]
pub(super) struct Underway(Mutex<Vec<Arc<Missing>>>);

/// What one message still awaits.
struct Missing {
    ids: Mutex<Vec<Value>>,
    none_left: Notify,
}

/// The same, in the hands of whoever sends the message; forgotten with it.
pub(super) struct Expected<'a> {
    underway: &'a Underway,
    missing: Arc<Missing>,
}

impl Underway {
    pub(super) fn expect(&self, ids: &[Value]) -> Expected<'_> {
        let missing = Arc::new(Missing { ids: Mutex::new(ids.to_vec()), none_left: Notify::new() });
        if !ids.is_empty() {
            lock(&self.0).push(Arc::clone(&missing));
        }
        Expected { underway: self, missing }
    }

    /// Strikes what `message` answers, and returns those answers. Whoever expects the last one stops at once, so the
    /// message must be handed on in the same breath.
    pub(super) fn strike(&self, message: &[u8]) -> Vec<Value> {
        let underway = lock(&self.0).clone();
        if underway.is_empty() {
            return Vec::new();
        }
        let items = match serde_json::from_slice(message) {
            Ok(Value::Array(items)) => items,
            Ok(single) => vec![single],
            Err(_) => Vec::new(),
        };
        let is_awaited = |item: &Value| {
            let id = item.get("id").filter(|_| item.get("method").is_none());
            id.is_some_and(|id| underway.iter().any(|missing| missing.strike(id)))
        };
        items.into_iter().filter(is_awaited).collect()
    }
}

impl Missing {
    fn strike(&self, id: &Value) -> bool {
        let mut ids = lock(&self.ids);
        let Some(at) = ids.iter().position(|missing| missing == id) else { return false };
        ids.swap_remove(at);
        if ids.is_empty() {
            self.none_left.notify_one();
        }
        true
    }
}

impl Expected<'_> {
    /// What is still missing, which nobody is to wait for any more.
    pub(super) fn give_up(&self) -> Vec<Value> {
        std::mem::take(&mut lock(&self.missing.ids))
    }

    pub(super) fn is_over(&self) -> bool {
        lock(&self.missing.ids).is_empty()
    }

    /// Waits for the last answer; for ever, where none was expected.
    pub(super) async fn over(&self) {
        self.missing.none_left.notified().await;
    }
}

impl Drop for Expected<'_> {
    fn drop(&mut self) {
        lock(&self.underway.0).retain(|missing| !Arc::ptr_eq(missing, &self.missing));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use serde_json::json;

    use super::*;

    #[test]
    fn answers_are_struck_wherever_they_come_from() {
        let underway = Underway::default();
        let (one, batch) = (underway.expect(&[json!(1)]), underway.expect(&[json!(2), json!("2")]));
        let struck = |message: Value| underway.strike(message.to_string().as_bytes()).len();
        assert_eq!(
            struck(json!({"id": 1, "method": "sampling/createMessage"})),
            0,
            "a question of the server's"
        );
        assert_eq!(struck(json!({"id": "1", "result": {}})), 0, "a string is no number");
        assert_eq!(struck(json!({"id": 2, "error": {}})), 1);
        assert!(one.over().now_or_never().is_none() && batch.over().now_or_never().is_none());
        assert_eq!(struck(json!([{"id": "2", "result": {}}, {"id": 1, "result": {}}])), 2);
        assert!(one.over().now_or_never().is_some() && batch.over().now_or_never().is_some());
        assert!(one.is_over() && batch.is_over());
        assert_eq!(struck(json!({"id": 1, "result": {}})), 0, "answered already");
        drop((one, batch));
        assert!(lock(&underway.0).is_empty(), "a long session does not grow");
    }
}
