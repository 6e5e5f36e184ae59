//! What an assertion is good for: what is asked for, what it says, and what the operator has listed, all at once.

use hallpass_protocol::Audience;
use hallpass_protocol::form::Parameters;
use hallpass_protocol::jose::{JoseError, VerifiedJwt};
use hallpass_protocol::scope::ScopeSet;

use crate::checks::{OFFLINE_ACCESS, Resources, resource};
use crate::clients::Client;
use crate::delegation::{AssertionKind, AssertionRule, TrustedIssuer};
use crate::grants::Refusal;
use crate::server::Inner;

/// Every rule that fits. What is not listed is refused.
pub(super) fn rules<'a>(
    trusted: &'a TrustedIssuer,
    client: &Client,
    assertion: &VerifiedJwt,
) -> Result<Vec<&'a AssertionRule>, Refusal> {
    let fits = |rule: &&AssertionRule| rule.client_id == client.id && rule.fits(assertion.all());
    let rules: Vec<_> = trusted.rules.iter().filter(fits).collect();
    if rules.is_empty() { Err(Refusal::NotListed) } else { Ok(rules) }
}

/// What is asked for, or else what `resource` of the assertion says; within that (ID-JAG §3.1, enterprise-managed
/// authorization §5.1), and the rules that allow it.
pub(super) fn resources<'a>(
    server: &Inner,
    client: &Client,
    rules: Vec<&'a AssertionRule>,
    assertion: &VerifiedJwt,
    form: &Parameters,
) -> Result<(Resources, Vec<&'a AssertionRule>), Refusal> {
    let said = said(assertion)?;
    let asked = match (&said, form.is_present("resource")) {
        (Some(said), false) => {
            // Its issuer may name some that are not here; of these there is no token.
            let known = |text: &&str| resource::is_known(text, &server.settings);
            let known: Vec<&str> = said.iter().map(String::as_str).filter(known).collect();
            match known.is_empty() {
                true => return Err(Refusal::OtherResource(said.join(" "))),
                false => resource::named(known.into_iter(), &server.settings, client),
            }
        }
        _ => resource::requested(form, &server.settings, client),
    };
    let asked = asked.map_err(Refusal::Request)?;
    let within = said.is_none_or(|said| asked.are_within(&said));
    let allow = |rule: &&AssertionRule| rule.resources.as_ref().is_none_or(|bound| asked.are_within(bound));
    let rules: Vec<_> = rules.into_iter().filter(allow).collect();
    match within && !rules.is_empty() {
        true => Ok((asked, rules)),
        false => Err(Refusal::OtherResource(asked.to_string())),
    }
}

/// One resource, or a list of them.
fn said(assertion: &VerifiedJwt) -> Result<Option<Vec<String>>, Refusal> {
    let Some(named) = assertion.claim("resource") else { return Ok(None) };
    let named = serde_json::from_value::<Audience>(named.clone()).map(|named| named.0).unwrap_or_default();
    let malformed = Refusal::Assertion(JoseError::ClaimType("resource"));
    if named.is_empty() { Err(malformed) } else { Ok(Some(named)) }
}

/// Within the rules, the client's own scopes, and the assertion's own `scope`. Where nothing is asked for, what the assertion
/// says, or else the default.
pub(super) fn scopes(
    server: &Inner,
    client: &Client,
    trusted: &TrustedIssuer,
    rules: &[&AssertionRule],
    assertion: &VerifiedJwt,
    resources: &Resources,
    form: &Parameters,
) -> Result<ScopeSet, Refusal> {
    let listed: ScopeSet = rules.iter().flat_map(|rule| rule.scopes.iter().cloned()).collect();
    let listed = client.scopes.as_ref().map_or(listed.clone(), |own| listed.intersection(own));
    let said = said_scopes(assertion)?;
    let bound = said.as_ref().map_or(listed.clone(), |said| listed.intersection(said));
    let asked = ScopeSet::parse(form.get("scope").ok().flatten().unwrap_or_default());
    let asked = asked.map_err(|error| Refusal::MalformedScope(error.to_string()))?;
    // There is nothing to refresh; whoever asks for no more than that has asked for nothing.
    let asked: ScopeSet = asked.iter().filter(|scope| scope.as_str() != OFFLINE_ACCESS).cloned().collect();
    let (wanted, granted) = match (&said, asked.is_empty()) {
        (None, true) => return Ok(resources.default_scopes(&server.settings).intersection(&bound)),
        (Some(said), true) => (said.clone(), bound),
        // Enterprise-managed authorization §7.2.1: the intersection of what is requested and what the ID-JAG says.
        (_, false) if trusted.kind == AssertionKind::IdJag => (asked.clone(), asked.intersection(&bound)),
        (_, false) => {
            let beyond = asked.difference(&bound);
            return if beyond.is_empty() {
                Ok(asked)
            } else {
                Err(Refusal::ScopeBeyondGrant(beyond.to_string()))
            };
        }
    };
    // A token without a scope would be taken for one with all that was asked for (RFC 6749 §5.1).
    match granted.is_empty() && !wanted.is_empty() {
        true => Err(Refusal::ScopeBeyondGrant(wanted.to_string())),
        false => Ok(granted),
    }
}

/// ID-JAG §3.1, RFC 6749 §3.3: a text. What cannot be read must not be taken for what is not there.
fn said_scopes(assertion: &VerifiedJwt) -> Result<Option<ScopeSet>, Refusal> {
    let Some(said) = assertion.claim("scope") else { return Ok(None) };
    let said = said.as_str().ok_or(Refusal::Assertion(JoseError::ClaimType("scope")))?;
    ScopeSet::parse(said).map(Some).map_err(|error| Refusal::MalformedScope(error.to_string()))
}
