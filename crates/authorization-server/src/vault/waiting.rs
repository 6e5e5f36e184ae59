//! However many calls wait in one process for the same renewal, one of them asks the database again and again, and tells the others.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch::{Receiver, channel};

/// What is waited for, by what it is.
pub(super) struct Waiting<K, T>(Arc<Mutex<HashMap<K, Receiver<Option<T>>>>>);

impl<K, T> Default for Waiting<K, T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K, T> Waiting<K, T>
where
    K: Clone + Eq + Hash + Send + 'static,
    T: Clone + Send + Sync + 'static,
{
    /// What comes of the wait for this, which begins now unless somebody waits for it already. It goes on though whoever has begun it
    /// goes away. Nothing, where it broke off.
    pub(super) async fn with_others<F>(&self, what: K, wait: impl FnOnce() -> F) -> Option<T>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let mut heard = self.join(what, wait);
        let told = heard.wait_for(Option::is_some).await.ok()?;
        told.clone()
    }

    fn join<F>(&self, what: K, wait: impl FnOnce() -> F) -> Receiver<Option<T>>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let mut all = lock(&self.0);
        if let Some(heard) = all.get(&what) {
            return heard.clone();
        }
        let (tell, heard) = channel(None);
        all.insert(what.clone(), heard.clone());
        let (over, waits) = (Over { all: Arc::clone(&self.0), what }, wait());
        // A runtime that ends drops the task right here, and `Over` locks.
        drop(all);
        tokio::spawn(async move {
            let told = waits.await;
            // Whoever comes from now on waits for something else.
            drop(over);
            tell.send_replace(Some(told));
        });
        heard
    }
}

/// Nobody joins what is over, whatever became of it.
struct Over<K: Eq + Hash, T> {
    all: Arc<Mutex<HashMap<K, Receiver<Option<T>>>>>,
    what: K,
}

impl<K: Eq + Hash, T> Drop for Over<K, T> {
    fn drop(&mut self) {
        lock(&self.all).remove(&self.what);
    }
}

fn lock<T>(all: &Mutex<T>) -> MutexGuard<'_, T> {
    all.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test]
    async fn many_who_wait_for_one_thing_wait_as_one() {
        let waiting: Waiting<&str, usize> = Waiting::default();
        let (go, _) = channel(false);
        let begun = Cell::new(0);
        let wait = || {
            begun.set(begun.get() + 1);
            let (number, mut gone) = (begun.get(), go.subscribe());
            async move {
                gone.wait_for(|gone| *gone).await.unwrap();
                number
            }
        };
        let first = waiting.join("a", wait);
        let all: Vec<_> = (0..50).map(|_| waiting.join("a", wait)).collect();
        let mut other = waiting.join("b", wait);
        assert_eq!(begun.get(), 2);
        // Whoever has begun it goes away.
        drop(first);
        go.send_replace(true);
        for mut one in all {
            assert_eq!(*one.wait_for(Option::is_some).await.unwrap(), Some(1));
        }
        assert_eq!(*other.wait_for(Option::is_some).await.unwrap(), Some(2));
        assert_eq!(waiting.with_others("a", wait).await, Some(3), "what is over is waited for by nobody");
        assert!(lock(&waiting.0).is_empty());
    }

    #[tokio::test]
    async fn a_wait_that_breaks_off_keeps_nobody() {
        let waiting: Waiting<&str, usize> = Waiting::default();
        let broken = waiting.with_others("a", async || panic!("on purpose")).await;
        assert_eq!(broken, None);
        assert_eq!(waiting.with_others("a", async || 7).await, Some(7));
    }
}
