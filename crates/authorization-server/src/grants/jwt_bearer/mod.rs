//! An assertion of an issuer that the operator trusts, for a token (RFC 7523 §2.1, §3): identity assertions of a company's
//! identity provider (draft-ietf-oauth-identity-assertion-authz-grant-04, "ID-JAG"; MCP extension "enterprise-managed
//! authorization"), and identities of workloads (MCP extension "workload identity federation").

mod assertion;
mod granted;
mod person;
mod workload;

use hallpass_protocol::form::Parameters;
use hallpass_protocol::jose::UnverifiedJwt;
use hallpass_protocol::token::TokenResponse;

use super::access_token::{Subject, answer, issue};
use super::{MustBind, Refusal, Sender, linked, still};
use crate::clients::{Client, JWT_BEARER};
use crate::server::Inner;
use person::Person;

pub(crate) use workload::client_of_workload;

/// Answers with an access token, and with nothing to refresh it: the issuer is to be asked again (ID-JAG §4.4.3).
pub(crate) async fn exchange_assertion(
    server: &Inner,
    sender: &Sender<'_>,
    form: &Parameters,
) -> Result<TokenResponse, Refusal> {
    sender.check()?;
    let client = check_allowed(sender)?;
    let text = form.get("assertion").ok().flatten().ok_or(Refusal::NoAssertion)?;
    let unverified = UnverifiedJwt::parse(text).map_err(Refusal::Assertion)?;
    let trusted = assertion::trusted(server, &unverified)?;
    let own_grant = assertion::check_enabled(server, trusted).await?;
    let verified = assertion::verify(server, trusted, &unverified).await?;
    assertion::check_sole_audience(&verified)?;
    assertion::check_life(server, trusted, &verified)?;
    assertion::check_client(trusted, sender, client, &verified)?;
    assertion::check_key(sender, &verified)?;
    assertion::check_details(&verified)?;
    let actor = assertion::actor(&verified)?;
    let rules = granted::rules(trusted, client, &verified)?;
    let (resources, rules) = granted::resources(server, client, rules, &verified, form)?;
    let scopes = granted::scopes(server, client, trusted, &rules, &verified, &resources, form)?;
    let person = Person::find(server, trusted, &verified).await?;
    let scopes = match person.user_id() {
        Some(user_id) => still::scopes_of(server, user_id, scopes).await?,
        None => scopes,
    };
    // Whoever links their account now comes again with the same assertion.
    if let Some(user_id) = person.user_id() {
        linked::check(server, user_id, &resources, &scopes).await?;
    }
    // Last: an assertion that breaks a rule must not use up that of a good one.
    assertion::check_once(server, trusted, &verified).await?;
    let binding = sender.bind(server, MustBind::default()).await?;
    let who = person.settle(server, trusted).await?;
    let sessions = linked::check(server, &who.subject, &resources, &scopes).await?;
    let hangs_on = [Some(own_grant.as_str()), Some(&client.own_grant), who.own_grant.as_deref()];
    let sessions = sessions.iter().map(String::as_str);
    let hangs_on: Vec<&str> = hangs_on.into_iter().flatten().chain(sessions).collect();
    let subject = Subject {
        grant_id: &hangs_on.join("."),
        subject: &who.subject,
        client_id: &client.id,
        resources: &resources,
        scopes: &scopes,
        binding: binding.as_ref(),
        login: assertion::login(server, trusted, &verified),
        actor,
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
