//! Where servers act for a person with what they agree to: the page of consent says it, and what was agreed to keeps it. A third party
//! that is configured later, or for more, has been shown to nobody who agreed before.

use std::collections::BTreeMap;
use std::fmt;

use hallpass_protocol::scope::ScopeSet;
use serde::{Deserialize, Serialize};

use super::ThirdParty;
use crate::checks::Resources;
use crate::random::digest;
use crate::server::Inner;
use crate::store::StoreError;

/// Third parties by their names, each with what servers do there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Acting(BTreeMap<String, There>);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct There {
    /// Who it is: a name may stand for somebody else by now.
    issuer: String,
    scopes: ScopeSet,
}

impl Acting {
    /// Where servers act with such a grant, as is configured now.
    pub(crate) fn of(server: &Inner, resources: &Resources, granted: &ScopeSet) -> Self {
        let acts = |party: &ThirdParty| {
            let (issuer, scopes) = (party.issuer().to_owned(), party.needed(resources, granted)?);
            Some((party.name.clone(), There { issuer, scopes }))
        };
        Self(server.settings.third_parties.iter().filter_map(acts).collect())
    }

    /// As it was stored; nothing is nowhere.
    pub(crate) fn parse(stored: &str) -> Result<Self, StoreError> {
        if stored.is_empty() {
            return Ok(Self::default());
        }
        serde_json::from_str(stored)
            .map_err(|_| StoreError::Unreadable { what: "list of third parties at which a server acts" })
    }

    /// Whether this says that servers act at that third party, with all of these scopes.
    pub(crate) fn covers(&self, party: &ThirdParty, needed: &ScopeSet) -> bool {
        let there = self.0.get(&party.name).filter(|there| there.issuer == party.issuer());
        there.is_some_and(|there| needed.is_subset(&there.scopes))
    }

    /// Whether it says all that the other one does.
    pub(crate) fn includes(&self, other: &Self) -> bool {
        other.0.iter().all(|(name, there)| {
            let own = self.0.get(name).filter(|own| own.issuer == there.issuer);
            own.is_some_and(|own| there.scopes.is_subset(&own.scopes))
        })
    }

    /// This, and what was said later.
    pub(crate) fn and(mut self, later: Self) -> Self {
        for (name, mut there) in later.0 {
            if let Some(own) = self.0.get(&name).filter(|own| own.issuer == there.issuer) {
                there.scopes = there.scopes.union(&own.scopes);
            }
            self.0.insert(name, there);
        }
        self
    }

    /// What a form holds, so that it stands for what was on its page; nothing, where no server acts anywhere.
    pub(crate) fn mark(&self) -> Option<String> {
        (!self.0.is_empty()).then(|| digest(&self.to_string()))
    }
}

/// The text that is stored.
impl fmt::Display for Acting {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return Ok(());
        }
        formatter.write_str(&serde_json::to_string(&self.0).map_err(|_| fmt::Error)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acting(all: &[(&str, &str, &str)]) -> Acting {
        let there = |(name, issuer, scopes): &(&str, &str, &str)| {
            let there = There { issuer: (*issuer).to_owned(), scopes: ScopeSet::parse(scopes).unwrap() };
            ((*name).to_owned(), there)
        };
        Acting(all.iter().map(there).collect())
    }

    #[test]
    fn what_is_stored_is_read_as_it_was() {
        for all in [acting(&[]), acting(&[("hub", "https://hub.example", "a b"), ("app", "https://x", "")])] {
            assert_eq!(Acting::parse(&all.to_string()).unwrap(), all);
        }
        assert_eq!(acting(&[]).to_string(), "");
        assert!(Acting::parse("{\"hub\":1}").is_err());
    }

    #[test]
    fn more_scopes_another_party_and_another_one_of_that_name_were_not_said() {
        let said = acting(&[("hub", "https://hub.example", "a b")]);
        for (other, included) in [
            (acting(&[]), true),
            (acting(&[("hub", "https://hub.example", "b")]), true),
            (acting(&[("hub", "https://hub.example", "b c")]), false),
            (acting(&[("hub", "https://other.example", "b")]), false),
            (acting(&[("hub", "https://hub.example", "b"), ("app", "https://x", "")]), false),
        ] {
            assert_eq!(said.includes(&other), included, "{other}");
        }
        assert!(!acting(&[]).includes(&acting(&[("app", "https://x", "")])), "without scopes there, too");
    }

    #[test]
    fn what_was_said_before_is_not_forgotten_but_for_another_one_of_that_name() {
        let before = acting(&[("hub", "https://hub.example", "a"), ("app", "https://x", "y")]);
        let both = before.clone().and(acting(&[("hub", "https://hub.example", "b")]));
        assert_eq!(both, acting(&[("hub", "https://hub.example", "a b"), ("app", "https://x", "y")]));
        let other = before.and(acting(&[("hub", "https://other.example", "b")]));
        assert_eq!(other, acting(&[("hub", "https://other.example", "b"), ("app", "https://x", "y")]));
    }
}
