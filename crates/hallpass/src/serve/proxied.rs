//! The arrangement `proxied`, as planned: whose tokens are handed on, and what each server is there.

use hallpass_authorization_server::provider::{Provider, ProviderCredentials};
use hallpass_authorization_server::{Proxied, ProxiedResource};
use hallpass_protocol::ResourceIdentifier;
use hallpass_protocol::scope::Scope;
use hallpass_resource_server::Provider as Reading;

use super::credentials::CredentialFault;
use super::handed_on;
use super::plan_error::PlanError;
use super::provider::{self, instead};
use super::scopes::{ScopePlan, scope_set};
use super::server_plan::ServerPlan;
use crate::config::{Arrangement, DpopMode, House, Section, Server};

/// Why tokens of a provider cannot be handed on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProxiedFault {
    /// Nobody is told what hallpass is at the provider.
    #[error(
        "the arrangement of [{0}] is proxied, and hallpass is no client of its provider yet: register one there with the redirect \
         URI PUBLIC-URL/provider/callback, add [third_parties.NAME] with issuer, client_id and secret_file, and say \
         authorization_server.proxied = \"NAME\""
    )]
    NoClient(String),
    /// A client that nobody uses.
    #[error(
        "no server is proxied, so nobody is sent to the provider; say arrangement = \"proxied\" in its table, or take this out"
    )]
    NoServer,
    /// A name that nobody has.
    #[error("there is no [third_parties.{name}] whose tokens could be handed on{}", instead(near.as_deref()))]
    NoThirdParty {
        /// What the file names.
        name: String,
        /// What is called nearly so.
        near: Option<String>,
    },
    /// A public client, as which anybody could come.
    #[error(
        "hallpass is a confidential client of whoever's tokens it hands on: add secret_file or key_file to [third_parties.{0}]"
    )]
    Credentials(String),
    /// What nobody could tell about.
    #[error(
        "the access tokens of [third_parties.{0}] are opaque, and nobody else can tell whom they are for; add introspection to \
         [[{1}.issuers]], or take arrangement = \"embedded\" and let people sign in through it"
    )]
    Opaque(String, String),
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
        "[{server}] takes the tokens of {issuer}, and [third_parties.{third_party}], whose tokens are handed on, is {provider}; they \
         are one: the first of its [[{server}.issuers]] is the provider. For several providers run a process for each, or make \
         them tenants"
    )]
    OtherProvider {
        /// A server.
        server: String,
        /// Whose tokens it takes.
        issuer: String,
        /// What the file calls the provider.
        third_party: String,
        /// Who that is.
        provider: String,
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
    pub(super) scopes: Vec<(Scope, String)>,
    parameters: Vec<(String, String)>,
    pub(super) other_tokens: bool,
    /// Where the provider's tokens are described.
    table: String,
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
            other_tokens: said.other_tokens,
            table: format!("[[{}.issuers]]", section.title()),
        }))
    }
}

/// The provider of all servers that are proxied; none, where none is.
pub(super) fn provider(house: &House<'_>, servers: &[ServerPlan]) -> Result<Option<Provider>, PlanError> {
    let set = house.authorization_server();
    let at = |setting: &str, fault: ProxiedFault| {
        PlanError::from(fault).at(house.place(&["authorization_server", setting]))
    };
    let wrong = |fault| Err(at("proxied", fault));
    let mut proxied = servers.iter().filter(|server| server.proxied.is_some());
    let (first, name) = match (proxied.next(), &set.proxied) {
        (None, None) => return Ok(None),
        (None, Some(_)) => return wrong(ProxiedFault::NoServer),
        (Some(first), None) => return wrong(ProxiedFault::NoClient(first.title.clone())),
        (Some(first), Some(name)) => (first, name),
    };
    if let Some(embedded) = servers.iter().find(|server| server.is_embedded()) {
        let (embedded, proxied) = (embedded.title.clone(), first.title.clone());
        return wrong(ProxiedFault::Mixed { embedded, proxied });
    }
    if !set.trusted_issuers.is_empty() {
        let fault = ProxiedFault::Exchanges("[[authorization_server.trusted_issuers]]");
        return Err(at("trusted_issuers", fault));
    }
    if !set.exchange.is_empty() {
        return Err(at("exchange", ProxiedFault::Exchanges("[[authorization_server.exchange]]")));
    }
    let Some(mut settings) = provider::third_party(house, name)? else {
        let (name, near) = (name.clone(), provider::meant(house, name));
        return wrong(ProxiedFault::NoThirdParty { name, near });
    };
    if matches!(settings.credentials, ProviderCredentials::None) {
        return wrong(ProxiedFault::Credentials(name.clone()));
    }
    for server in std::iter::once(first).chain(proxied) {
        // That there is one was checked with the server.
        let Some(trusted) = server.credentials.trusted().first() else { return Ok(None) };
        if server.credentials.of_first().all(|issuer| *issuer != settings.issuer) {
            return wrong(ProxiedFault::OtherProvider {
                server: server.title.clone(),
                issuer: trusted.issuer().to_string(),
                third_party: name.clone(),
                provider: settings.issuer.to_string(),
            });
        }
        let reads = [trusted.profile(), Some(settings.profile.name.as_str())].into_iter().flatten();
        let is_opaque = reads.filter_map(Reading::named).any(|reading| reading.opaque);
        if is_opaque && trusted.introspection().is_none() {
            return wrong(ProxiedFault::Opaque(name.clone(), server.title.clone()));
        }
    }
    if settings.tenants.is_empty() {
        let said = first.credentials.issuers().next();
        settings.tenants = said.map(|(said, _)| said.tenants.clone()).unwrap_or_default();
    }
    Ok(Some(Provider::new(settings)))
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
            audiences: said.audiences.clone(),
            scopes: plan.scopes.clone(),
            grants: reading.claims.grants.clone(),
            parameters: plan.parameters.clone(),
            introspect: handed_on::introspect(server, &identifier),
            identifier,
            table: plan.table.clone(),
        })
    };
    let resources = servers.iter().filter_map(resource).collect();
    Proxied { provider: provider.clone(), resources, patience: Proxied::PATIENCE }
}
