//! Scopes and resources that are given to clients and keys: one that the server does not have is a slip of the pen.

use anyhow::anyhow;
use hallpass_protocol::{Scope, ScopeSet};

use super::Place;
use crate::config::Config;
use crate::exit::Failure;
use crate::say::note;
use crate::serve::scopes::ScopePlan;

/// The words as scopes, each of which the server of the configuration has.
pub(crate) fn scopes(place: &Place, words: &[String]) -> Result<ScopeSet, Failure> {
    let scopes: ScopeSet = words.iter().map(|word| Scope::parse(word)).collect::<Result<_, _>>()?;
    let Some(config) = asked(place, !words.is_empty(), "scopes")? else { return Ok(scopes) };
    let plan = ScopePlan::of(&config.server, &config.source).map_err(Failure::configuration)?;
    let known: Vec<&Scope> = plan.described.iter().map(|(scope, _)| scope).collect();
    match scopes.iter().find(|scope| !known.contains(scope)) {
        None => Ok(scopes),
        Some(unknown) => {
            let known: Vec<&str> = known.into_iter().map(Scope::as_str).collect();
            let known = known.join(", ");
            Err(Failure::Usage(anyhow!(
                "--scope {unknown}: the configuration has no such scope; it has {known}"
            )))
        }
    }
}

/// Whether each resource is the server's, or one that its tokens are exchanged for.
pub(crate) fn resources(place: &Place, resources: &[String]) -> Result<(), Failure> {
    let Some(config) = asked(place, !resources.is_empty(), "resources")? else { return Ok(()) };
    // Where no public URL is set, its host and port are told on the command line of `serve`.
    let Some(url) = &config.public_url else { return Ok(()) };
    let url = if config.tls_in_front || config.tls.is_some() { url.over_tls() } else { url.clone() };
    let own = format!("{url}{}", config.server.path.as_str());
    let exchanged = config.authorization_server.exchange.iter().flat_map(|rule| [&rule.from, &rule.to]);
    let known: Vec<&String> = std::iter::once(&own).chain(exchanged).collect();
    match resources.iter().find(|resource| !known.contains(resource)) {
        None => Ok(()),
        Some(unknown) => Err(Failure::Usage(anyhow!(
            "--resource {unknown}: the configuration has no such resource; the server is {own}"
        ))),
    }
}

/// The configuration, where there is something to look up; without one, a person is told.
fn asked(place: &Place, something: bool, what: &str) -> Result<Option<Config>, Failure> {
    if !something {
        return Ok(None);
    }
    if place.config.is_none() {
        note(format_args!("The {what} were not checked: --config FILE says which there are."));
        return Ok(None);
    }
    place.config().map(Some)
}
