//! The arrangement `delegated`, as planned: third parties at which a server acts for whoever calls, and where it finds their tokens.

use std::collections::BTreeMap;
use std::fmt;

use hallpass_authorization_server::{ActsFor, AuthorizationServer, NoToken, ThirdParty, Vault};
use hallpass_gateway::upstream::told::{NotGiven, Place, ThirdPartyToken, Told};
use hallpass_protocol::{ResourceIdentifier, Scope, ScopeSet};
use hallpass_resource_server::Caller;

use super::credentials::CredentialFault;
use super::house_plan::HousePlan;
use super::provider::{Known, instead, meant};
use super::scopes::{ScopePlan, scope_set};
use super::server_plan::ServerPlan;
use super::told::ToldPlan;
use super::upstream::Upstream;
use crate::config::{Arrangement, Delegated, FieldName, House, ProcessFor, Protected};

/// Why a server cannot act at a third party.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DelegatedFault {
    /// People are not logged in here, so there is nobody to keep tokens for.
    #[error(
        "the arrangement is {0}, so people and grants are the provider's, and hallpass keeps tokens of third parties for nobody: \
         take out arrangement = \"{0}\" and let people sign in through that provider, or take this out"
    )]
    Arrangement(&'static str),
    /// Nobody says who it is.
    #[error("there is no [third_parties.{name}] to act at{}", instead(near.as_deref()))]
    NoParty {
        /// What the server names.
        name: String,
        /// What is called nearly so.
        near: Option<String>,
    },
    /// The server would not find the token.
    #[error(
        "the server speaks HTTP: say the field in which it finds the token, as in field = \"Authorization\""
    )]
    NoField,
    /// The same of a command.
    #[error(
        "the server is a command: say the environment variable in which it finds the token, as in variable = \"GITHUB_TOKEN\""
    )]
    NoVariable,
    /// The environment is everybody's.
    #[error("a process that everybody shares is told nobody's token; set process = \"user\" or \"session\"")]
    Shared,
    /// No name of a variable.
    #[error("`{0}` can't be an environment variable")]
    BadVariable(String),
    /// Two things in one place.
    #[error("{0} holds something else already; give one of them another place")]
    Taken(String),
    /// A scope that nobody has described.
    #[error("`{scope}` is no scope of this server; describe it in its scopes, which are {known}")]
    UnknownScope {
        /// What is named.
        scope: String,
        /// What there is.
        known: String,
    },
    /// A word that can't be a scope.
    #[error(transparent)]
    Value(#[from] CredentialFault),
}

/// A third party at which a server acts.
#[derive(Debug)]
pub(crate) struct DelegatedPlan {
    /// In `[third_parties]`.
    party: String,
    place: Place,
    scopes: ScopeSet,
    scope: Option<Scope>,
}

impl DelegatedPlan {
    /// What the file comes to. `Err` is where it is wrong, and why.
    pub(super) fn all(
        house: &House<'_>,
        protected: &Protected<'_>,
        upstream: &Upstream,
        scopes: &ScopePlan,
        told: &ToldPlan,
    ) -> Result<Vec<Self>, (String, DelegatedFault)> {
        let Protected { server, section } = protected;
        let mut all: Vec<Self> = Vec::new();
        for (party, said) in &server.delegated {
            let wrong = |fault| (section.place(&["delegated", party]), fault);
            match server.arrangement {
                Arrangement::Embedded => {}
                Arrangement::External => return Err(wrong(DelegatedFault::Arrangement("external"))),
                Arrangement::Proxied => return Err(wrong(DelegatedFault::Arrangement("proxied"))),
            }
            if !house.third_parties().contains_key(party) {
                let (name, near) = (party.clone(), meant(house, party));
                return Err(wrong(DelegatedFault::NoParty { name, near }));
            }
            let place = place(said, upstream, server.process).map_err(wrong)?;
            let taken =
                all.iter().any(|other| is_same(&other.place, &place)) || is_taken(&place, protected, told);
            if taken {
                return Err(wrong(DelegatedFault::Taken(shown(&place))));
            }
            let asked = scope_set(*section, &said.scopes, &["delegated", party, "scopes"])
                .map_err(|fault| wrong(CredentialFault::from(fault).into()))?;
            let scope =
                said.scope.as_ref().map(|scope| described(scope, scopes)).transpose().map_err(wrong)?;
            all.push(Self { party: party.clone(), place, scopes: asked, scope });
        }
        Ok(all)
    }
}

fn place(said: &Delegated, upstream: &Upstream, process: ProcessFor) -> Result<Place, DelegatedFault> {
    match (upstream, said.field.as_ref().and_then(FieldName::name), &said.variable) {
        (Upstream::Stdio(_), None, Some(name)) => match name.is_empty() || name.contains(['=', '\0']) {
            true => Err(DelegatedFault::BadVariable(name.clone())),
            false if process == ProcessFor::Shared => Err(DelegatedFault::Shared),
            false => Ok(Place::Variable(name.into())),
        },
        (Upstream::Stdio(_), ..) => Err(DelegatedFault::NoVariable),
        (Upstream::Demo | Upstream::Http(_) | Upstream::Chosen { .. }, Some(name), None) => {
            Ok(Place::Field(name))
        }
        (Upstream::Demo | Upstream::Http(_) | Upstream::Chosen { .. }, ..) => Err(DelegatedFault::NoField),
    }
}

/// Many servers read `_` as `-`.
fn is_same(one: &Place, other: &Place) -> bool {
    match (one, other) {
        (Place::Field(one), Place::Field(other)) => {
            one.as_str().replace('_', "-") == other.as_str().replace('_', "-")
        }
        (one, other) => one == other,
    }
}

/// By what hallpass says there otherwise.
fn is_taken(place: &Place, protected: &Protected<'_>, told: &ToldPlan) -> bool {
    match place {
        Place::Variable(name) => {
            protected.server.environment.keys().any(|known| name.to_str() == Some(known.as_str()))
        }
        Place::Field(_) => {
            let said = told.own_fields().chain(told.assertion().map(|(field, _)| field));
            let said = said.chain(told.exchange().map(|(_, field)| field));
            let mut said = said.filter_map(|field| field.parse().ok().map(Place::Field));
            said.any(|other| is_same(&other, place))
        }
    }
}

fn shown(place: &Place) -> String {
    match place {
        Place::Field(name) => format!("the field {name}"),
        Place::Variable(name) => format!("the variable {}", name.to_string_lossy()),
    }
}

fn described(scope: &str, scopes: &ScopePlan) -> Result<Scope, DelegatedFault> {
    let found = scopes.described.iter().find(|(known, _)| known.as_str() == scope);
    found.map(|(known, _)| known.clone()).ok_or_else(|| {
        let known: Vec<_> = scopes.described.iter().map(|(known, _)| known.as_str()).collect();
        DelegatedFault::UnknownScope { scope: scope.to_owned(), known: known.join(", ") }
    })
}

/// Those at which servers of the house act.
pub(super) fn third_parties(
    mut known: BTreeMap<String, Known>,
    servers: &[ServerPlan],
) -> BTreeMap<String, Known> {
    known.retain(|name, _| servers.iter().flat_map(|server| &server.delegated).any(|one| one.party == *name));
    known
}

/// What the authorization server is to know of them.
pub(super) fn settings(
    house: &HousePlan,
    identifier: impl Fn(&ServerPlan) -> Option<ResourceIdentifier>,
) -> Vec<ThirdParty> {
    let acting = |name: &str| {
        let of = |server| {
            let server: &ServerPlan = server;
            let plan = server.delegated.iter().find(|plan| plan.party == name)?;
            let (scopes, scope) = (plan.scopes.clone(), plan.scope.clone());
            Some(ActsFor { resource: identifier(server)?, scopes, scope })
        };
        house.servers.iter().filter_map(of).collect()
    };
    let party = |(name, known): (&String, &Known)| ThirdParty {
        name: name.clone(),
        shown: known.shown.clone(),
        provider: known.provider.clone(),
        servers: acting(name),
    };
    house.third_parties.iter().map(party).collect()
}

/// The server behind gets the tokens of whoever calls.
pub(super) fn telling(
    told: Told,
    plans: &[DelegatedPlan],
    own_issuer: &str,
    issues: Option<&AuthorizationServer>,
) -> Told {
    let vault = |plan: &DelegatedPlan| issues.and_then(|issues| issues.vault(&plan.party));
    let tokens = plans.iter().filter_map(|plan| Some(token(plan, vault(plan)?, own_issuer.to_owned())));
    tokens.fold(told, Told::with_third_party)
}

fn token(plan: &DelegatedPlan, vault: Vault, own_issuer: String) -> ThirdPartyToken {
    let name = vault.shown().to_owned();
    let (memory, issuer) = (vault.clone(), own_issuer.clone());
    let known = move |caller: &Caller| memory.known_for(person(caller, &issuer)?, caller.token_id());
    let token = ThirdPartyToken::new(name, plan.place.clone(), known, move |caller| {
        let user = person(caller, &own_issuer).map(str::to_owned);
        let (vault, token_id) = (vault.clone(), caller.token_id().to_owned());
        async move {
            let not_linked = || NotGiven::NotLinked { link: vault.link().clone() };
            let user = user.ok_or_else(not_linked)?;
            vault.token_for(&user, &token_id).await.map_err(|error| match error {
                NoToken::NotLinked(_) => not_linked(),
                NoToken::NotAgreed(_) => NotGiven::NotAgreed,
                NoToken::Unavailable(_) => NotGiven::Unavailable,
                NoToken::Store(error) => {
                    tracing::error!(%error, "a third party's token could not be read");
                    NotGiven::Unavailable
                }
            })
        }
    });
    plan.scope.iter().cloned().fold(token, ThirdPartyToken::for_scope)
}

/// A subject of another issuer's may be called like a person here.
fn person<'c>(caller: &'c Caller, own_issuer: &str) -> Option<&'c str> {
    (caller.issuer() == own_issuer).then(|| caller.subject())
}

impl fmt::Display for DelegatedPlan {
    /// For `config check`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} for whoever calls, by {}", self.party, shown(&self.place))?;
        if !self.scopes.is_empty() {
            write!(f, "; with {} there", self.scopes)?;
        }
        match &self.scope {
            Some(scope) => write!(f, "; linked by whoever is granted {scope}"),
            None => f.write_str("; linked at the first login"),
        }
    }
}
