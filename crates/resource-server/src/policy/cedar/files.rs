//! Files of policies: read, checked against the schema, each policy with the place where it stands.

use std::collections::HashMap;
use std::str::FromStr;

use cedar_policy::{
    AuthorizationError, Effect, Entities, PolicyId, PolicySet, Schema, ValidationMode, Validator,
};
use miette::Diagnostic;

use super::Cedar;
use crate::policy::explain::Reason;

/// A file of policies.
#[derive(Clone, Debug)]
pub struct CedarFile {
    /// How it is called where something is said of it.
    pub name: String,
    /// What it holds.
    pub text: String,
}

/// A rule that a file of policies broke.
#[derive(Debug, thiserror::Error)]
pub enum CedarError {
    /// It is not Cedar.
    #[error("{place}: this is no Cedar that can be read: {problem}")]
    Syntax {
        /// File and line.
        place: String,
        /// What is wrong.
        problem: String,
    },
    /// A policy speaks of what is not in the schema, or takes something for what it is not.
    #[error("{place}: {problem}")]
    Invalid {
        /// File, line and policy.
        place: String,
        /// What is wrong.
        problem: String,
    },
    /// A policy with slots: nothing here fills them.
    #[error(
        "{place}: a policy with ?principal or ?resource is a template, and nothing fills it; write the policy out"
    )]
    Template {
        /// File and line.
        place: String,
    },
    /// A file that says nothing is a mistake: of its name, or of what was to be in it.
    #[error("{file}: there is no policy in it")]
    Empty {
        /// The file.
        file: String,
    },
    /// What no `permit` fits is denied, so nobody could do anything.
    #[error(
        "{file}: no policy permits anything, so nobody could do anything; where the rules say enough, begin with permit (principal, action, resource);"
    )]
    NothingPermitted {
        /// The first file.
        file: String,
    },
    /// The schema that comes with this crate is wrong.
    #[error("the schema of policies cannot be used: {0}")]
    Schema(String),
}

/// Policies that were checked.
pub(super) struct Policies {
    pub(super) set: PolicySet,
    /// The actions of the schema, with those that they belong to.
    pub(super) actions: Entities,
    places: HashMap<PolicyId, String>,
}

impl Policies {
    pub(super) fn read(files: &[CedarFile]) -> Result<Self, CedarError> {
        let (schema, _) = Schema::from_cedarschema_str(Cedar::SCHEMA)
            .map_err(|error| CedarError::Schema(error.to_string()))?;
        let actions = schema.action_entities().map_err(|error| CedarError::Schema(error.to_string()))?;
        let mut all = Self { set: PolicySet::new(), actions, places: HashMap::new() };
        for file in files {
            all.add(file)?;
        }
        all.check(schema, files)?;
        Ok(all)
    }

    fn add(&mut self, file: &CedarFile) -> Result<(), CedarError> {
        let place = |offset| format!("{}:{}", file.name, line_of(&file.text, offset));
        let read = PolicySet::from_str(&file.text).map_err(|errors| {
            let offset = offset_of(&errors).unwrap_or(file.text.len());
            CedarError::Syntax { place: place(offset), problem: errors.to_string() }
        })?;
        if let Some(template) = read.templates().next() {
            return Err(CedarError::Template {
                place: place(file.text.find(&template.to_cedar()).unwrap_or(0)),
            });
        }
        let mut policies: Vec<_> = read.policies().collect();
        if policies.is_empty() {
            return Err(CedarError::Empty { file: file.name.clone() });
        }
        // `policy0`, `policy1`, … as they stand in the file.
        policies.sort_by_key(|policy| number_of(policy.id()));
        let mut from = 0;
        for policy in policies {
            let text = policy.to_cedar().unwrap_or_default();
            let at = position(&file.text, from, &text);
            from = at + text.len();
            let mut place = place(at);
            if let Some(id) = policy.annotation("id") {
                place = format!("{place} ({id})");
            }
            let policy = policy.new_id(PolicyId::new(format!("{}#{}", file.name, self.places.len())));
            self.places.insert(policy.id().clone(), place);
            self.set.add(policy).map_err(|error| CedarError::Schema(error.to_string()))?;
        }
        Ok(())
    }

    fn check(&self, schema: Schema, files: &[CedarFile]) -> Result<(), CedarError> {
        let result = Validator::new(schema).validate(&self.set, ValidationMode::Strict);
        if let Some(error) = result.validation_errors().next() {
            let policy = self.place(error.policy_id());
            let file = files.iter().find(|file| policy.starts_with(&format!("{}:", file.name)));
            let line = offset_of(error).zip(file).map(|(offset, file)| line_of(&file.text, offset));
            let place = match (line, file) {
                (Some(line), Some(file)) => format!("{}:{line}, in the policy at {policy}", file.name),
                _ => policy.to_owned(),
            };
            return Err(CedarError::Invalid { place, problem: error.to_string() });
        }
        let permits = self.set.policies().any(|policy| policy.effect() == Effect::Permit);
        match files.first() {
            Some(file) if !permits => Err(CedarError::NothingPermitted { file: file.name.clone() }),
            _ => Ok(()),
        }
    }

    fn place(&self, id: &PolicyId) -> &str {
        self.places.get(id).map_or("Cedar", String::as_str)
    }

    pub(super) fn place_of(&self, error: &AuthorizationError) -> &str {
        let AuthorizationError::PolicyEvaluationError(error) = error;
        self.place(error.policy_id())
    }

    /// A policy that decided, as a reason.
    pub(super) fn reason(&self, id: &PolicyId) -> Reason {
        let permits = self.set.policy(id).is_some_and(|policy| policy.effect() == Effect::Permit);
        let says = if permits { "permits it (Cedar)" } else { "forbids it (Cedar)" };
        Reason { place: self.place(id).to_owned(), says: says.to_owned(), holds: permits }
    }
}

/// Where an error says that it is.
fn offset_of(error: &impl Diagnostic) -> Option<usize> {
    error.labels()?.map(|label| label.offset()).next()
}

fn number_of(id: &PolicyId) -> Option<usize> {
    id.to_string().strip_prefix("policy")?.parse().ok()
}

/// Where a policy stands: not where a comment holds the same text.
fn position(text: &str, from: usize, policy: &str) -> usize {
    let mut at = from;
    while let Some(found) = text.get(at..).and_then(|rest| rest.find(policy)) {
        at += found;
        let line = text.get(..at).and_then(|before| before.rsplit('\n').next()).unwrap_or_default();
        if !line.contains("//") {
            return at;
        }
        at += policy.len();
    }
    from
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}
