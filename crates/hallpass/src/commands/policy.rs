//! `hallpass policy explain`: which line of the configuration decides.

use std::path::Path;

use anyhow::{Context, anyhow};
use hallpass_protocol::UnverifiedJwt;

use super::which::which;
use super::{Place, prompt};
use crate::cli;
use crate::config::{Arrangement, Config, PublicUrl, Server};
use crate::data::system_clock;
use crate::exit::Failure;
use crate::say::say;
use crate::serve::issuers::claims_of;
use crate::serve::scopes::ScopePlan;

/// Runs the command.
pub(crate) fn run(command: cli::Policy, place: &Place) -> Result<(), Failure> {
    let cli::Policy::Explain { token, server, operation } = command;
    if place.config.is_none() {
        return Err(Failure::configuration(anyhow!("no configuration to judge by: give --config FILE")));
    }
    let config = place.config()?;
    let one = which(&config, server.as_deref())?;
    let plan = ScopePlan::of(one.server, one.section).map_err(Failure::configuration)?;
    let token = read_token(&token).map_err(Failure::Usage)?;
    let jwt = UnverifiedJwt::parse(token.expose())
        .context("only a JWT says in itself what it grants; ask the issuer about this one")
        .map_err(Failure::Usage)?;
    let claims = jwt.unverified_claims().clone();
    let issuer = claims.get("iss").and_then(serde_json::Value::as_str).unwrap_or_default();
    let names = claims_of(issuer, one.server, one.section).map_err(Failure::configuration)?;
    let granted = names.at_their_word(claims, own_issuer(&config, one.server).as_deref());
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
    match explanation.outcome {
        Ok(()) => {
            say!("\nAllowed.");
            Ok(())
        }
        Err(refusal) => Err(anyhow!("refused: {refusal}").into()),
    }
}

/// The issuer whose users are told by their subject alone: hallpass itself, where it issues tokens.
fn own_issuer(config: &Config, server: &Server) -> Option<String> {
    if server.arrangement == Arrangement::External {
        return None;
    }
    let loopback = || {
        let url = PublicUrl::loopback(config.listen.clone().unwrap_or_default().port()).ok()?;
        Some(if config.tls.is_some() { url.over_tls() } else { url })
    };
    config.said_url().or_else(loopback).map(|url| url.as_str().to_owned())
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
