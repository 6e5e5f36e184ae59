//! The arrangement `proxied`, as planned: whose tokens are handed on, and what each server is there.

use hallpass_authorization_server::provider::{Provider, ProviderCredentials, ProviderSettings};
use hallpass_authorization_server::{Proxied, ProxiedResource};
use hallpass_protocol::profile::{Profile, Profiles};
use hallpass_protocol::scope::{Scope, ScopeSet};
use hallpass_protocol::{ResourceIdentifier, Secret};

use super::credentials::{CredentialFault, read, read_key};
use super::scopes::{ScopePlan, scope_set};
use super::server_plan::ServerPlan;
use crate::config::{Arrangement, DpopMode, ProxiedClient, SecretSent, Section, Server};

/// Why tokens of a provider cannot be handed on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProxiedFault {
    /// Nobody is told what hallpass is at the provider.
    #[error(
        "the arrangement of [{0}] is proxied, and hallpass is no client of its provider yet: register one there with the redirect \
         URI PUBLIC-URL/provider/callback, and add [authorization_server.proxied] with client_id and secret_file"
    )]
    NoClient(String),
    /// A client that nobody uses.
    #[error(
        "no server is proxied, so nobody is sent to the provider; say arrangement = \"proxied\" in its table, or take this out"
    )]
    NoServer,
    /// A name that is missing.
    #[error("who hallpass is at the provider is not said: add client_id = \"…\", as the provider calls it")]
    NoClientId,
    /// Both, or neither.
    #[error(
        "hallpass shows who it is by one of `secret_file` and `key_file`; `secret` only says how a secret is sent"
    )]
    Credentials,
    /// People log in here or there.
    #[error(
        "[{embedded}] logs people in here, and [{proxied}] at a provider; one authorization server does one of them: run a process \
         for each, or give one of them another arrangement"
    )]
    Mixed {
        /// One of the first kind.
        embedded: String,
        /// One of the other.
        proxied: String,
    },
    /// Two providers.
    #[error(
        "[{one}] has the tokens of {first}, and [{other}] those of {second}; one authorization server has one provider, which is \
         the first of a server's issuers: run a process for each"
    )]
    TwoProviders {
        /// A server.
        one: String,
        /// Its provider.
        first: String,
        /// Another.
        other: String,
        /// Its provider.
        second: String,
    },
    /// Tokens that hallpass would have to issue.
    #[error(
        "every token is the provider's, so nothing is exchanged for one of hallpass's own: take out {0}, and have the provider \
         exchange it"
    )]
    Exchanges(&'static str),
    /// What is said for nothing.
    #[error(
        "this is about a server whose arrangement is proxied; say arrangement = \"proxied\", or take it out"
    )]
    NotProxied,
    /// A scope that nobody has described.
    #[error("`{scope}` is no scope of this server; its scopes are {known}")]
    UnknownScope {
        /// What is named.
        scope: String,
        /// What there is.
        known: String,
    },
    /// What the provider's tokens cannot be.
    #[error(
        "the provider's tokens are bound to no key of the client's, so nobody could call: say credentials.dpop = \"accept\""
    )]
    Dpop,
    /// A file.
    #[error(transparent)]
    File(#[from] CredentialFault),
}

/// What a server is at the provider.
#[derive(Clone, Debug)]
pub(crate) struct ProxiedPlan {
    called: Option<String>,
    scopes: Vec<(Scope, String)>,
    parameters: Vec<(String, String)>,
    /// Where its audiences are said.
    setting: String,
}

impl ProxiedPlan {
    /// What the file comes to. `Err` is where it is wrong, and why.
    pub(super) fn of(
        server: &Server,
        section: Section<'_>,
        scopes: &ScopePlan,
    ) -> Result<Option<Self>, (String, ProxiedFault)> {
        let at = |setting: &[&str]| section.place(setting);
        if server.arrangement != Arrangement::Proxied {
            return match server.proxied {
                Some(_) => Err((at(&["proxied"]), ProxiedFault::NotProxied)),
                None => Ok(None),
            };
        }
        if server.credentials.dpop == DpopMode::Require {
            return Err((at(&["credentials", "dpop"]), ProxiedFault::Dpop));
        }
        let said = server.proxied.clone().unwrap_or_default();
        let mut named = Vec::new();
        for (scope, name) in said.scopes {
            let Some((known, _)) = scopes.described.iter().find(|(known, _)| known.as_str() == scope) else {
                let known: Vec<_> = scopes.described.iter().map(|(known, _)| known.as_str()).collect();
                let fault = ProxiedFault::UnknownScope { scope, known: known.join(", ") };
                return Err((at(&["proxied", "scopes"]), fault));
            };
            if !name.is_empty() {
                scope_set(section, std::slice::from_ref(&name), &["proxied", "scopes"])
                    .map_err(|fault| (at(&["proxied", "scopes"]), CredentialFault::from(fault).into()))?;
            }
            named.push((known.clone(), name));
        }
        Ok(Some(Self {
            called: said.called,
            scopes: named,
            parameters: said.parameters.into_iter().collect(),
            setting: format!("audiences of [[{}.issuers]]", section.title()),
        }))
    }
}

/// The provider of all servers that are proxied; none, where none is. `Err` is the setting of `[authorization_server]` that is
/// wrong, and why.
pub(super) fn provider(
    set: &crate::config::AuthorizationServer,
    servers: &[ServerPlan],
    profiles: &[Profile],
    place: &str,
) -> Result<Option<Provider>, (&'static str, ProxiedFault)> {
    let wrong = |fault| ("proxied", fault);
    let mut proxied = servers.iter().filter(|server| server.proxied.is_some());
    let first = proxied.next();
    let (first, client) = match (first, &set.proxied) {
        (None, None) => return Ok(None),
        (None, Some(_)) => return Err(wrong(ProxiedFault::NoServer)),
        (Some(first), None) => return Err(wrong(ProxiedFault::NoClient(first.title.clone()))),
        (Some(first), Some(client)) => (first, client),
    };
    if let Some(embedded) = servers.iter().find(|server| server.is_embedded()) {
        let (embedded, proxied) = (embedded.title.clone(), first.title.clone());
        return Err(wrong(ProxiedFault::Mixed { embedded, proxied }));
    }
    if !set.trusted_issuers.is_empty() {
        return Err(("trusted_issuers", ProxiedFault::Exchanges("[[authorization_server.trusted_issuers]]")));
    }
    if !set.exchange.is_empty() {
        return Err(("exchange", ProxiedFault::Exchanges("[[authorization_server.exchange]]")));
    }
    // That there is one was checked with the server.
    let Some((issuer, fetcher)) = first.credentials.first_issuer() else { return Ok(None) };
    for other in proxied {
        let named = other.credentials.first_issuer().map(|(issuer, _)| issuer);
        if let Some(second) = named.filter(|second| *second != issuer) {
            return Err(wrong(ProxiedFault::TwoProviders {
                one: first.title.clone(),
                first: issuer.to_string(),
                other: other.title.clone(),
                second: second.to_string(),
            }));
        }
    }
    if client.client_id.is_empty() {
        return Err(wrong(ProxiedFault::NoClientId));
    }
    let mut known = Profiles::default();
    profiles.iter().cloned().for_each(|profile| known.add(profile));
    let profile = known.of(issuer.as_str()).clone();
    let usual = if profile.people.is_some() { "" } else { "openid" };
    let scopes = client.scopes.as_ref().map_or_else(|| usual.to_owned(), |scopes| scopes.join(" "));
    let scopes = ScopeSet::parse(&scopes).map_err(|error| {
        wrong(CredentialFault::Value { place: place.to_owned(), what: error.to_string() }.into())
    })?;
    let tenants = first.credentials.issuers().next().map(|(said, _)| said.tenants.clone());
    Ok(Some(Provider::new(ProviderSettings {
        issuer: issuer.clone(),
        profile,
        client_id: client.client_id.clone(),
        credentials: credentials(client, place).map_err(wrong)?,
        scopes,
        tenants: tenants.unwrap_or_default(),
        fetcher: fetcher.clone(),
    })))
}

fn credentials(client: &ProxiedClient, place: &str) -> Result<ProviderCredentials, ProxiedFault> {
    let secret = |file: &std::path::Path| Ok::<_, ProxiedFault>(Secret::new(read(file, place)?.trim()));
    match (&client.secret_file, &client.key_file, client.secret) {
        (Some(file), None, None) => Ok(ProviderCredentials::Secret(secret(file)?)),
        (Some(file), None, Some(SecretSent::Basic)) => Ok(ProviderCredentials::Basic(secret(file)?)),
        (Some(file), None, Some(SecretSent::Post)) => Ok(ProviderCredentials::Post(secret(file)?)),
        (None, Some(file), None) => Ok(ProviderCredentials::PrivateKey(read_key(file, None, place)?)),
        _ => Err(ProxiedFault::Credentials),
    }
}

/// What the authorization server hands on.
pub(super) fn settings(
    provider: &Provider,
    servers: &[ServerPlan],
    identifier: impl Fn(&ServerPlan) -> Option<ResourceIdentifier>,
) -> Proxied {
    let resource = |server: &ServerPlan| {
        let (plan, identifier) = (server.proxied.as_ref()?, identifier(server)?);
        let (said, reading) = server.credentials.issuers().next()?;
        let called = plan.called.as_ref().or_else(|| said.audiences.first());
        Some(ProxiedResource {
            called: called.cloned().unwrap_or_else(|| identifier.to_string()),
            identifier,
            audiences: said.audiences.clone(),
            scopes: plan.scopes.clone(),
            grants: reading.claims.grants.clone(),
            parameters: plan.parameters.clone(),
            setting: plan.setting.clone(),
        })
    };
    Proxied { provider: provider.clone(), resources: servers.iter().filter_map(resource).collect() }
}
