//! What the provider is asked for.

use hallpass_protocol::profile::Profile;
use hallpass_protocol::scope::{Scope, ScopeSet};

use super::{Proxied, ProxiedResource};
use crate::checks::OFFLINE_ACCESS;

/// What the provider is asked for, in its own words.
pub(super) struct Asked<'a> {
    pub(super) scopes: ScopeSet,
    pub(super) resource: Option<&'a str>,
    pub(super) parameters: Vec<(&'a str, &'a str)>,
}

impl<'a> Asked<'a> {
    /// For these scopes of that resource, beside what is asked for in any case.
    pub(super) fn of(proxied: &'a Proxied, resource: &'a ProxiedResource, scopes: &ScopeSet) -> Self {
        let settings = proxied.provider.settings();
        let profile = &settings.profile;
        let own = scopes.iter().filter(|scope| scope.as_str() != OFFLINE_ACCESS);
        let mut asked: ScopeSet = own.filter_map(|scope| resource.at_provider(scope, profile)).collect();
        if asked.is_empty() && profile.resource_in_scopes {
            asked.extend(Scope::parse(&format!("{}/.default", resource.called)));
        }
        let mut parameters: Vec<(&str, &str)> =
            resource.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        parameters.extend(profile.resource_parameter.as_deref().map(|name| (name, resource.called.as_str())));
        Self {
            scopes: asked.union(&settings.scopes),
            resource: profile.resource_parameter.is_none().then_some(resource.called.as_str()),
            parameters,
        }
    }
}

impl ProxiedResource {
    /// What a scope is called there; none, where it is not asked for.
    pub(super) fn at_provider(&self, scope: &Scope, profile: &Profile) -> Option<Scope> {
        let named = self.scopes.iter().find(|(known, _)| known == scope);
        match named {
            Some((_, name)) => Scope::parse(name).ok(),
            None if self.grants.contains(scope) => None,
            None if profile.resource_in_scopes && !scope.as_str().contains("://") => {
                Scope::parse(&format!("{}/{scope}", self.called)).ok()
            }
            None => Some(scope.clone()),
        }
    }
}
