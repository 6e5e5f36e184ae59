//! Client metadata documents that were fetched lately.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use hallpass_protocol::time::Timestamp;

use super::Client;

/// Strangers choose the keys, so there is a bound.
const MOST: usize = 1000;

/// A bounded memory of documents, each with the time until which it counts.
#[derive(Default)]
pub(crate) struct DocumentCache(Mutex<HashMap<String, (Client, Timestamp)>>);

impl DocumentCache {
    pub(crate) fn get(&self, id: &str, now: Timestamp) -> Option<Client> {
        let entries = self.entries();
        let (client, until) = entries.get(id)?;
        (*until > now).then(|| client.clone())
    }

    /// Where there is no room, what ends first makes it.
    pub(crate) fn insert(&self, client: Client, until: Timestamp) {
        let mut entries = self.entries();
        if entries.len() >= MOST && !entries.contains_key(&client.id) {
            let first = entries.iter().min_by_key(|(_, (_, until))| *until);
            if let Some(id) = first.map(|(id, _)| id.clone()) {
                entries.remove(&id);
            }
        }
        entries.insert(client.id.clone(), (client, until));
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<String, (Client, Timestamp)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{ClientKind, ClientSecret};
    use super::*;

    fn client(id: String) -> Client {
        Client {
            id,
            name: None,
            kind: ClientKind::Dynamic,
            redirect_uris: Vec::new(),
            secret: ClientSecret::None,
            may_refresh: true,
            scopes: None,
        }
    }

    #[test]
    fn stays_bounded_and_forgets_what_ends_first() {
        let cache = DocumentCache::default();
        for n in 0..=1000 {
            cache.insert(client(n.to_string()), Timestamp::from_unix(100 + n));
        }
        let now = Timestamp::from_unix(0);
        assert_eq!(cache.entries().len(), MOST);
        assert!(cache.get("0", now).is_none());
        assert!(cache.get("1", now).is_some());
    }

    #[test]
    fn an_old_entry_does_not_count() {
        let cache = DocumentCache::default();
        cache.insert(client("a".to_owned()), Timestamp::from_unix(100));
        assert!(cache.get("a", Timestamp::from_unix(99)).is_some());
        assert!(cache.get("a", Timestamp::from_unix(100)).is_none());
    }
}
