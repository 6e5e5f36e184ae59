//! Tokens of a provider that an authorization server in the same process hands on: they may do what a person agreed to there,
//! for the client that they were given to, and nothing else.
//!
//! At the provider one client stands for all of them. What people ever agreed to for that one may be in each of its tokens, so a
//! token's own word does not tell what was agreed to for whom (MCP "Confused Deputy Problem").

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use hallpass_protocol::issuer::Issuer;
use hallpass_protocol::jose::JoseError;
use hallpass_protocol::scope::{Scope, ScopeSet};
use hallpass_protocol::secret::Secret;
use hallpass_protocol::time::Timestamp;
use quick_cache::sync::Cache;

use crate::caller::{Caller, Granted, Said};
use crate::credential::Unverified;
use crate::refusal::Refusal;
use crate::settings::Settings;
use crate::stored::{Turns, Unavailable};
use crate::verify::{Verified, token_digest, unrevoked};

/// How long what was agreed to is remembered; [`Settings::revocations`] are asked each time. A revocation is forgotten later than
/// this.
const BELIEVED: Duration = Duration::from_secs(60);

/// The tokens of a provider that are handed on.
#[derive(Clone)]
pub struct AgreedTokens {
    /// Whose they are: the provider, under all of its names.
    pub issuers: Vec<Issuer>,
    /// The client there that stands for all clients here.
    pub client_id: String,
    /// Whether tokens of other clients there are taken, at their own word. One of [`client_id`](Self::client_id) has to be
    /// known in any case.
    pub others: bool,
    /// Scopes of this resource that have another name in the provider's tokens.
    pub names: Vec<(Scope, Scope)>,
    find: Arc<Find>,
}

/// What was agreed to for one token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreed {
    /// What the token is called here; it was revoked where [`Settings::revocations`] say so.
    pub token_id: String,
    /// The client here that it was given to.
    pub client_id: String,
    /// What it was given for.
    pub resource: String,
    /// What that client may do.
    pub scopes: ScopeSet,
}

type Found = Result<Option<Agreed>, Unavailable>;
type Find = dyn Fn(Secret) -> BoxFuture<'static, Found> + Send + Sync;

impl AgreedTokens {
    /// Tokens of that client at that provider. `find` says what was agreed to for a token, or that it was not handed on.
    #[must_use]
    pub fn new<F>(
        issuers: Vec<Issuer>,
        client_id: String,
        find: impl Fn(Secret) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Found> + Send + 'static,
    {
        let find = Arc::new(move |token| find(token).boxed());
        Self { issuers, client_id, others: false, names: Vec::new(), find }
    }
}

impl std::fmt::Debug for AgreedTokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("AgreedTokens").field(&self.issuers).finish()
    }
}

/// Bounds verified tokens, and remembers the bounds.
pub(crate) struct Bounds {
    tokens: AgreedTokens,
    /// By SHA-256 of the token.
    remembered: Cache<[u8; 32], Known>,
    turns: Turns,
}

#[derive(Clone)]
struct Known {
    /// `None` for a token of another client.
    agreed: Option<Arc<Agreed>>,
    /// What the token says, and what is left of it.
    said: Caller,
    bounded: Caller,
    until: Timestamp,
}

impl Bounds {
    pub(crate) fn of(settings: &Settings) -> Option<Self> {
        let tokens = settings.agreed_tokens.clone()?;
        Some(Self { tokens, remembered: Cache::new(settings.remembered_tokens), turns: Turns::default() })
    }

    /// The same token with what is left of it.
    pub(crate) async fn bound(
        &self,
        token: Unverified<'_>,
        verified: Verified,
        settings: &Settings,
    ) -> Result<Verified, Refusal> {
        if !self.are_of(verified.caller()) {
            return Ok(verified);
        }
        let key = token_digest(token);
        let bounded = match self.at_hand(&key, verified.caller(), settings) {
            Some(bounded) => bounded,
            None => {
                let agreed =
                    self.find(token).await.map_err(|Unavailable| Refusal::IntrospectionUnavailable)?;
                let until = settings.clock.now().after(BELIEVED);
                self.remember(key, agreed.map(Arc::new), verified.caller(), until, settings)?
            }
        };
        unrevoked(&bounded, settings)?;
        Ok(verified.of(bounded))
    }

    /// The same with what is remembered alone.
    pub(crate) fn bound_at_once(
        &self,
        token: Unverified<'_>,
        verified: Verified,
        settings: &Settings,
    ) -> Result<Verified, Refusal> {
        if !self.are_of(verified.caller()) {
            return Ok(verified);
        }
        let bounded = self.at_hand(&token_digest(token), verified.caller(), settings);
        let bounded = bounded.ok_or(Refusal::IntrospectionUnavailable)?;
        unrevoked(&bounded, settings)?;
        Ok(verified.of(bounded))
    }

    fn are_of(&self, caller: &Caller) -> bool {
        self.tokens.issuers.iter().any(|issuer| issuer.as_str() == caller.issuer())
    }

    fn at_hand(&self, key: &[u8; 32], caller: &Caller, settings: &Settings) -> Option<Caller> {
        let known = self.remembered.get(key).filter(|known| settings.clock.now() < known.until)?;
        if known.said.is_same(caller) {
            return Some(known.bounded);
        }
        // Its issuer says something else of the same token by now.
        self.remember(*key, known.agreed, caller, known.until, settings).ok()
    }

    fn remember(
        &self,
        key: [u8; 32],
        agreed: Option<Arc<Agreed>>,
        caller: &Caller,
        until: Timestamp,
        settings: &Settings,
    ) -> Result<Caller, Refusal> {
        let bounded = match &agreed {
            Some(agreed) => self.bounded(agreed, caller, settings)?,
            None => self.unbounded(caller)?,
        };
        let known = Known { agreed, said: caller.clone(), bounded: bounded.clone(), until };
        self.remembered.insert(key, known);
        Ok(bounded)
    }

    async fn find(&self, token: Unverified<'_>) -> Found {
        let _turn = self.turns.take().await?;
        (self.tokens.find)(Secret::new(token.0)).await
    }

    /// What was agreed to and the token says as well.
    fn bounded(&self, agreed: &Agreed, caller: &Caller, settings: &Settings) -> Result<Caller, Refusal> {
        // RFC 9068 §4: as it was given, whatever else its audience stands for.
        let own = [settings.resource.as_str(), settings.resource.url().as_str()];
        if !own.contains(&agreed.resource.as_str()) {
            return Err(JoseError::WrongAudience.into());
        }
        let said = self.as_called_here(caller);
        let scopes = agreed.scopes.iter().filter(|scope| said.contains(scope)).cloned().collect();
        let granted = Granted { scopes, client: agreed.client_id.clone(), ..caller.granted().clone() };
        let (token_id, expires) = (agreed.token_id.clone(), caller.expires());
        Ok(Caller::new(Said { granted, token_id, expires }))
    }

    /// At its own word, where that is allowed.
    fn unbounded(&self, caller: &Caller) -> Result<Caller, Refusal> {
        if !self.tokens.others || caller.client_id() == self.tokens.client_id {
            return Err(Refusal::NotHandedOn);
        }
        let granted = Granted { scopes: self.as_called_here(caller), ..caller.granted().clone() };
        let (token_id, expires) = (caller.token_id().to_owned(), caller.expires());
        Ok(Caller::new(Said { granted, token_id, expires }))
    }

    fn as_called_here(&self, caller: &Caller) -> ScopeSet {
        let mut scopes = caller.scopes().clone();
        let renamed = self.tokens.names.iter().filter(|(_, there)| caller.scopes().contains(there));
        scopes.extend(renamed.map(|(here, _)| here.clone()));
        scopes
    }
}
