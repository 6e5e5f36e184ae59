//! An assertion of an issuer that the operator trusts, for a token (RFC 7523 §2.1, §3): identity assertions of a company's
//! identity provider (draft-ietf-oauth-identity-assertion-authz-grant), and identities of workloads.

use std::time::Duration;

use hallpass_protocol::form::Parameters;
use hallpass_protocol::jose::{Expected, JoseError, UnverifiedJwt, VerifiedJwt};
use hallpass_protocol::scope::ScopeSet;
use hallpass_protocol::time::Timestamp;
use hallpass_protocol::token::TokenResponse;

use super::access_token::{Subject, answer, issue};
use super::{MustBind, Refusal, Sender};
use crate::checks::{OFFLINE_ACCESS, Resources, resource};
use crate::clients::{Client, JWT_BEARER, KeySource};
use crate::delegation::{AssertionKind, AssertionRule, IssuerKeys, TrustedIssuer};
use crate::server::Inner;
use crate::store::SeenBy;

/// How far an issuer's clock may be apart.
const LEEWAY: Duration = Duration::from_secs(30);
/// RFC 7523 §3, rule 4: ids are remembered until their end, so an unreasonably distant one is refused.
const LONGEST_LIFE: Duration = Duration::from_secs(24 * 60 * 60);

/// Answers with an access token, and with nothing to refresh it: the issuer is to be asked again (ID-JAG §5).
pub(crate) async fn exchange_assertion(
    server: &Inner,
    sender: &Sender<'_>,
    form: &Parameters,
) -> Result<TokenResponse, Refusal> {
    sender.check()?;
    let client = check_allowed(sender)?;
    let text = form.get("assertion").ok().flatten().ok_or(Refusal::NoAssertion)?;
    let assertion = UnverifiedJwt::parse(text).map_err(Refusal::Assertion)?;
    let trusted = trusted(server, &assertion)?;
    let own_grant = check_enabled(server, trusted).await?;
    let verified = verify(server, trusted, &assertion).await?;
    check_sole_audience(&verified)?;
    check_life(server, &verified)?;
    check_client(trusted, sender, client, &verified)?;
    let rule = rule(trusted, client, &verified)?;
    let resources = resources(server, client, rule, &verified, form)?;
    let scopes = scopes(server, client, rule, &verified, &resources, form)?;
    // Last: an assertion that breaks a rule must not use up that of a good one.
    check_once(server, trusted, &verified).await?;
    let binding = sender.bind(server, MustBind::default()).await?;
    let subject = Subject {
        grant_id: &format!("{own_grant}.{}", client.own_grant),
        // Two issuers may know two people by one name.
        subject: &format!("{}#{}", trusted.issuer, verified.claims().subject),
        client_id: &client.id,
        resources: &resources,
        scopes: &scopes,
        binding: binding.as_ref(),
        login: login(server, trusted, &verified),
        actor: None,
        ends: None,
    };
    let issued = issue(server, &subject).await?;
    Ok(answer(server, &subject, issued, None))
}

/// A client that the operator has registered for the grant.
fn check_allowed<'a>(sender: &'a Sender<'_>) -> Result<&'a Client, Refusal> {
    let client = sender.client.client().filter(|client| client.may_use(JWT_BEARER));
    client.ok_or(Refusal::GrantNotAllowed(JWT_BEARER))
}

/// RFC 7523 §3, rule 1. The text of `iss` chooses among issuers that are trusted already.
fn trusted<'a>(server: &'a Inner, assertion: &UnverifiedJwt<'_>) -> Result<&'a TrustedIssuer, Refusal> {
    let named = assertion.unverified_issuer().unwrap_or_default();
    let mut all = server.settings.trusted_issuers.iter();
    all.find(|trusted| trusted.issuer == *named).ok_or(Refusal::UntrustedIssuer)
}

/// Says under which name the issuer's tokens go.
async fn check_enabled(server: &Inner, trusted: &TrustedIssuer) -> Result<String, Refusal> {
    let row = server.store.find_trusted_issuer(trusted.issuer.as_str()).await?;
    row.filter(|row| !row.disabled).map(|row| row.own_grant).ok_or(Refusal::UntrustedIssuer)
}

/// RFC 7523 §3, rules 1 to 6, 8 and 9.
async fn verify(
    server: &Inner,
    trusted: &TrustedIssuer,
    assertion: &UnverifiedJwt<'_>,
) -> Result<VerifiedJwt, Refusal> {
    let source = match &trusted.keys {
        IssuerKeys::Value(set) => KeySource::Value(set.clone()),
        IssuerKeys::Uri(uri) => KeySource::Uri(uri.clone()),
    };
    let now = server.store.now();
    let wanted = (assertion.kid(), assertion.algorithm());
    let keys = server.client_keys.find(&server.fetcher, &source, wanted, now).await.map_err(|error| {
        tracing::warn!(issuer = %trusted.issuer, %error, "the keys of a trusted issuer cannot be had");
        Refusal::IssuerUnreachable
    })?;
    let typ: &[&str] = match trusted.kind {
        AssertionKind::IdJag => &["oauth-id-jag+jwt"],
        // An access token or an ID token of the same issuer says another type, or is for another audience.
        AssertionKind::Workload => &["JWT", ""],
    };
    let expected = Expected {
        issuer: &trusted.issuer,
        audience: &[server.settings.issuer.as_str()],
        typ,
        now,
        leeway: LEEWAY,
    };
    assertion.verify(&keys, &expected).map_err(Refusal::Assertion)
}

/// RFC 7523 §3, rule 3, as rfc7523bis has it: this server's issuer, and nobody beside it.
fn check_sole_audience(assertion: &VerifiedJwt) -> Result<(), Refusal> {
    let sole = assertion.claims().audience.0.len() == 1;
    sole.then_some(()).ok_or(Refusal::Assertion(JoseError::WrongAudience))
}

/// RFC 7523 §3, rule 4.
fn check_life(server: &Inner, assertion: &VerifiedJwt) -> Result<(), Refusal> {
    let short = assertion.claims().expires_at <= server.store.now().after(LONGEST_LIFE);
    short.then_some(()).ok_or(Refusal::LongAssertion)
}

/// ID-JAG §4.4: `client_id` is the client that presents it, which has shown who it is.
fn check_client(
    trusted: &TrustedIssuer,
    sender: &Sender<'_>,
    client: &Client,
    assertion: &VerifiedJwt,
) -> Result<(), Refusal> {
    if trusted.kind == AssertionKind::Workload {
        return Ok(());
    }
    let named = assertion.claim("client_id").and_then(|id| id.as_str());
    match named == Some(client.id.as_str()) && sender.client.is_proven() {
        true => Ok(()),
        false => Err(Refusal::OtherClientsAssertion),
    }
}

/// What is not listed is refused.
fn rule<'a>(
    trusted: &'a TrustedIssuer,
    client: &Client,
    assertion: &VerifiedJwt,
) -> Result<&'a AssertionRule, Refusal> {
    let holds = |(name, text): &(String, String)| {
        assertion.claim(name).and_then(|value| value.as_str()) == Some(text.as_str())
    };
    let fits = |rule: &&AssertionRule| {
        rule.client_id == client.id
            && rule.fits_subject(&assertion.claims().subject)
            && rule.claims.iter().all(holds)
    };
    trusted.rules.iter().find(fits).ok_or(Refusal::NotListed)
}

/// What is asked for, within the rule, and within `resource` of the assertion (ID-JAG §3.1).
fn resources(
    server: &Inner,
    client: &Client,
    rule: &AssertionRule,
    assertion: &VerifiedJwt,
    form: &Parameters,
) -> Result<Resources, Refusal> {
    let resources = resource::requested(form, &server.settings, client).map_err(Refusal::Request)?;
    let mut bounds: Vec<Vec<String>> = rule.resources.iter().cloned().collect();
    if let Some(named) = assertion.claim("resource") {
        let named = serde_json::from_value::<hallpass_protocol::Audience>(named.clone());
        bounds.push(named.map(|named| named.0).unwrap_or_default());
    }
    match bounds.iter().all(|bound| resources.are_within(bound)) {
        true => Ok(resources),
        false => Err(Refusal::OtherResource(resources.to_string())),
    }
}

/// What is asked for, or else what the assertion says, or else the default; within the rule and the assertion's own
/// `scope`.
fn scopes(
    server: &Inner,
    client: &Client,
    rule: &AssertionRule,
    assertion: &VerifiedJwt,
    resources: &Resources,
    form: &Parameters,
) -> Result<ScopeSet, Refusal> {
    let said = assertion.claim("scope").and_then(|scope| scope.as_str());
    let said = said.map(ScopeSet::parse).transpose();
    let said = said.map_err(|error| Refusal::MalformedScope(error.to_string()))?;
    let mut bound = match &said {
        Some(said) => rule.scopes.intersection(said),
        None => rule.scopes.clone(),
    };
    if let Some(own) = &client.scopes {
        bound = bound.intersection(own);
    }
    let asked = ScopeSet::parse(form.get("scope").ok().flatten().unwrap_or_default());
    let asked = asked.map_err(|error| Refusal::MalformedScope(error.to_string()))?;
    // There is nothing to refresh; whoever asks for no more than that has asked for nothing.
    let asked: ScopeSet = asked.iter().filter(|scope| scope.as_str() != OFFLINE_ACCESS).cloned().collect();
    if asked.is_empty() {
        let default = resources.default_scopes(&server.settings);
        return Ok(if said.is_some() { bound } else { default.intersection(&bound) });
    }
    let beyond = asked.difference(&bound);
    match beyond.is_empty() {
        true => Ok(asked),
        false => Err(Refusal::ScopeBeyondGrant(beyond.to_string())),
    }
}

/// ID-JAG §3.1: when the person has logged in at the issuer. Never a time that has not come.
fn login(server: &Inner, trusted: &TrustedIssuer, assertion: &VerifiedJwt) -> Option<Timestamp> {
    let said = assertion.claim("auth_time").and_then(serde_json::Value::as_i64).map(Timestamp::from_unix);
    said.filter(|_| trusted.kind == AssertionKind::IdJag).map(|login| login.min(server.store.now()))
}

/// RFC 7523 §3, rule 7.
async fn check_once(server: &Inner, trusted: &TrustedIssuer, assertion: &VerifiedJwt) -> Result<(), Refusal> {
    if !trusted.once {
        return Ok(());
    }
    let id = assertion.claims().id.as_deref().ok_or(Refusal::AssertionWithoutId)?;
    let until = assertion.claims().expires_at.after(LEEWAY);
    let fresh = server.store.see_id(SeenBy::Assertion, trusted.issuer.as_str(), id, until).await?;
    fresh.then_some(()).ok_or(Refusal::AssertionReplayed)
}
