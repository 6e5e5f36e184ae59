//! One access token of this server for another one (RFC 8693). Denied unless the operator has listed it.

use std::time::Duration;

use hallpass_protocol::form::Parameters;
use hallpass_protocol::jose::AccessTokenClaims;
use hallpass_protocol::scope::{Scope, ScopeSet};
use hallpass_protocol::time::Timestamp;
use hallpass_protocol::token::TokenResponse;
use serde_json::{Value, json};

use super::access_token::{Subject, answer, form as token_form, issue};
use super::{MustBind, Refusal, Sender, linked, still};
use crate::checks::{Resources, resource};
use crate::clients::{Client, TOKEN_EXCHANGE};
use crate::delegation::ExchangeRule;
use crate::issued::{NotIssued, access_token};
use crate::server::Inner;
use crate::settings::TokenForm;

/// RFC 8693 §3: what is taken and given.
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
/// How many may act for one subject, one for another.
const MOST_ACTORS: usize = 8;
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";

/// Answers with a token that hangs on the one that was shown, and on the person's sessions where its server acts: it ends with
/// each of them.
pub(crate) async fn exchange_token(
    server: &Inner,
    sender: &Sender<'_>,
    form: &Parameters,
) -> Result<TokenResponse, Refusal> {
    sender.check()?;
    let client = check_allowed(sender)?;
    check_types(form)?;
    let shown = subject_token(server, form).await?;
    let acting = acting(client, &shown)?;
    let target = target(server, client, form)?;
    check_requested_form(server, form, &target)?;
    let rules = rules(server, client, &shown, &target)?;
    let scopes = still::scopes_of(server, &shown.sub, scopes(form, client, &rules)?).await?;
    let sessions = linked::check(server, &shown.sub, &target, &scopes).await?;
    let binding = sender.bind(server, MustBind::default()).await?;
    let login = shown.other.get("auth_time").and_then(Value::as_i64).map(Timestamp::from_unix);
    let hangs_on: Vec<&str> =
        [&shown.jti, &client.own_grant].into_iter().chain(&sessions).map(String::as_str).collect();
    let subject = Subject {
        grant_id: &hangs_on.join("."),
        subject: &shown.sub,
        client_id: &client.id,
        resources: &target,
        scopes: &scopes,
        binding: binding.as_ref(),
        login,
        actor: Some(acting),
        ends: Some(shown.exp),
    };
    let issued = issue(server, &subject).await?;
    let mut response = answer(server, &subject, issued, None);
    response.other.insert("issued_token_type".to_owned(), ACCESS_TOKEN.into());
    Ok(response)
}

/// RFC 8693 §4.1: the client that asks, and within it whoever acted before. What was exchanged in a ring would grow without end.
fn acting(client: &Client, shown: &AccessTokenClaims) -> Result<Value, Refusal> {
    let before = shown.other.get("act");
    let chain = std::iter::successors(before, |act| act.get("act"));
    if chain.take(MOST_ACTORS).count() == MOST_ACTORS {
        return Err(Refusal::Exchange("the token was exchanged too often already: eight times at most"));
    }
    let mut act = json!({ "sub": client.id });
    if let (Some(act), Some(before)) = (act.as_object_mut(), before) {
        act.insert("act".to_owned(), before.clone());
    }
    Ok(act)
}

/// A confidential client that is registered for the grant.
fn check_allowed<'a>(sender: &'a Sender<'_>) -> Result<&'a Client, Refusal> {
    let client = sender.client.client().filter(|client| client.may_use(TOKEN_EXCHANGE));
    client.filter(|_| sender.client.is_proven()).ok_or(Refusal::GrantNotAllowed(TOKEN_EXCHANGE))
}

/// RFC 8693 §2.1: access tokens, for access tokens, for the client itself to act with.
fn check_types(form: &Parameters) -> Result<(), Refusal> {
    let is = |name: &str, fine: &[&str]| form.get(name).ok().flatten().is_none_or(|it| fine.contains(&it));
    if form.is_present("actor_token") {
        return Err(Refusal::Exchange("an actor_token is not taken here: the client that asks is the actor"));
    }
    if form.get("subject_token_type").ok().flatten().is_none()
        || !is("subject_token_type", &[ACCESS_TOKEN, JWT])
    {
        return Err(Refusal::Exchange("subject_token_type has to be that of an access token"));
    }
    if !is("requested_token_type", &[ACCESS_TOKEN, JWT]) {
        return Err(Refusal::Exchange("requested_token_type has to be that of an access token"));
    }
    if form.is_present("audience") {
        return Err(Refusal::Exchange("name the resource by its URL (resource), not by audience"));
    }
    Ok(())
}

/// RFC 8693 §3: whoever asks for a JWT wants to read it.
fn check_requested_form(server: &Inner, form: &Parameters, target: &Resources) -> Result<(), Refusal> {
    let wants_jwt = form.get("requested_token_type").ok().flatten() == Some(JWT);
    match wants_jwt && token_form(&target.configured(&server.settings)) == TokenForm::Opaque {
        true => Err(Refusal::Exchange("access tokens for this resource are opaque; ask for an access token")),
        false => Ok(()),
    }
}

/// The token that is shown: this server's own, alive, not revoked.
async fn subject_token(server: &Inner, form: &Parameters) -> Result<AccessTokenClaims, Refusal> {
    let token = form.get("subject_token").ok().flatten();
    let token = token.ok_or(Refusal::Exchange("subject_token is missing"))?;
    let claims = access_token(server, token, Duration::ZERO).await.map_err(|error| match error {
        NotIssued::Jose(error) => Refusal::Assertion(error),
        NotIssued::Unknown => Refusal::UnknownToken,
        NotIssued::Store(error) => Refusal::Store(error),
    })?;
    match server.store.token_is_revoked(&claims.jti).await? {
        false => Ok(claims),
        true => Err(Refusal::Revoked),
    }
}

/// RFC 8693 §2.1: one resource, named.
fn target(server: &Inner, client: &Client, form: &Parameters) -> Result<Resources, Refusal> {
    if form.all("resource").count() != 1 {
        return Err(Refusal::Exchange("name the one resource that the token is for (resource)"));
    }
    resource::requested(form, &server.settings, client).map_err(Refusal::Request)
}

/// Every rule that fits; none is a refusal.
fn rules<'a>(
    server: &'a Inner,
    client: &Client,
    shown: &AccessTokenClaims,
    target: &Resources,
) -> Result<Vec<&'a ExchangeRule>, Refusal> {
    let fits = |rule: &&ExchangeRule| {
        rule.client_id == client.id
            && shown.aud.contains(&rule.from)
            && target.are_within(std::slice::from_ref(&rule.to))
    };
    let rules: Vec<_> = server.settings.exchange.iter().filter(fits).collect();
    if rules.is_empty() { Err(Refusal::NotListed) } else { Ok(rules) }
}

/// What is asked for, all of it listed; where nothing is asked, all that is listed. A client with scopes of its own gets
/// no other ones, whatever the rules list.
fn scopes(form: &Parameters, client: &Client, rules: &[&ExchangeRule]) -> Result<ScopeSet, Refusal> {
    let own = |scope: &&Scope| client.scopes.as_ref().is_none_or(|own| own.contains(scope));
    let listed: ScopeSet = rules.iter().flat_map(|rule| rule.scopes.iter().filter(own).cloned()).collect();
    let Some(asked) = form.get("scope").ok().flatten() else {
        return Ok(listed);
    };
    let asked = ScopeSet::parse(asked).map_err(|error| Refusal::MalformedScope(error.to_string()))?;
    let beyond = asked.difference(&listed);
    match beyond.is_empty() {
        true => Ok(asked),
        false => Err(Refusal::ScopeBeyondGrant(beyond.to_string())),
    }
}
