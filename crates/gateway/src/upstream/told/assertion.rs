//! A short signed word about the caller, for an upstream that believes no plain field.

use std::time::Duration;

use hallpass_protocol::time::{Clock, Timestamp};
use hallpass_resource_server::Caller;
use http::header::{HeaderName, HeaderValue};
use quick_cache::sync::Cache;
use serde::Serialize;

use super::{email, in_field};

/// The most that are remembered.
const REMEMBERED: usize = 10_000;

/// The token type (`typ`, RFC 7515 §4.1.9), so that none is taken for an access token.
pub const ASSERTION_TYPE: &str = "hallpass-assertion+jwt";

/// Signs assertions, and remembers each for half of its life.
pub struct Assertions {
    field: HeaderName,
    issuer: String,
    audience: String,
    lifetime: Duration,
    clock: Clock,
    sign: Box<Sign>,
    /// By all that they say but their times.
    remembered: Cache<String, Remembered>,
}

#[derive(Clone)]
struct Remembered {
    value: HeaderValue,
    fresh_until: Timestamp,
    ends: Timestamp,
}

type Sign = dyn Fn(&AssertionClaims<'_>) -> Option<String> + Send + Sync;

/// An assertion could not be signed.
#[derive(Debug, thiserror::Error)]
#[error("the assertion for the upstream server cannot be signed: the signing key cannot be used")]
pub struct Unsigned;

/// What an assertion says (RFC 7519 §4.1 for the registered names).
#[derive(Clone, Debug, Serialize)]
pub struct AssertionClaims<'a> {
    iss: &'a str,
    aud: &'a str,
    sub: &'a str,
    /// Who vouches for the caller: the issuer of their token.
    idp: &'a str,
    client_id: &'a str,
    #[serde(skip_serializing_if = "String::is_empty")]
    scope: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    #[serde(flatten)]
    times: Option<Times>,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct Times {
    iat: i64,
    exp: i64,
}

impl std::fmt::Debug for Assertions {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = formatter.debug_struct("Assertions");
        shown.field("field", &self.field).field("issuer", &self.issuer).field("audience", &self.audience);
        shown.field("lifetime", &self.lifetime).finish_non_exhaustive()
    }
}

impl Assertions {
    /// Assertions of `issuer` for `audience` in `field`: behind `Bearer` where that is `Authorization`. `sign` makes a JWT of type
    /// [`ASSERTION_TYPE`].
    pub fn new(
        field: HeaderName,
        (issuer, audience): (String, String),
        lifetime: Duration,
        clock: Clock,
        sign: impl Fn(&AssertionClaims<'_>) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        let remembered = Cache::new(REMEMBERED);
        Self { field, issuer, audience, lifetime, clock, sign: Box::new(sign), remembered }
    }

    pub(super) fn field(&self) -> &HeaderName {
        &self.field
    }

    /// One that holds for at least half a lifetime, where the caller's own token does.
    pub(super) fn about(&self, caller: &Caller) -> Result<HeaderValue, Unsigned> {
        let mut claims = AssertionClaims {
            iss: &self.issuer,
            aud: &self.audience,
            sub: caller.principal(),
            idp: caller.issuer(),
            client_id: caller.client_id(),
            scope: caller.scopes().to_string(),
            email: email(caller),
            times: None,
        };
        let now = self.clock.now();
        let key = serde_json::to_string(&claims).map_err(|_| Unsigned)?;
        // It says nothing for longer than what it rests on.
        if let Some(known) = self.remembered.get(&key)
            && now < known.fresh_until
            && known.ends <= caller.expires()
        {
            return Ok(known.value);
        }
        let ends = now.after(self.lifetime).min(caller.expires());
        claims.times = Some(Times { iat: now.unix(), exp: ends.unix() });
        let token = (self.sign)(&claims).ok_or(Unsigned)?;
        let value = in_field(&self.field, &token).ok_or(Unsigned)?;
        let fresh_until = ends.min(now.after(self.lifetime / 2));
        self.remembered.insert(key, Remembered { value: value.clone(), fresh_until, ends });
        Ok(value)
    }
}
