//! Scopes and resources that are given to clients and keys: one that the server does not have is a slip of the pen.

use anyhow::anyhow;
use hallpass_protocol::{Scope, ScopeSet};
use url::Url;

use super::Place;
use super::which::which;
use crate::config::{Arrangement, Config, Protected};
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
    if one.server.arrangement == Arrangement::External {
        return Err(Failure::Usage(anyhow!(
            "--server {server}: it is external, so hallpass issues no tokens for it; register the client where its people log in"
        )));
    }
    if let Some(endpoint) = config.endpoint(&one) {
        return Ok(endpoint);
    }
    let usual = config.usual_url().map(|public| config.endpoint_at(&one, &public));
    let endpoint = usual.ok_or_else(|| Failure::usage("--server: say --resource URL, too"))?;
    note(format_args!("The resource is {endpoint}, since the configuration names no public_url."));
    Ok(endpoint)
}

/// Whether each resource is that of a server for which tokens are issued, or one that its tokens are exchanged for.
pub(crate) fn resources(place: &Place, resources: &[String]) -> Result<(), Failure> {
    let Some(config) = asked(place, !resources.is_empty(), "resources")? else { return Ok(()) };
    let house = place.house(&config)?;
    let (own, external): (Vec<_>, Vec<_>) =
        house.protected().into_iter().partition(|one| one.server.arrangement != Arrangement::External);
    let exchanged = house.authorization_server().exchange.iter().flat_map(|rule| [&rule.from, &rule.to]);
    let exchanged: Vec<&String> = exchanged.collect();
    // Where no public URL is set, its host and port are told on the command line of `serve`.
    let is_of = |one: &Protected<'_>, resource: &str| match config.endpoint(one) {
        Some(endpoint) => endpoint == resource,
        None => Url::parse(resource).is_ok_and(|url| url.path() == house.path_of(one).as_str()),
    };
    for resource in resources {
        if exchanged.contains(&resource) || own.iter().any(|one| is_of(one, resource)) {
            continue;
        }
        if external.iter().any(|one| is_of(one, resource)) {
            return Err(Failure::Usage(anyhow!(
                "--resource {resource}: that server is external, so hallpass issues no tokens for it; register the client where \
                 its people log in"
            )));
        }
        let there = |one: &Protected<'_>| {
            config.endpoint(one).unwrap_or_else(|| format!("…{}", house.path_of(one).as_str()))
        };
        let there: Vec<_> = own.iter().map(there).collect();
        let are = if there.len() > 1 { "servers are" } else { "server is" };
        return Err(Failure::Usage(anyhow!(
            "--resource {resource}: the configuration has no such resource; the {are} {}",
            there.join(", ")
        )));
    }
    Ok(())
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
