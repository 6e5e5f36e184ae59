//! An issuer's keys, fetched: found by its metadata, kept as long as HTTP says, fetched again when a token names a key that
//! is not among them, and kept through an outage of the issuer.

mod allowance;

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use hallpass_guarded_fetch::{FetchError, Fetched, Fetcher};
use hallpass_protocol::issuer::Issuer;
use hallpass_protocol::jose::{Algorithm, JwkSet, VerifyingKeys};
use hallpass_protocol::server_metadata::{AuthorizationServerMetadata, WrongIssuer};
use hallpass_protocol::time::{Clock, Timestamp};
use http::HeaderMap;
use http::header::CACHE_CONTROL;
use tokio::sync::Mutex;
use url::Url;

use allowance::Allowance;

/// Where `Cache-Control` says nothing: ten minutes.
const FRESH: Duration = Duration::from_secs(600);
/// However often a server wants to be asked.
const LEAST: Duration = Duration::from_secs(60);
/// However seldom: a key that is withdrawn is noticed within a day.
const MOST: Duration = Duration::from_secs(24 * 60 * 60);

/// Why an issuer's keys are not to be had.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The fetch failed.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// Another status than 200.
    #[error("{url} answers {status}")]
    Status {
        /// What was asked.
        url: Url,
        /// What came back.
        status: http::StatusCode,
    },
    /// RFC 8414 §3.3.
    #[error(transparent)]
    Issuer(#[from] WrongIssuer),
    /// The metadata has no `jwks_uri`, or one that is no URL.
    #[error("the metadata of {0} names no key set")]
    NoKeySet(String),
    /// No key in the set can be used.
    #[error("the key set of {0} holds no key for the algorithms that are allowed")]
    NoKeys(String),
}

/// The keys of one issuer. Clones share everything.
#[derive(Clone)]
pub struct RemoteKeys(Arc<Inner>);

struct Inner {
    issuer: Issuer,
    jwks_uri: Option<Url>,
    algorithms: Vec<Algorithm>,
    fetcher: Fetcher,
    clock: Clock,
    known: RwLock<Known>,
    /// Held by the one that fetches.
    fetching: Mutex<()>,
}

#[derive(Default)]
struct Known {
    /// What the issuer published.
    set: JwkSet,
    keys: Arc<VerifyingKeys>,
    /// From when on they should be fetched again.
    stale: Option<Timestamp>,
    /// How often they may be asked for, whatever tokens name.
    allowance: Allowance,
    /// How often they were.
    asked: u64,
}

impl Known {
    fn ask(&mut self, now: Timestamp) {
        self.allowance.take(now);
        self.asked += 1;
    }
}

impl RemoteKeys {
    /// The keys that the issuer's metadata names (RFC 8414 §3, OpenID Connect Discovery §4), for these
    /// algorithms. Nothing is fetched yet.
    #[must_use]
    pub fn discovered(issuer: Issuer, algorithms: &[Algorithm], fetcher: Fetcher, clock: Clock) -> Self {
        Self::new(issuer, None, algorithms, fetcher, clock)
    }

    /// The keys at that URL.
    #[must_use]
    pub fn at(
        jwks_uri: Url,
        issuer: Issuer,
        algorithms: &[Algorithm],
        fetcher: Fetcher,
        clock: Clock,
    ) -> Self {
        Self::new(issuer, Some(jwks_uri), algorithms, fetcher, clock)
    }

    fn new(
        issuer: Issuer,
        jwks_uri: Option<Url>,
        algorithms: &[Algorithm],
        fetcher: Fetcher,
        clock: Clock,
    ) -> Self {
        let (known, fetching) = (RwLock::default(), Mutex::default());
        let algorithms = algorithms.to_vec();
        Self(Arc::new(Inner { issuer, jwks_uri, algorithms, fetcher, clock, known, fetching }))
    }

    /// The keys that are at hand.
    #[must_use]
    pub fn current(&self) -> Arc<VerifyingKeys> {
        self.known().keys.clone()
    }

    fn known(&self) -> RwLockReadGuard<'_, Known> {
        self.0.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn known_mut(&self) -> RwLockWriteGuard<'_, Known> {
        self.0.known.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fetches them again behind the scenes, if it is time; what is at hand serves meanwhile.
    pub(crate) fn keep_fresh(&self) {
        let now = self.0.clock.now();
        let asked = {
            let known = self.known();
            if known.stale.is_some_and(|stale| now < stale) || !known.allowance.allows(now) {
                return;
            }
            known.asked
        };
        let keys = self.clone();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { keys.fetch(now, asked).await });
        }
    }

    /// Fetches them again now, because a token names a key that is not among `missed`. Whoever comes while
    /// another fetches waits for that one. After some in a row nothing is fetched for a while.
    pub(crate) async fn fetch_because_of(&self, missed: &Arc<VerifyingKeys>) {
        let now = self.0.clock.now();
        let asked = {
            let known = self.known();
            if !Arc::ptr_eq(&known.keys, missed) {
                return;
            }
            known.asked
        };
        self.fetch(now, asked).await;
    }

    /// Fetches them now, to know at the start, and not from the first token, why they are not to be had. Where it fails, they
    /// are fetched again as usual.
    ///
    /// # Errors
    /// Why they are not to be had.
    pub async fn fetch_now(&self) -> Result<(), KeysError> {
        let _one = self.0.fetching.lock().await;
        self.take(self.0.clock.now()).await
    }

    /// Unless another did so since they had been asked for that often.
    async fn fetch(&self, now: Timestamp, asked: u64) {
        let _one = self.0.fetching.lock().await;
        let mine = |known: &Known| known.asked == asked && known.allowance.allows(now);
        if !mine(&self.known()) {
            return;
        }
        // What is at hand stays: an issuer that is down takes nobody's valid token away.
        if let Err(error) = self.take(now).await {
            tracing::warn!(issuer = %self.0.issuer, %error, "the issuer's keys cannot be fetched");
        }
    }

    async fn take(&self, now: Timestamp) -> Result<(), KeysError> {
        self.known_mut().ask(now);
        let (set, keys, fresh) = self.fetched().await?;
        let mut known = self.known_mut();
        known.stale = Some(now.after(fresh));
        // The same keys stay the same: tokens that were verified with them are remembered.
        if known.keys.is_empty() || known.set != set {
            known.set = set;
            known.keys = Arc::new(keys);
        }
        Ok(())
    }

    async fn fetched(&self) -> Result<(JwkSet, VerifyingKeys, Duration), KeysError> {
        let url = match &self.0.jwks_uri {
            Some(url) => url.clone(),
            None => self.find().await?,
        };
        let answer = get(&self.0.fetcher, &url).await?;
        let set = answer.json::<JwkSet>()?;
        let keys = VerifyingKeys::from_jwk_set(&set, &self.0.algorithms);
        if keys.is_empty() {
            return Err(KeysError::NoKeys(self.0.issuer.to_string()));
        }
        Ok((set, keys, freshness(&answer.headers)))
    }

    async fn find(&self) -> Result<Url, KeysError> {
        let mut last = KeysError::NoKeySet(self.0.issuer.to_string());
        for url in self.0.issuer.metadata_urls() {
            match metadata(&self.0.fetcher, &url, &self.0.issuer).await {
                Ok(metadata) => {
                    let jwks_uri = metadata.jwks_uri.and_then(|text| Url::parse(&text).ok());
                    return jwks_uri.ok_or_else(|| KeysError::NoKeySet(self.0.issuer.to_string()));
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

impl std::fmt::Debug for RemoteKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("RemoteKeys").field(&self.0.issuer.as_str()).finish()
    }
}

/// The metadata of an issuer, if it is the issuer's own.
pub(crate) async fn metadata(
    fetcher: &Fetcher,
    url: &Url,
    issuer: &Issuer,
) -> Result<AuthorizationServerMetadata, KeysError> {
    let metadata: AuthorizationServerMetadata = get(fetcher, url).await?.json()?;
    metadata.check_issuer(issuer)?;
    Ok(metadata)
}

async fn get(fetcher: &Fetcher, url: &Url) -> Result<Fetched, KeysError> {
    let answer = fetcher.get(url, "application/json").await?;
    match answer.status {
        http::StatusCode::OK => Ok(answer),
        status => Err(KeysError::Status { url: url.clone(), status }),
    }
}

/// `Cache-Control: max-age` (RFC 9111 §5.2.2.1), within bounds.
fn freshness(headers: &HeaderMap) -> Duration {
    let directives = headers.get_all(CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    let mut fresh = FRESH;
    for directive in directives.flat_map(|value| value.split(',')) {
        let directive = directive.trim().to_ascii_lowercase();
        if directive == "no-store" || directive == "no-cache" {
            return LEAST;
        }
        if let Some(seconds) = directive.strip_prefix("max-age=") {
            fresh = seconds.trim_matches('"').parse().map_or(FRESH, Duration::from_secs);
        }
    }
    fresh.clamp(LEAST, MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn http_says_how_long_keys_are_kept_within_bounds() {
        for (value, seconds) in [
            ("max-age=300", 300),
            ("public, max-age=3600, immutable", 3600),
            ("max-age=1", 60),
            ("max-age=99999999", 86_400),
            ("max-age=x", 600),
            ("no-store", 60),
            ("no-cache, max-age=3600", 60),
            ("private", 600),
        ] {
            let headers = HeaderMap::from_iter([(CACHE_CONTROL, value.parse().unwrap())]);
            assert_eq!(freshness(&headers).as_secs(), seconds, "{value}");
        }
        assert_eq!(freshness(&HeaderMap::new()), FRESH);
    }
}
