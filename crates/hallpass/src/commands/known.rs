//! Scopes and resources that are given to clients and keys: one that the server does not have is a slip of the pen.

use anyhow::anyhow;
use hallpass_protocol::{Scope, ScopeSet};

use super::Place;
use super::which::which;
use crate::config::{Config, Protected};
use crate::exit::Failure;
use crate::say::note;
use crate::serve::scopes::ScopePlan;

/// The words as scopes, each of which the server of that name has; or any server, where none is named.
pub(crate) fn scopes(place: &Place, server: Option<&str>, words: &[String]) -> Result<ScopeSet, Failure> {
    let scopes: ScopeSet = words.iter().map(|word| Scope::parse(word)).collect::<Result<_, _>>()?;
    let Some(config) = asked(place, !words.is_empty(), "scopes")? else { return Ok(scopes) };
    let house = place.house(&config)?;
    let servers = match server {
        Some(_) => vec![which(&house, server)?],
        None => house.protected(),
    };
    let mut known: Vec<Scope> = Vec::new();
    for Protected { server, section } in servers {
        let plan = ScopePlan::of(server, section).map_err(Failure::configuration)?;
        known.extend(plan.described.into_iter().map(|(scope, _)| scope));
    }
    match scopes.iter().find(|scope| !known.contains(scope)) {
        None => Ok(scopes),
        Some(unknown) => {
            let known: ScopeSet = known.into_iter().collect();
            let known = known.to_string().replace(' ', ", ");
            let whose = server
                .map_or_else(|| "the configuration".to_owned(), |server| format!("the server {server}"));
            Err(Failure::Usage(anyhow!("--scope {unknown}: {whose} has no such scope; it has {known}")))
        }
    }
}

/// The resource that tokens for that server name.
pub(crate) fn resource_of(place: &Place, server: &str) -> Result<String, Failure> {
    if place.config.is_none() {
        let why = "--server names a server of the configuration: give --config FILE, or say --resource URL";
        return Err(Failure::usage(why));
    }
    let config = place.config()?;
    let one = which(&place.house(&config)?, Some(server))?;
    config.endpoint(&one).ok_or_else(|| {
        Failure::usage(
            "--server says too little while public_url is not set in the configuration; say --resource URL",
        )
    })
}

/// Whether each resource is a server's, or one that its tokens are exchanged for.
pub(crate) fn resources(place: &Place, resources: &[String]) -> Result<(), Failure> {
    let Some(config) = asked(place, !resources.is_empty(), "resources")? else { return Ok(()) };
    // Where no public URL is set, its host and port are told on the command line of `serve`.
    let house = place.house(&config)?;
    let own: Vec<String> = house.protected().iter().filter_map(|one| config.endpoint(one)).collect();
    if own.is_empty() {
        return Ok(());
    }
    let exchanged = house.authorization_server().exchange.iter().flat_map(|rule| [&rule.from, &rule.to]);
    let known: Vec<&String> = own.iter().chain(exchanged).collect();
    match resources.iter().find(|resource| !known.contains(resource)) {
        None => Ok(()),
        Some(unknown) => {
            let (are, own) = (if own.len() > 1 { "servers are" } else { "server is" }, own.join(", "));
            Err(Failure::Usage(anyhow!(
                "--resource {unknown}: the configuration has no such resource; the {are} {own}"
            )))
        }
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
