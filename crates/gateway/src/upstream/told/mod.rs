//! What upstream is told: who is calling, and what opens upstream itself.

mod assertion;
mod exchange;
pub(super) mod linking;
mod third_party;

use std::sync::Arc;

use hallpass_resource_server::Caller;
use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

pub use self::assertion::{ASSERTION_TYPE, AssertionClaims, Assertions, Unsigned};
pub use self::exchange::{Exchanged, Exchanges, NotExchanged};
pub(super) use self::third_party::{Handed, NotHanded, Unlinked};
pub use self::third_party::{NotGiven, Place, ThirdPartyToken};
use super::headers::{CLIENT, EMAIL, ISSUER, REQUEST, SCOPE, SUBJECT, is_spelled_like};
use super::onward::{Said, Word};
use crate::edge::RequestId;

/// What upstream is told with each request, by the operator's choice. It is never told the caller's own token (MCP, "Access
/// Token Privilege Restriction").
#[derive(Clone, Debug, Default)]
pub struct Told {
    caller: Who,
    own: Vec<(HeaderName, HeaderValue)>,
    third_parties: Vec<ThirdPartyToken>,
    /// The protected server that it is told in the name of: the log says so, since several may tell of one third party.
    pub(super) server: Arc<str>,
}

#[derive(Clone, Debug, Default)]
enum Who {
    Nobody,
    #[default]
    Fields,
    Assertion(Arc<Assertions>),
    Token(Arc<Exchanges>),
}

impl Told {
    /// Nothing about the caller.
    #[must_use]
    pub fn nothing() -> Self {
        Self { caller: Who::Nobody, ..Self::default() }
    }

    /// Who is calling, in plain fields: `X-Hallpass-Subject` and its like. The default.
    #[must_use]
    pub fn fields() -> Self {
        Self::default()
    }

    /// Who is calling, in a signed assertion.
    #[must_use]
    pub fn assertion(assertions: Assertions) -> Self {
        Self { caller: Who::Assertion(Arc::new(assertions)), ..Self::default() }
    }

    /// Who is calling, by a token that was made for upstream in exchange for the caller's own (RFC 8693).
    #[must_use]
    pub fn token(exchanges: Exchanges) -> Self {
        Self { caller: Who::Token(Arc::new(exchanges)), ..Self::default() }
    }

    /// A credential of hallpass's own for upstream, in that field. What a client says there does not arrive, in whatever spelling.
    #[must_use]
    pub fn with_own(mut self, field: HeaderName, mut value: HeaderValue) -> Self {
        value.set_sensitive(true);
        self.own.retain(|(before, _)| *before != field);
        self.own.push((field, value));
        self
    }

    /// A third party's token for whoever calls, beside all else: it is asked for with each request. What a client says in its
    /// field does not arrive, in whatever spelling, also where there is no token for it. The same field holds nothing else that
    /// hallpass says.
    #[must_use]
    pub fn with_third_party(mut self, token: ThirdPartyToken) -> Self {
        self.third_parties.retain(|before| before.place() != token.place());
        self.third_parties.push(token);
        self
    }

    /// Whether something of what upstream is told has to be asked for with each request, which may take a while.
    pub(super) fn asks_for_each(&self) -> bool {
        self.makes_for_each() || self.works_at_third_parties()
    }

    /// Whether a token is made for upstream with each request.
    pub(super) fn makes_for_each(&self) -> bool {
        matches!(self.caller, Who::Token(_))
    }

    /// The token for upstream, where one is to be made for the one that stands in these fields.
    ///
    /// # Errors
    /// Where there is none: then nothing may be said.
    pub(super) async fn made(
        &self,
        fields: &HeaderMap,
        caller: &Caller,
    ) -> Result<Option<HeaderValue>, NotExchanged> {
        match &self.caller {
            Who::Token(exchanges) => exchanges.for_caller(caller, exchange::shown(fields)).await.map(Some),
            Who::Nobody | Who::Fields | Who::Assertion(_) => Ok(None),
        }
    }

    /// What is said with the request of that name, and with the token that was made for it.
    ///
    /// # Errors
    /// Where an assertion can't be signed.
    pub(super) fn say<'a>(
        &self,
        caller: &'a Caller,
        request: Option<&'a RequestId>,
        made: Option<HeaderValue>,
        handed: Said<'a>,
    ) -> Result<Said<'a>, Unsigned> {
        // What was handed comes first, in the same list.
        let (handed, mut said) = (handed.len(), handed);
        said.reserve(6);
        let is_handed = |said: &Said<'a>, name: &HeaderName| {
            said.iter().take(handed).any(|(other, _)| is_spelled_like(other, name))
        };
        // What the operator says in a field is said there alone: many servers read `_` as `-`.
        let mut say = |name: HeaderName, word| {
            if !self.own.iter().any(|(own, _)| is_spelled_like(own, &name)) && !is_handed(&said, &name) {
                said.push((name, word));
            }
        };
        match &self.caller {
            Who::Nobody => {}
            Who::Fields => fields(caller, &mut say),
            Who::Assertion(assertions) => {
                say(assertions.field().clone(), Word::Value(assertions.about(caller)?))
            }
            Who::Token(exchanges) => {
                made.into_iter().for_each(|made| say(exchanges.field().clone(), Word::Value(made)));
            }
        }
        if let Some(request) = request {
            say(REQUEST, Word::text(request.as_str()));
        }
        for (name, value) in &self.own {
            if !is_handed(&said, name) {
                said.push((name.clone(), Word::Value(value.clone())));
            }
        }
        Ok(said)
    }
}

fn fields<'a>(caller: &'a Caller, say: &mut impl FnMut(HeaderName, Word<'a>)) {
    say(SUBJECT, Word::text(caller.principal()));
    say(ISSUER, Word::text(caller.issuer()));
    say(CLIENT, Word::text(caller.client_id()));
    say(SCOPE, Word::Text(caller.scopes().to_string().into()));
    if let Some(email) = email(caller) {
        say(EMAIL, Word::text(email));
    }
}

/// OpenID Connect Core §5.1: an address that nobody has verified is whatever somebody typed.
fn email(caller: &Caller) -> Option<&str> {
    let verified = caller.claims().get("email_verified") == Some(&Value::Bool(true));
    caller.claims().get("email").and_then(Value::as_str).filter(|email| verified && !email.is_empty())
}

/// How a token goes in that field: RFC 6750 §2.1 in `Authorization`, alone in every other.
fn in_field(field: &HeaderName, token: &str) -> Option<HeaderValue> {
    let mut value = match *field {
        AUTHORIZATION => HeaderValue::try_from(format!("Bearer {token}")),
        _ => HeaderValue::try_from(token),
    }
    .ok()?;
    value.set_sensitive(true);
    Some(value)
}
