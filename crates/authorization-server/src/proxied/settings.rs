//! Whose users and tokens they are, and what each resource is called there.

use std::time::Duration;

use hallpass_protocol::resource::ResourceIdentifier;
use hallpass_protocol::scope::{Scope, ScopeSet};

use super::Introspect;
use super::asked::Asked;
use crate::checks::{AuthorizationRequest, Resources};
use crate::provider::Provider;
use crate::settings::Settings;

/// The users and the tokens are a provider's.
#[derive(Clone, Debug)]
pub struct Proxied {
    /// Whose, and who this server is there.
    pub provider: Provider,
    /// What each of [`Settings::resources`] is there.
    pub resources: Vec<ProxiedResource>,
    /// How long a client waits while the provider is asked for its next access token. The question goes on without it.
    pub patience: Duration,
}

/// What a resource is at the provider.
#[derive(Clone, Debug)]
pub struct ProxiedResource {
    /// The resource, as clients name it.
    pub identifier: ResourceIdentifier,
    /// What the provider calls it. It is asked for as `resource` (RFC 8707), or in the provider's own way, as its profile says.
    pub called: String,
    /// What `aud` of its access tokens may be, beside the identifier.
    pub audiences: Vec<String>,
    /// Scopes that have another name at the provider; one whose name is empty is not asked for.
    pub scopes: Vec<(Scope, String)>,
    /// Scopes that every token has here, whatever it says.
    pub grants: ScopeSet,
    /// Further parameters of authorization requests.
    pub parameters: Vec<(String, String)>,
    /// Who is asked what an opaque access token is. Nobody: none is handed on.
    pub introspect: Option<Introspect>,
    /// Where an operator describes the provider's tokens, for messages: the name of a table.
    pub table: String,
}

impl Proxied {
    /// How long a client waits, usually: many give up after ten seconds.
    pub const PATIENCE: Duration = Duration::from_secs(8);

    /// The one resource that tokens are for. A provider's token is what it is: it cannot be cut into parts.
    pub(super) fn resource(&self, resources: &Resources) -> Option<&ProxiedResource> {
        self.resources.iter().find(|known| known.identifier.as_str() == resources.as_str())
    }

    /// The scope as the page of consent names it: as the provider does (MCP "Consent UI Requirements").
    pub(crate) fn shown_scope(&self, request: &AuthorizationRequest, scope: &Scope) -> String {
        let profile = &self.provider.settings().profile;
        let there =
            self.resource(&request.resource).and_then(|resource| resource.at_provider(scope, profile));
        there.map_or_else(|| scope.to_string(), |there| there.to_string())
    }

    /// What the provider is asked for beside what the client asks for, as it calls that.
    pub(crate) fn asked_besides(&self, request: &AuthorizationRequest) -> Vec<String> {
        let Some(resource) = self.resource(&request.resource) else { return Vec::new() };
        let profile = &self.provider.settings().profile;
        let own: ScopeSet =
            request.scopes.iter().filter_map(|scope| resource.at_provider(scope, profile)).collect();
        let besides = Asked::of(self, resource, &request.scopes).scopes.difference(&own);
        besides.iter().map(ToString::to_string).collect()
    }

    /// What people call the provider: its host.
    pub(crate) fn shown_name(&self) -> String {
        self.provider.settings().issuer.url().authority().to_owned()
    }

    /// A resource that nothing is said about, if there is one.
    pub(crate) fn missing<'s>(&self, settings: &'s Settings) -> Option<&'s ResourceIdentifier> {
        let described =
            |one: &ResourceIdentifier| self.resources.iter().any(|known| known.identifier == *one);
        settings.resources.iter().map(|one| &one.identifier).find(|one| !described(one))
    }
}
