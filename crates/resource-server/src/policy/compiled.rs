//! The declaration, made ready to be asked.

use std::collections::HashMap;

use hallpass_protocol::scope::{Scope, ScopeSet};

use super::patterns::Patterns;
use super::{Policy, Rule, without_offline_access};

/// A policy with its indexes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Compiled {
    pub(super) policy: Policy,
    pub(super) login: ScopeSet,
    pub(super) required: ScopeSet,
    pub(super) methods: Rules,
    pub(super) tools: Rules,
    pub(super) prompts: Rules,
    pub(super) resources: Rules,
    pub(super) hierarchy: Hierarchy,
    reads_bodies: bool,
}

/// The rules for one kind of operation.
#[derive(Clone, Debug, Default)]
pub(super) struct Rules {
    rules: Vec<Rule>,
    patterns: Patterns,
}

impl Compiled {
    pub(crate) fn new(policy: Policy) -> Self {
        let rules = |of: &[Rule]| Rules::new(of);
        Self {
            login: without_offline_access(&policy.login),
            required: without_offline_access(&policy.required),
            methods: rules(&policy.methods),
            tools: rules(&policy.tools),
            prompts: rules(&policy.prompts),
            resources: rules(&policy.resources),
            hierarchy: Hierarchy::new(&policy),
            reads_bodies: policy.reads_bodies(),
            policy,
        }
    }

    /// What a first login asks for.
    pub(crate) fn login(&self) -> &ScopeSet {
        &self.login
    }

    pub(crate) fn reads_bodies(&self) -> bool {
        self.reads_bodies
    }
}

impl Rules {
    fn new(rules: &[Rule]) -> Self {
        let rules: Vec<Rule> = rules.iter().cloned().map(without_what_no_token_shows).collect();
        Self { patterns: Patterns::new(rules.iter().map(|rule| rule.pattern.as_str())), rules }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Calls `found` for each rule for that name.
    pub(super) fn each<'r>(&'r self, name: &str, mut found: impl FnMut(&'r Rule)) {
        self.patterns.each_match(name, |index| self.rules.get(index).into_iter().for_each(&mut found));
    }
}

fn without_what_no_token_shows(mut rule: Rule) -> Rule {
    if let super::Verdict::Ask(demand) = &mut rule.verdict {
        demand.scopes = without_offline_access(&demand.scopes);
    }
    rule
}

/// Which scopes stand for others.
#[derive(Clone, Debug, Default)]
pub(super) struct Hierarchy(HashMap<Scope, ScopeSet>);

impl Hierarchy {
    /// Follows what is implied to its end; circles are no harm.
    fn new(policy: &Policy) -> Self {
        let all = policy.implies.keys().map(|scope| {
            let mut reached: ScopeSet = [scope.clone()].into_iter().collect();
            let mut next = 0;
            while let Some(scope) = reached.iter().nth(next).cloned() {
                reached.extend(policy.implies.get(&scope).into_iter().flatten().cloned());
                next += 1;
            }
            (scope.clone(), reached)
        });
        Self(all.collect())
    }

    /// Whether something granted is that scope, or implies it.
    pub(super) fn grants(&self, granted: &ScopeSet, scope: &Scope) -> bool {
        granted.contains(scope)
            || (!self.0.is_empty()
                && granted.iter().filter_map(|one| self.0.get(one)).any(|implied| implied.contains(scope)))
    }

    /// All that is granted, with what it implies.
    pub(super) fn all(&self, granted: &ScopeSet) -> ScopeSet {
        let implied = granted.iter().filter_map(|one| self.0.get(one)).flat_map(|implied| implied.iter());
        granted.iter().chain(implied).cloned().collect()
    }

    pub(super) fn covers(&self, granted: &ScopeSet, needed: &ScopeSet) -> bool {
        needed.iter().all(|scope| self.grants(granted, scope))
    }

    /// What is needed and not granted.
    pub(super) fn missing(&self, granted: &ScopeSet, needed: &ScopeSet) -> ScopeSet {
        needed.iter().filter(|scope| !self.grants(granted, scope)).cloned().collect()
    }
}
