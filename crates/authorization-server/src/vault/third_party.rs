//! A third party, and which servers act there.

use hallpass_protocol::resource::ResourceIdentifier;
use hallpass_protocol::scope::{Scope, ScopeSet};

use crate::checks::Resources;
use crate::pages::ActsAt;
use crate::provider::Provider;
use crate::server::Inner;
use crate::store::StoreError;

/// A third party at which servers act for people.
#[derive(Clone, Debug)]
pub struct ThirdParty {
    /// In the address that people come back to, `/providers/NAME/callback`. A way to sign in of the same name is the same provider.
    pub name: String,
    /// What people call it.
    pub shown: String,
    /// Whose tokens they are, and who this server is there.
    pub provider: Provider,
    /// Who acts there.
    pub servers: Vec<ActsFor>,
}

/// A server that acts for people at a third party.
#[derive(Clone, Debug)]
pub struct ActsFor {
    /// One of [`Settings::resources`](crate::Settings::resources).
    pub resource: ResourceIdentifier,
    /// What it needs at the third party.
    pub scopes: ScopeSet,
    /// The scope of the resource that stands for it: whoever is not granted that needs no link. Where there is none, everybody
    /// needs one.
    pub scope: Option<Scope>,
}

impl ThirdParty {
    /// What is needed there by whoever is granted these scopes of these resources; `None` where it is not needed at all.
    pub(crate) fn needed(&self, resources: &Resources, granted: &ScopeSet) -> Option<ScopeSet> {
        let audience = resources.audience();
        let needs = |one: &&ActsFor| {
            audience.contains(one.resource.as_str())
                && one.scope.as_ref().is_none_or(|scope| granted.contains(scope))
        };
        let mut needing = self.servers.iter().filter(needs).peekable();
        needing.peek()?;
        Some(needing.fold(ScopeSet::default(), |all, one| all.union(&one.scopes)))
    }

    /// What this person needs there: what each login for such a server needs, and what the apps need that they have allowed in. Where
    /// that is nothing, what any server could need: whoever links without an app has a reason.
    pub(crate) async fn needed_by(&self, server: &Inner, user_id: &str) -> Result<ScopeSet, StoreError> {
        let young = server.store.now().before(server.settings.lifetimes.access_token);
        let grants = server.store.list_grants(user_id, young).await?;
        let of_apps = grants.into_iter().filter_map(|grant| {
            let resources = Resources::try_from(grant.resource).ok()?;
            self.needed(&resources, &ScopeSet::parse(&grant.scopes).ok()?)
        });
        let always = self.servers.iter().filter(|one| one.scope.is_none()).map(|one| one.scopes.clone());
        let needed = always.chain(of_apps).reduce(|all, one| all.union(&one));
        let any = || self.servers.iter().fold(ScopeSet::default(), |all, one| all.union(&one.scopes));
        Ok(needed.unwrap_or_else(any))
    }

    /// The servers that act there, for the log: another tenant may have a third party of that name.
    pub(super) fn acts_for(&self) -> String {
        let servers: Vec<_> = self.servers.iter().map(|one| one.resource.as_str()).collect();
        servers.join(" ")
    }

    /// Who it is by its own name. A session that began while the name stood for somebody else is none.
    pub(crate) fn issuer(&self) -> &str {
        self.provider.settings().issuer.as_str()
    }

    /// What of grants stands on a session there.
    pub(crate) fn stands_on_it(&self) -> Vec<(&str, Option<&str>)> {
        self.servers
            .iter()
            .map(|one| (one.resource.as_str(), one.scope.as_ref().map(Scope::as_str)))
            .collect()
    }
}

/// Where a server acts with such a grant, for a page of consent.
pub(crate) fn acts_at(server: &Inner, resources: &Resources, granted: &ScopeSet) -> Vec<ActsAt> {
    let acts = |party: &ThirdParty| {
        let scopes = party.needed(resources, granted)?.to_string();
        Some(ActsAt { party: party.shown.clone(), scopes })
    };
    server.settings.third_parties.iter().filter_map(acts).collect()
}

impl Inner {
    /// The third party of that name.
    pub(crate) fn third_party(&self, name: &str) -> Option<&ThirdParty> {
        self.settings.third_parties.iter().find(|party| party.name == name)
    }
}
