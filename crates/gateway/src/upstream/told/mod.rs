//! What upstream is told: who is calling, and what opens upstream itself.

mod assertion;

use std::sync::Arc;

use hallpass_resource_server::Caller;
use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

pub use self::assertion::{ASSERTION_TYPE, AssertionClaims, Assertions, Unsigned};
use super::headers::{CLIENT, EMAIL, ISSUER, SCOPE, SUBJECT, field_value, is_spelled_like, keep_fields};

/// What upstream is told with each request, by the operator's choice. It is never told the caller's own token (MCP, "Access
/// Token Privilege Restriction").
#[derive(Clone, Debug, Default)]
pub struct Told {
    caller: Who,
    own: Vec<(HeaderName, HeaderValue)>,
}

#[derive(Clone, Debug, Default)]
enum Who {
    Nobody,
    #[default]
    Fields,
    Assertion(Arc<Assertions>),
}

impl Told {
    /// Nothing about the caller.
    #[must_use]
    pub fn nothing() -> Self {
        Self { caller: Who::Nobody, own: Vec::new() }
    }

    /// Who is calling, in plain fields: `X-Hallpass-Subject` and its like. The default.
    #[must_use]
    pub fn fields() -> Self {
        Self::default()
    }

    /// Who is calling, in a signed assertion.
    #[must_use]
    pub fn assertion(assertions: Assertions) -> Self {
        Self { caller: Who::Assertion(Arc::new(assertions)), own: Vec::new() }
    }

    /// A credential of hallpass's own for upstream, in that field. What a client says there does not arrive, in whatever spelling.
    #[must_use]
    pub fn with_own(mut self, field: HeaderName, mut value: HeaderValue) -> Self {
        value.set_sensitive(true);
        self.own.push((field, value));
        self
    }

    /// The fields that it sets where they would be nobody else's business: a client may not say them.
    fn taken(&self) -> impl Iterator<Item = &HeaderName> {
        let assertion = match &self.caller {
            Who::Assertion(assertions) => Some(assertions.field()),
            Who::Nobody | Who::Fields => None,
        };
        self.own.iter().map(|(name, _)| name).chain(assertion)
    }

    /// Says it. Call it after [`strip`](super::headers::strip), so that these fields are said by nobody else.
    ///
    /// # Errors
    /// Where an assertion can't be signed.
    pub(super) fn tell(&self, headers: &mut HeaderMap, caller: &Caller) -> Result<(), Unsigned> {
        keep_fields(headers, |name| !self.taken().any(|taken| is_spelled_like(name, taken)));
        match &self.caller {
            Who::Nobody => {}
            Who::Fields => fields(headers, caller),
            Who::Assertion(assertions) => {
                headers.insert(assertions.field().clone(), assertions.about(caller)?);
            }
        }
        for (name, value) in &self.own {
            headers.insert(name.clone(), value.clone());
        }
        Ok(())
    }
}

fn fields(headers: &mut HeaderMap, caller: &Caller) {
    headers.insert(SUBJECT, field_value(caller.principal()));
    headers.insert(ISSUER, field_value(caller.issuer()));
    headers.insert(CLIENT, field_value(caller.client_id()));
    headers.insert(SCOPE, field_value(&caller.scopes().to_string()));
    if let Some(email) = email(caller) {
        headers.insert(EMAIL, field_value(email));
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
