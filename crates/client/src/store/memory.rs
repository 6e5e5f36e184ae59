//! A store that ends with the process.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{Document, StoreError, StoreLock, TokenStore};

/// Keeps everything in memory. Clones share what they keep.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    document: Arc<Mutex<Document>>,
    locks: Arc<Mutex<HashSet<String>>>,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

/// A panic elsewhere cannot leave these values half-written, so poison is no reason to stop.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl TokenStore for MemoryStore {
    fn read(&self) -> Result<Document, StoreError> {
        Ok(lock(&self.document).clone())
    }

    fn update(&self, change: &mut dyn FnMut(&mut Document)) -> Result<(), StoreError> {
        change(&mut lock(&self.document));
        Ok(())
    }

    fn try_lock(&self, name: &str) -> Result<Option<StoreLock>, StoreError> {
        let free = lock(&self.locks).insert(name.to_owned());
        Ok(free.then(|| StoreLock::new(Held { name: name.to_owned(), locks: Arc::clone(&self.locks) })))
    }
}

struct Held {
    name: String,
    locks: Arc<Mutex<HashSet<String>>>,
}

impl Drop for Held {
    fn drop(&mut self) {
        lock(&self.locks).remove(&self.name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_held_once_and_freed_on_drop() {
        let store = MemoryStore::new();
        let held = store.try_lock("a").unwrap();
        assert!(held.is_some());
        assert!(store.clone().try_lock("a").unwrap().is_none());
        assert!(store.try_lock("b").unwrap().is_some());
        drop(held);
        assert!(store.try_lock("a").unwrap().is_some());
    }
}
