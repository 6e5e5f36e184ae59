//! The public keys of clients that sign, fetched where they are not stored.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use hallpass_guarded_fetch::{FetchError, Fetcher};
use hallpass_protocol::jose::{Algorithm, JwkSet, VerifyingKeys};
use hallpass_protocol::json::from_slice_unique;
use hallpass_protocol::time::Timestamp;
use quick_cache::sync::Cache;
use tokio::sync::{Mutex, Semaphore};
use url::Url;

use super::client::KeySource;

/// Strangers choose the addresses, so there is a bound.
const MOST: usize = 1000;
/// How long a set counts.
const FRESH: Duration = Duration::from_secs(5 * 60);
/// A key that is not in the set may be a new one; but whoever makes up key ids must not have others asked for ever.
const AGAIN: Duration = Duration::from_secs(30);
/// How long a failure counts, for the same reason.
const FAILED: Duration = Duration::from_secs(30);
/// How long an old set counts while no new one can be had: so long a client's web server may be down.
const KEPT: Duration = Duration::from_secs(60 * 60);
/// Sets that are fetched at once.
const AT_ONCE: usize = 16;

/// Why there are no keys.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum NoKeys {
    /// What was fetched is for the log alone: an address inside the network is nobody's business.
    #[error("its keys cannot be fetched; the server's log says why")]
    Fetch(#[source] FetchError),
    /// Not a set of keys.
    #[error("what is at its jwks_uri is no JSON Web Key Set")]
    NotASet,
    /// Too many sets are being fetched.
    #[error("too many keys are being fetched at this moment; try again in a few seconds")]
    Busy,
}

/// Key sets that were fetched lately, and failures. One fetch at a time for each, and few in all.
pub(crate) struct ClientKeys {
    known: Cache<String, Arc<Mutex<Known>>>,
    fetching: Semaphore,
}

/// What is known of one address.
#[derive(Default)]
struct Known {
    set: Option<(VerifyingKeys, Timestamp)>,
    failed: Option<(NoKeys, Timestamp)>,
}

/// The key that a token names.
#[derive(Clone, Copy)]
enum Wanted<'a> {
    /// By its id and algorithm.
    Named(Option<&'a str>, Algorithm),
    /// By its thumbprint (RFC 7638).
    Key(&'a str),
}

impl Wanted<'_> {
    fn is_among(self, keys: &VerifyingKeys) -> bool {
        match self {
            Self::Named(kid, algorithm) => keys.contains(kid, algorithm),
            Self::Key(thumbprint) => keys.contains_key(thumbprint),
        }
    }
}

impl Known {
    /// What needs no fetch.
    fn answer(&self, wanted: Wanted<'_>, now: Timestamp) -> Option<Result<VerifyingKeys, NoKeys>> {
        if let Some((keys, at)) = &self.set
            && now < at.after(FRESH)
            && (wanted.is_among(keys) || now < at.after(AGAIN))
        {
            return Some(Ok(keys.clone()));
        }
        let (error, at) = self.failed.as_ref()?;
        (now < at.after(FAILED)).then(|| self.kept(now).ok_or_else(|| error.clone()))
    }

    /// The old set, where no new one can be had.
    fn kept(&self, now: Timestamp) -> Option<VerifyingKeys> {
        self.set.as_ref().filter(|(_, at)| now < at.after(KEPT)).map(|(keys, _)| keys.clone())
    }
}

impl Default for ClientKeys {
    fn default() -> Self {
        Self { known: Cache::new(MOST), fetching: Semaphore::new(AT_ONCE) }
    }
}

impl ClientKeys {
    /// The keys, with the one that a token names among them if it can be had.
    pub(crate) async fn find(
        &self,
        fetcher: &Fetcher,
        source: &KeySource,
        wanted: (Option<&str>, Algorithm),
        now: Timestamp,
    ) -> Result<VerifyingKeys, NoKeys> {
        self.find_wanted(fetcher, source, Wanted::Named(wanted.0, wanted.1), now).await
    }

    /// Whether the key with this thumbprint is among them.
    pub(crate) async fn has_key(
        &self,
        fetcher: &Fetcher,
        source: &KeySource,
        thumbprint: &str,
        now: Timestamp,
    ) -> Result<bool, NoKeys> {
        let wanted = Wanted::Key(thumbprint);
        let keys = self.find_wanted(fetcher, source, wanted, now).await?;
        Ok(wanted.is_among(&keys))
    }

    async fn find_wanted(
        &self,
        fetcher: &Fetcher,
        source: &KeySource,
        wanted: Wanted<'_>,
        now: Timestamp,
    ) -> Result<VerifyingKeys, NoKeys> {
        match source {
            KeySource::Value(set) => Ok(VerifyingKeys::from_jwk_set(set, &Algorithm::ALL)),
            KeySource::Uri(uri) => self.get_or_fetch(uri, wanted, now, fetch(fetcher, uri)).await,
        }
    }

    /// An old set stays until a new one is there: whoever makes up key ids must not take the good ones away.
    async fn get_or_fetch(
        &self,
        uri: &str,
        wanted: Wanted<'_>,
        now: Timestamp,
        fetch: impl Future<Output = Result<VerifyingKeys, NoKeys>>,
    ) -> Result<VerifyingKeys, NoKeys> {
        let Ok(known) = self.known.get_or_insert_with(uri, || Ok::<_, Infallible>(Arc::default()));
        let mut known = known.lock().await;
        if let Some(answer) = known.answer(wanted, now) {
            return answer;
        }
        let Ok(_permit) = self.fetching.try_acquire() else {
            return known.kept(now).ok_or(NoKeys::Busy);
        };
        match fetch.await {
            Ok(keys) => {
                *known = Known { set: Some((keys.clone(), now)), failed: None };
                Ok(keys)
            }
            Err(error) => {
                known.failed = Some((error.clone(), now));
                known.kept(now).ok_or(error)
            }
        }
    }
}

async fn fetch(fetcher: &Fetcher, uri: &str) -> Result<VerifyingKeys, NoKeys> {
    let url = Url::parse(uri).map_err(|_| NoKeys::NotASet)?;
    let fetched = fetcher.get(&url, "application/jwk-set+json, application/json").await.map_err(|error| {
        tracing::warn!(uri, %error, "a client's keys cannot be fetched");
        NoKeys::Fetch(error)
    })?;
    if fetched.status.as_u16() != 200 {
        return Err(NoKeys::NotASet);
    }
    let set: JwkSet =
        from_slice_unique(&fetched.body).and_then(serde_json::from_value).map_err(|_| NoKeys::NotASet)?;
    Ok(VerifyingKeys::from_jwk_set(&set, &Algorithm::ALL))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use hallpass_protocol::jose::SigningKey;

    use super::*;

    const GOOD: Wanted<'_> = Wanted::Named(Some("good"), Algorithm::ES256);

    /// A set with one key, under its own id.
    fn set() -> (VerifyingKeys, String) {
        let jwk = SigningKey::generate_es256().unwrap().public_jwk();
        let kid = jwk.kid.clone().unwrap();
        (VerifyingKeys::from_jwk_set(&JwkSet { keys: vec![jwk] }, &Algorithm::ALL), kid)
    }

    /// Asks at this second; says whether there are keys, and how often they were fetched.
    async fn ask(
        keys: &ClientKeys,
        wanted: Wanted<'_>,
        at: i64,
        found: Result<VerifyingKeys, NoKeys>,
    ) -> (bool, usize) {
        let asked = AtomicUsize::new(0);
        let fetch = async {
            asked.fetch_add(1, Ordering::SeqCst);
            found
        };
        let got = keys.get_or_fetch("u", wanted, Timestamp::from_unix(at), fetch).await;
        (got.is_ok(), asked.into_inner())
    }

    #[tokio::test]
    async fn a_failure_counts_for_a_little_while() {
        let keys = ClientKeys::default();
        assert_eq!(ask(&keys, GOOD, 0, Err(NoKeys::NotASet)).await, (false, 1));
        assert_eq!(ask(&keys, GOOD, 29, Ok(set().0)).await, (false, 0));
        assert_eq!(ask(&keys, GOOD, 30, Ok(set().0)).await, (true, 1));
    }

    #[tokio::test]
    async fn an_old_set_stays_until_a_new_one_is_there() {
        let keys = ClientKeys::default();
        let (old, kid) = set();
        let known = Wanted::Named(Some(kid.as_str()), Algorithm::ES256);
        let made_up = Wanted::Named(Some("made up"), Algorithm::ES256);
        assert_eq!(ask(&keys, known, 0, Ok(old)).await, (true, 1));
        assert_eq!(ask(&keys, made_up, 29, Err(NoKeys::NotASet)).await, (true, 0), "not asked again so soon");
        assert_eq!(ask(&keys, made_up, 30, Err(NoKeys::NotASet)).await, (true, 1));
        assert_eq!(ask(&keys, made_up, 59, Err(NoKeys::NotASet)).await, (true, 0));
        assert_eq!(ask(&keys, known, 60, Err(NoKeys::NotASet)).await, (true, 0), "nobody took it away");
        assert_eq!(ask(&keys, known, 300, Err(NoKeys::NotASet)).await, (true, 1), "old, and the only one");
        assert_eq!(ask(&keys, known, 3600, Err(NoKeys::NotASet)).await, (false, 1), "not for ever");
    }

    #[tokio::test]
    async fn few_are_fetched_at_once() {
        let keys = ClientKeys::default();
        let permits: Vec<_> = (0..AT_ONCE).map(|_| keys.fetching.try_acquire().unwrap()).collect();
        assert_eq!(ask(&keys, GOOD, 0, Ok(set().0)).await, (false, 0));
        drop(permits);
        assert_eq!(ask(&keys, GOOD, 0, Ok(set().0)).await, (true, 1), "being busy is not remembered");
    }
}
