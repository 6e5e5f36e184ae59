//! Policies in Cedar, beside the rules, for those who need more. What the rules refuse stays refused; what they allow, Cedar
//! must allow as well. So Cedar only ever denies further, and deny wins.
//!
//! Cedar's own rule holds: what no `permit` fits is denied, and `forbid` wins over `permit`. One thing is stricter here: where
//! a policy cannot be evaluated, nothing is permitted; Cedar by itself would go on without it, were it a `forbid` as well.

mod files;
mod request;

use std::sync::Arc;

use cedar_policy::{Authorizer, Decision, Diagnostics};

use files::Policies;
pub use files::{CedarError, CedarFile};

use super::case::{Ask, Case};
use super::explain::Reason;

/// Policies in Cedar that were read and checked against [`Cedar::SCHEMA`]. Clones share them.
#[derive(Clone)]
pub struct Cedar(Arc<Inner>);

struct Inner {
    policies: Policies,
    /// The claim that names the groups of a caller.
    groups: String,
}

/// What Cedar says of one request.
struct Said {
    allowed: bool,
    diagnostics: Option<Diagnostics>,
}

impl Cedar {
    /// What policies can speak of, in Cedar's language for schemas.
    pub const SCHEMA: &str = include_str!("schema.cedarschema");

    /// Reads policies. `groups` is the claim whose texts are the groups of a caller (`principal in Group::"ops"`); it may be a
    /// path with dots.
    ///
    /// # Errors
    /// One variant of [`CedarError`] for each rule, with file and line.
    pub fn new(files: &[CedarFile], groups: &str) -> Result<Self, CedarError> {
        Ok(Self(Arc::new(Inner { policies: Policies::read(files)?, groups: groups.to_owned() })))
    }

    /// How many policies there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.policies.set.policies().count()
    }

    /// `sure`: what is asked about is what it is for every server, or differs by slashes alone. Otherwise a `permit` is not missed.
    pub(super) fn permits(&self, ask: Ask<'_>, sure: bool, case: &Case<'_>) -> bool {
        let said = self.said(ask, sure, case);
        for error in said.diagnostics.iter().flat_map(Diagnostics::errors) {
            let place = self.0.policies.place_of(error);
            tracing::warn!(place, error = ?error.to_string(), "a Cedar policy cannot be evaluated, so nothing is permitted");
        }
        said.allowed
    }

    pub(super) fn reasons(&self, ask: Ask<'_>, sure: bool, case: &Case<'_>) -> Vec<Reason> {
        let Said { allowed, diagnostics } = self.said(ask, sure, case);
        let policies = &self.0.policies;
        let mut reasons = Vec::new();
        if let Some(diagnostics) = &diagnostics {
            reasons.extend(diagnostics.reason().map(|id| policies.reason(id)));
            reasons.extend(diagnostics.errors().map(|error| Reason {
                place: policies.place_of(error).to_owned(),
                says: format!("cannot be evaluated, so nothing is permitted: {error}"),
                holds: false,
            }));
        }
        if !allowed && reasons.iter().all(|reason| reason.holds) {
            let says = "no policy permits it".to_owned();
            reasons.push(Reason { place: "Cedar".to_owned(), says, holds: false });
        }
        reasons.sort_by(|one, other| one.place.cmp(&other.place));
        reasons
    }

    fn said(&self, ask: Ask<'_>, sure: bool, case: &Case<'_>) -> Said {
        let Inner { policies, groups } = &*self.0;
        let Some((request, entities)) = request::of(ask, case, groups, &policies.actions) else {
            return Said { allowed: false, diagnostics: None };
        };
        let response = Authorizer::new().is_authorized(&request, &policies.set, &entities);
        let diagnostics = response.diagnostics().clone();
        let missed = !sure && diagnostics.reason().next().is_none();
        let allowed =
            (response.decision() == Decision::Allow || missed) && diagnostics.errors().next().is_none();
        Said { allowed, diagnostics: Some(diagnostics) }
    }
}

/// The same policies, read once.
impl PartialEq for Cedar {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl std::fmt::Debug for Cedar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Cedar({} policies)", self.count())
    }
}
