//! `hallpass policy explain`: which line of the configuration decides.

use std::path::Path;

use anyhow::{Context, anyhow};
use hallpass_protocol::UnverifiedJwt;
use hallpass_resource_server::ClaimNames;

use super::{Place, prompt};
use crate::cli;
use crate::data::system_clock;
use crate::exit::Failure;
use crate::say::say;
use crate::serve::scopes::ScopePlan;

/// Runs the command.
pub(crate) fn run(command: cli::Policy, place: &Place) -> Result<(), Failure> {
    let cli::Policy::Explain { token, operation } = command;
    if place.config.is_none() {
        return Err(Failure::configuration(anyhow!("no configuration to judge by: give --config FILE")));
    }
    let config = place.config()?;
    let plan = ScopePlan::of(&config.server, &config.source).map_err(Failure::configuration)?;
    let token = read_token(&token).map_err(Failure::Usage)?;
    let jwt = UnverifiedJwt::parse(token.expose())
        .context("only a JWT says in itself what it grants; ask the issuer about this one")
        .map_err(Failure::Usage)?;
    let claims = jwt.unverified_claims().clone();
    let names = ClaimNames::default();
    let whose = names.subject(&claims).unwrap_or("nobody").to_owned();
    let granted = names.granted(claims);
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
