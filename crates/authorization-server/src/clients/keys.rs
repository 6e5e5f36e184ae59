//! The public keys of clients that sign, fetched where they are not stored.

use std::time::Duration;

use hallpass_guarded_fetch::{FetchError, Fetcher};
use hallpass_protocol::jose::{Algorithm, JwkSet, VerifyingKeys};
use hallpass_protocol::json::from_slice_unique;
use hallpass_protocol::time::Timestamp;
use quick_cache::sync::Cache;
use url::Url;

use super::client::KeySource;

/// Strangers choose the addresses, so there is a bound.
const MOST: usize = 1000;
/// How long a set counts.
const FRESH: Duration = Duration::from_secs(5 * 60);
/// A key that is not in the set may be a new one; but whoever makes up key ids must not have others asked for ever.
const AGAIN: Duration = Duration::from_secs(30);

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoKeys {
    /// What was fetched is for the log alone: an address inside the network is nobody's business.
    #[error("its keys cannot be fetched; the server's log says why")]
    Fetch(#[source] FetchError),
    /// Not a set of keys.
    #[error("what is at its jwks_uri is no JSON Web Key Set")]
    NotASet,
}

/// Key sets that were fetched lately. One fetch at a time for each.
pub(crate) struct ClientKeys(Cache<String, Fetched>);

#[derive(Clone)]
struct Fetched {
    keys: VerifyingKeys,
    at: Timestamp,
}

impl Default for ClientKeys {
    fn default() -> Self {
        Self(Cache::new(MOST))
    }
}

impl ClientKeys {
    /// The keys, with the one that a token names among them if it can be had.
    pub(crate) async fn find(
        &self,
        fetcher: &Fetcher,
        source: &KeySource,
        (kid, algorithm): (Option<&str>, Algorithm),
        now: Timestamp,
    ) -> Result<VerifyingKeys, NoKeys> {
        let uri = match source {
            KeySource::Value(set) => return Ok(VerifyingKeys::from_jwk_set(set, &Algorithm::ALL)),
            KeySource::Uri(uri) => uri,
        };
        self.0.remove_if(uri, |known| {
            let unknown = !known.keys.contains(kid, algorithm) && known.at.after(AGAIN) <= now;
            known.at.after(FRESH) <= now || unknown
        });
        let fetch = async {
            let keys = fetch(fetcher, uri).await?;
            Ok::<_, NoKeys>(Fetched { keys, at: now })
        };
        Ok(self.0.get_or_insert_async(uri, fetch).await?.keys)
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
