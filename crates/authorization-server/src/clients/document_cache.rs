//! Client metadata documents that were fetched lately, and those that are being fetched.

use std::time::Duration;

use hallpass_protocol::time::Timestamp;
use quick_cache::sync::Cache;
use tokio::sync::Semaphore;

use super::Client;
use super::document::DocumentError;

/// Strangers choose the keys, so there is a bound.
const MOST: usize = 1000;
/// Documents that are fetched at once.
const AT_ONCE: usize = 16;
/// A bounded memory of documents. Where there is no room, what nobody has asked for twice makes it, so that a flood of
/// new ids does not put out the clients that people use. However many ask for one document, it is fetched once, and one
/// fetch at a time where it fails: neither an error nor a document that is not right is remembered (CIMD-02 §5.2).
pub(crate) struct DocumentCache {
    known: Cache<String, Known>,
    fetching: Semaphore,
}

/// Who was found, and until when it counts.
#[derive(Clone)]
struct Known {
    client: Client,
    until: Timestamp,
}

impl Default for DocumentCache {
    fn default() -> Self {
        Self { known: Cache::new(MOST), fetching: Semaphore::new(AT_ONCE) }
    }
}

impl DocumentCache {
    /// The client that the document describes; fetched where it is not known. A fetch says how long its client counts.
    pub(crate) async fn get_or_fetch(
        &self,
        id: &str,
        now: Timestamp,
        fetch: impl Future<Output = Result<(Client, Duration), DocumentError>>,
    ) -> Result<Client, DocumentError> {
        self.known.remove_if(id, |known| known.until <= now);
        let fetched = async {
            let _permit = self.fetching.try_acquire().map_err(|_| DocumentError::Busy)?;
            let (client, fresh) = fetch.await?;
            Ok::<_, DocumentError>(Known { client, until: now.after(fresh) })
        };
        Ok(self.known.get_or_insert_async(id, fetched).await?.client)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::super::{Authentication, ClientDetails, ClientKind};
    use super::*;

    fn client(id: &str) -> Client {
        Client {
            id: id.to_owned(),
            name: None,
            kind: ClientKind::Dynamic,
            redirect_uris: Vec::new(),
            authentication: Authentication::None,
            grant_types: Vec::new(),
            may_refresh: true,
            scopes: None,
            own_grant: String::new(),
            details: ClientDetails::default(),
        }
    }

    /// Asks at this second for a document that counts for 100; says whether it was fetched.
    async fn asks(cache: &DocumentCache, id: &str, at: i64) -> bool {
        let asked = AtomicUsize::new(0);
        let fetch = async {
            asked.fetch_add(1, Ordering::SeqCst);
            Ok((client(id), Duration::from_secs(100)))
        };
        cache.get_or_fetch(id, Timestamp::from_unix(at), fetch).await.unwrap();
        asked.into_inner() == 1
    }

    #[tokio::test]
    async fn an_old_entry_does_not_count() {
        let cache = DocumentCache::default();
        assert!(asks(&cache, "a", 0).await);
        assert!(!asks(&cache, "a", 99).await);
        assert!(asks(&cache, "a", 100).await);
    }

    #[tokio::test]
    async fn a_flood_of_new_ids_does_not_put_out_what_is_used() {
        let cache = DocumentCache::default();
        for _ in 0..3 {
            asks(&cache, "honest", 0).await;
        }
        for n in 0..10 * MOST {
            asks(&cache, &n.to_string(), 0).await;
        }
        assert!(!asks(&cache, "honest", 0).await);
        assert!(cache.known.len() <= 2 * MOST, "{}", cache.known.len());
    }

    #[tokio::test]
    async fn a_failure_is_not_remembered() {
        let cache = DocumentCache::default();
        let now = Timestamp::from_unix(0);
        let failed = cache.get_or_fetch("a", now, async { Err(DocumentError::NoName) }).await;
        assert!(matches!(failed, Err(DocumentError::NoName)));
        assert!(asks(&cache, "a", 0).await, "asked again at once");
        assert!(!asks(&cache, "a", 0).await);
    }

    #[tokio::test]
    async fn one_document_is_fetched_once_and_few_at_once() {
        let cache = DocumentCache::default();
        let now = Timestamp::from_unix(0);
        let asked = AtomicUsize::new(0);
        let open = Semaphore::new(0);
        let ask = |id: String| {
            let (cache, asked, open) = (&cache, &asked, &open);
            async move {
                let fetch = async {
                    asked.fetch_add(1, Ordering::SeqCst);
                    drop(open.acquire().await);
                    Ok((client(&id), Duration::from_secs(100)))
                };
                cache.get_or_fetch(&id, now, fetch).await
            }
        };
        let mut waiting = Vec::new();
        for n in 0..2 * AT_ONCE {
            let mut one = Box::pin(ask((n / 2).to_string()));
            assert!(poll_once(&mut one).await.is_none());
            waiting.push(one);
        }
        assert_eq!(asked.load(Ordering::SeqCst), AT_ONCE, "two for each document, one fetch");
        let more = ask("more".to_owned()).await;
        assert!(matches!(more, Err(DocumentError::Busy)));
        open.add_permits(AT_ONCE);
        for one in waiting {
            one.await.unwrap();
        }
        assert!(ask("more".to_owned()).await.is_ok(), "being busy is not remembered");
    }

    /// Polls once.
    async fn poll_once<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
        std::future::poll_fn(|context| match std::pin::Pin::new(&mut *future).poll(context) {
            std::task::Poll::Ready(value) => std::task::Poll::Ready(Some(value)),
            std::task::Poll::Pending => std::task::Poll::Ready(None),
        })
        .await
    }
}
