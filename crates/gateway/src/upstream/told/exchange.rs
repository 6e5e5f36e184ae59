//! A token made for upstream, in exchange for the caller's own (RFC 8693): got once, however many wait for it, and used until
//! its end.

use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::pin::Pin;
use std::time::Duration;

use hallpass_protocol::secret::Secret;
use hallpass_protocol::time::{Clock, Timestamp};
use hallpass_resource_server::Caller;
use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use quick_cache::sync::Cache;

use super::in_field;

/// The most that are remembered.
const REMEMBERED: usize = 10_000;
/// How long a token counts whose end nobody has said (RFC 8693 §2.2.1 leaves it open).
const UNSAID: Duration = Duration::from_secs(60);
/// So long before its end a token is not used any more: it has to hold until upstream has looked.
const MARGIN: Duration = Duration::from_secs(10);
/// How long a failure counts: an authorization server that fails is not asked for each request.
const FAILED: Duration = Duration::from_secs(5);

/// Gets tokens for upstream, and remembers each.
pub struct Exchanges {
    field: HeaderName,
    clock: Clock,
    ask: Box<Ask>,
    /// By the caller's token, and all that it says.
    remembered: Cache<String, Remembered>,
    /// Tells tokens apart that say the same; what is remembered holds none.
    hasher: RandomState,
}

/// What an authorization server gave for a token.
#[derive(Clone, Debug)]
pub struct Exchanged {
    /// For upstream.
    pub token: Secret,
    /// How long it lives (`expires_in`), where that was said.
    pub lives: Option<Duration>,
}

/// Why there is no token for upstream.
#[derive(Clone, Debug, thiserror::Error)]
pub enum NotExchanged {
    /// An API key, a password or a certificate is no token that could be exchanged.
    #[error("the caller has shown no token, so there is none to be exchanged")]
    NoToken,
    /// The authorization server gives none.
    #[error("no token for upstream could be had: {0}")]
    Refused(String),
}

impl NotExchanged {
    /// The same for the caller, who learns nothing about what is behind.
    pub(in crate::upstream) fn told(&self) -> &'static str {
        match self {
            Self::NoToken => {
                "the MCP server behind the gateway takes tokens that are made for it in exchange for the caller's, and this caller \
                 has shown none: log in"
            }
            Self::Refused(_) => {
                "the gateway could get no token for the MCP server behind it in exchange for the caller's; try again, and if it \
                 stays so its operator has to mend that"
            }
        }
    }
}

#[derive(Clone)]
struct Remembered {
    outcome: Result<HeaderValue, NotExchanged>,
    until: Timestamp,
}

type Asking = Pin<Box<dyn Future<Output = Result<Exchanged, String>> + Send>>;
type Ask = dyn Fn(Secret) -> Asking + Send + Sync;

impl std::fmt::Debug for Exchanges {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Exchanges").field("field", &self.field).finish_non_exhaustive()
    }
}

impl Exchanges {
    /// Tokens in `field`: behind `Bearer` where that is `Authorization`. `ask` exchanges a caller's token, or says why not.
    pub fn new<F>(field: HeaderName, clock: Clock, ask: impl Fn(Secret) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<Exchanged, String>> + Send + 'static,
    {
        let ask = Box::new(move |token| -> Asking { Box::pin(ask(token)) });
        Self { field, clock, ask, remembered: Cache::new(REMEMBERED), hasher: RandomState::new() }
    }

    pub(super) fn field(&self) -> &HeaderName {
        &self.field
    }

    /// The field for this caller, who has shown this token.
    pub(super) async fn for_caller(
        &self,
        caller: &Caller,
        shown: Option<Secret>,
    ) -> Result<HeaderValue, NotExchanged> {
        let shown = shown.ok_or(NotExchanged::NoToken)?;
        let claims = serde_json::to_string(caller.claims()).map_err(|_| NotExchanged::NoToken)?;
        let token = self.hasher.hash_one(shown.expose());
        let key = format!("{token:x}\n{}\n{}\n{claims}", caller.issuer(), caller.principal());
        let now = self.clock.now();
        self.remembered.remove_if(&key, |known| known.until <= now);
        let made = self.remembered.get_or_insert_async(&key, async {
            let said = (self.ask)(shown).await;
            Ok::<_, NotExchanged>(self.remember(said, caller))
        });
        made.await?.outcome
    }

    fn remember(&self, said: Result<Exchanged, String>, caller: &Caller) -> Remembered {
        let now = self.clock.now();
        let failed = |why: String| {
            tracing::warn!(why, "a token for upstream could not be had");
            Remembered { outcome: Err(NotExchanged::Refused(why)), until: now.after(FAILED) }
        };
        match said {
            Ok(Exchanged { token, lives }) => match in_field(&self.field, token.expose()) {
                // Nothing that rests on the caller's token outlives it.
                Some(value) => {
                    let ends = now.after(lives.unwrap_or(UNSAID)).min(caller.expires());
                    Remembered { outcome: Ok(value), until: ends.before(MARGIN).max(now) }
                }
                None => failed("it holds what no field can say".to_owned()),
            },
            Err(why) => failed(why),
        }
    }
}

/// The token that the caller has shown, whose request was permitted: `Bearer` (RFC 6750 §2.1) or `DPoP` (RFC 9449 §7.1).
pub(super) fn shown(headers: &HeaderMap) -> Option<Secret> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let known = ["bearer", "dpop"].iter().any(|known| scheme.eq_ignore_ascii_case(known));
    known.then(|| Secret::new(token.trim()))
}
