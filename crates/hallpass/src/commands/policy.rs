//! `hallpass policy explain`: which line of the configuration decides.

use std::path::Path;

use anyhow::{Context, anyhow};
use hallpass_protocol::UnverifiedJwt;
use hallpass_resource_server::ClaimNames;
use serde_json::{Map, Value};

use super::which::which;
use super::{Place, prompt};
use crate::cli;
use crate::config::{Arrangement, Config, Protected, PublicUrl};
use crate::data::system_clock;
use crate::exit::Failure;
use crate::say::say;
use crate::serve::issuers::claims_of;
use crate::serve::scopes::ScopePlan;

type Claims = Map<String, Value>;

/// Runs the command.
pub(crate) fn run(command: cli::Policy, place: &Place) -> Result<(), Failure> {
    let cli::Policy::Explain { token, server, operation } = command;
    if place.config.is_none() {
        return Err(Failure::configuration(anyhow!("no configuration to judge by: give --config FILE")));
    }
    let config = place.config()?;
    let one = which(&place.house(&config)?, server.as_deref())?;
    let plan = ScopePlan::of(one.server, one.section).map_err(Failure::configuration)?;
    let token = read_token(&token).map_err(Failure::Usage)?;
    let jwt = UnverifiedJwt::parse(token.expose())
        .context("only a JWT says in itself what it grants; ask the issuer about this one")
        .map_err(Failure::Usage)?;
    let claims = jwt.unverified_claims().clone();
    let issuer = claims.get("iss").and_then(Value::as_str).unwrap_or_default().to_owned();
    let names = claims_of(&issuer, one.server, one.section).map_err(Failure::configuration)?;
    let elsewhere = is_for_elsewhere(&config, &one, &claims);
    let own = own_issuer(&config, &one);
    let tenant = one.section.tenant().map(ToString::to_string);
    let is_own = own.as_deref() == Some(issuer.as_str());
    let names = ClaimNames { tenant_otherwise: tenant.clone().filter(|_| is_own), ..names };
    // Users of a tenant are told with their issuer.
    let granted = names.at_their_word(claims, own.as_deref().filter(|_| tenant.is_none()));
    let whose = if granted.subject.is_empty() { "nobody" } else { &granted.subject };
    let operation = operation.chosen()?;
    let explanation = plan.policy.explain(operation, &granted, system_clock().now());

    let (kind, name) = operation.words();
    let scopes = &granted.scopes;
    let what = format!("{kind} {name}");
    say!("{}, for {whose} with the scopes \"{scopes}\".", what.trim_end());
    say!("The token is taken at its word here: signature, issuer and expiry are for `serve` to check.\n");
    for reason in &explanation.reasons {
        let holds = if reason.holds { "yes" } else { "no " };
        say!("  {holds}  {}: {}", reason.place, reason.says);
    }
    if explanation.reasons.is_empty() {
        say!("  no rule speaks of it, and every request may do it");
    }
    if let Some((endpoint, said)) = elsewhere {
        say!("\n  no   aud: the token is for {said}, not for {endpoint}");
        return Err(anyhow!("refused: the token is for another server").into());
    }
    match explanation.outcome {
        Ok(()) => {
            say!("\nAllowed.");
            Ok(())
        }
        Err(refusal) => Err(anyhow!("refused: {refusal}").into()),
    }
}

/// This server's endpoint, and whom the token is for, where that is somebody else. Of hallpass's own tokens, whichever tenant's
/// they are: what other issuers mean by an audience says `issuers`.
fn is_for_elsewhere(config: &Config, one: &Protected<'_>, claims: &Claims) -> Option<(String, String)> {
    own_issuer(config, one)?;
    let issuer = claims.get("iss").and_then(Value::as_str)?;
    config.protected().iter().find(|other| own_issuer(config, other).is_some_and(|own| own == issuer))?;
    let endpoint = config.endpoint_at(one, &public_url(config)?);
    let said: Vec<&str> = match claims.get("aud")? {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => return None,
    };
    (!said.contains(&endpoint.as_str())).then(|| (endpoint.clone(), said.join(", ")))
}

/// What the listener is called, as far as the file tells.
fn public_url(config: &Config) -> Option<PublicUrl> {
    config.said_url().or_else(|| config.usual_url())
}

/// The issuer of hallpass's own tokens, where it issues any.
fn own_issuer(config: &Config, one: &Protected<'_>) -> Option<String> {
    if one.server.arrangement != Arrangement::Embedded {
        return None;
    }
    Some(config.issuer_at(one, &public_url(config)?))
}

/// From a file, or from standard input (`-`). An argument is seen by everyone on the machine, so a token that
/// stands there is refused, and not repeated.
fn read_token(from: &str) -> anyhow::Result<hallpass_protocol::Secret> {
    if from == "-" {
        return prompt::from_stdin("token");
    }
    if from.starts_with("eyJ") && !Path::new(from).exists() {
        let why =
            "--token takes a file, or - for standard input; arguments are seen by everyone on this machine";
        return Err(anyhow!(why));
    }
    let text = std::fs::read_to_string(from).with_context(|| format!("can't read the token from {from}"))?;
    let text = text.trim();
    Ok(hallpass_protocol::Secret::new(text.strip_prefix("Bearer ").unwrap_or(text)))
}
