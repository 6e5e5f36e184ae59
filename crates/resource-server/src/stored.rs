//! Opaque tokens of an authorization server in the same process: looked up, then remembered like tokens that were verified.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use hallpass_protocol::issuer::Issuer;
use hallpass_protocol::jose::{AccessTokenClaims, JoseError};
use hallpass_protocol::secret::Secret;
use quick_cache::sync::Cache;
use serde_json::Value;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use crate::caller::{Caller, Granted, Said, principal_of};
use crate::claims::ClaimNames;
use crate::credential::Unverified;
use crate::refusal::Refusal;
use crate::settings::Settings;
use crate::verify::{Standing, Verified, token_digest, unrevoked};

/// How many are looked up at once: whoever sends random ones, each of them new, does not have the store for himself.
const AT_ONCE: usize = 3;
/// How long one waits for its turn.
const PATIENCE: Duration = Duration::from_secs(5);

/// The opaque tokens of one issuer, where they can be looked up. What was found is remembered until it ends;
/// [`Settings::revocations`] are asked each time, as for a JWT.
#[derive(Clone)]
pub struct StoredTokens {
    issuer: Issuer,
    prefix: String,
    find: Arc<Find>,
}

type Found = Result<Option<AccessTokenClaims>, Unavailable>;
type Find = dyn Fn(Secret) -> BoxFuture<'static, Found> + Send + Sync;

/// They cannot be looked up at this moment, so nobody knows: the request is refused with 503.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("opaque tokens cannot be looked up at this moment")]
pub struct Unavailable;

impl StoredTokens {
    /// Tokens that begin with `prefix`. `find` says what a token stands for, or that there is none; it is asked about each
    /// once, however often it comes.
    #[must_use]
    pub fn new<F>(issuer: Issuer, prefix: &str, find: impl Fn(Secret) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<Option<AccessTokenClaims>, Unavailable>> + Send + 'static,
    {
        let find = move |token| find(token).boxed();
        Self { issuer, prefix: prefix.to_owned(), find: Arc::new(find) }
    }
}

impl std::fmt::Debug for StoredTokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("StoredTokens").field(&self.issuer).finish()
    }
}

/// Looks them up, and remembers those that were there.
pub(crate) struct LookUp {
    tokens: StoredTokens,
    /// By SHA-256 of the token.
    remembered: Cache<[u8; 32], Caller>,
    turns: Turns,
}

/// Whose turn it is to ask the store.
pub(crate) struct Turns(Semaphore);

impl Default for Turns {
    fn default() -> Self {
        Self(Semaphore::new(AT_ONCE))
    }
}

impl Turns {
    /// A turn, until it is dropped.
    pub(crate) async fn take(&self) -> Result<SemaphorePermit<'_>, Unavailable> {
        let turn = timeout(PATIENCE, self.0.acquire()).await;
        turn.map_err(|_| Unavailable)?.map_err(|_| Unavailable)
    }
}

impl LookUp {
    pub(crate) fn of(settings: &Settings) -> Option<Self> {
        let tokens = settings.stored_tokens.clone()?;
        let remembered = Cache::new(settings.remembered_tokens);
        Some(Self { tokens, remembered, turns: Turns::default() })
    }

    /// Whether the token may be one of these.
    pub(crate) fn may_know(&self, token: Unverified<'_>) -> bool {
        token.0.starts_with(&self.tokens.prefix)
    }

    /// `None` where it is not known.
    pub(crate) async fn verify(
        &self,
        token: Unverified<'_>,
        settings: &Settings,
    ) -> Result<Option<Verified>, Refusal> {
        let key = token_digest(token);
        let caller = match self.remembered.get(&key) {
            Some(caller) => caller,
            None => {
                let found = self.find(token).await;
                let Some(claims) = found.map_err(|Unavailable| Refusal::IntrospectionUnavailable)? else {
                    return Ok(None);
                };
                let caller = self.caller(claims, settings)?;
                self.remembered.insert(key, caller.clone());
                caller
            }
        };
        still_counts(&caller, settings)?;
        Ok(Some(Verified::new(caller, Standing::Stored)))
    }

    async fn find(&self, token: Unverified<'_>) -> Found {
        let _turn = self.turns.take().await?;
        (self.tokens.find)(Secret::new(token.0)).await
    }

    /// RFC 9068 §4 without a signature: of this issuer, and for this resource.
    fn caller(&self, claims: AccessTokenClaims, settings: &Settings) -> Result<Caller, JoseError> {
        if self.tokens.issuer != *claims.iss {
            return Err(JoseError::WrongIssuer);
        }
        let own = [settings.resource.as_str(), settings.resource.url().as_str()];
        if !own.into_iter().any(|own| claims.aud.contains(own)) {
            return Err(JoseError::WrongAudience);
        }
        let (issuer, expires, token_id) = (&self.tokens.issuer, claims.exp, claims.jti.clone());
        let (subject, client) = (claims.sub.clone(), claims.client_id.clone());
        let Ok(Value::Object(all)) = serde_json::to_value(claims) else {
            return Err(JoseError::ClaimsObject);
        };
        let granted = Granted {
            principal: principal_of(issuer, &subject, settings.own_issuer.as_ref()),
            issuer: issuer.to_string(),
            subject,
            client,
            ..names(settings, issuer).granted(all)
        };
        Ok(Caller::new(Said { granted, token_id, expires }))
    }
}

/// As its signed tokens are read, where they are taken too.
fn names(settings: &Settings, issuer: &Issuer) -> ClaimNames {
    let known = settings.issuers.iter().find(|trusted| trusted.issuer == *issuer);
    known.map(|trusted| trusted.claims.clone()).unwrap_or_default()
}

/// Whether one that was found still counts. Its end is exact: no clock of anybody else's has a say in it.
pub(crate) fn still_counts(caller: &Caller, settings: &Settings) -> Result<(), Refusal> {
    unrevoked(caller, settings)?;
    if settings.clock.now() < caller.expires() { Ok(()) } else { Err(JoseError::Expired.into()) }
}
