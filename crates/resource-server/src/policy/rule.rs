//! One rule.

use std::time::Duration;

use hallpass_protocol::scope::ScopeSet;
use serde_json::Value;

use crate::caller::Granted;

/// A pattern, and what holds for what it matches.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// A name or URI; each `*` in it stands for any run of characters, none among them. Case counts.
    pub pattern: String,
    /// What holds.
    pub verdict: Verdict,
    /// Where the rule was written, for explanations: `hallpass.toml:12`.
    pub place: String,
}

/// What a rule says.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// Nobody may.
    Deny,
    /// Whoever meets all of this may.
    Ask(Demand),
}

/// What a caller must show. All of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Demand {
    /// These scopes, or others that imply them.
    pub scopes: ScopeSet,
    /// What the token must say. No login changes it, so a caller who fails is not sent to log in.
    pub when: Vec<Condition>,
    /// One of these tenants; empty: any.
    pub tenants: Vec<String>,
    /// How long ago the user may have logged in (`auth_time`; RFC 9470).
    pub fresh: Option<Duration>,
}

/// A claim and what it must be.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// The claim's name; where no claim has that name, a path with dots (`realm_access.roles`).
    pub claim: String,
    /// What it must be.
    pub test: Test,
}

/// What a claim must be.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// A list that holds the text, or a text that holds it as one of its words.
    Has(String),
    /// Exactly this text, number or truth value.
    Is(Value),
}

impl Rule {
    /// A rule that asks for scopes, written in the program.
    #[must_use]
    pub fn scopes(pattern: impl Into<String>, scopes: ScopeSet) -> Self {
        Self::new(pattern, Verdict::Ask(Demand { scopes, ..Demand::default() }))
    }

    /// A rule that denies.
    #[must_use]
    pub fn deny(pattern: impl Into<String>) -> Self {
        Self::new(pattern, Verdict::Deny)
    }

    fn new(pattern: impl Into<String>, verdict: Verdict) -> Self {
        let pattern = pattern.into();
        Self { place: format!("the rule for {pattern:?}"), pattern, verdict }
    }
}

impl Demand {
    /// Whether all that a login cannot change is there: the conditions and the tenant.
    pub(super) fn is_within_reach(&self, granted: &Granted) -> bool {
        let tenant = || granted.tenant.as_deref().is_some_and(|of| self.tenants.iter().any(|one| one == of));
        (self.tenants.is_empty() || tenant()) && self.when.iter().all(|condition| condition.holds(granted))
    }
}

impl Condition {
    fn holds(&self, granted: &Granted) -> bool {
        match (&self.test, granted.claim(&self.claim)) {
            (_, None) => false,
            (Test::Has(text), Some(Value::Array(items))) => items.iter().any(|item| item == text),
            (Test::Has(text), Some(Value::String(words))) => words.split(' ').any(|word| word == text),
            (Test::Has(_), Some(_)) => false,
            (Test::Is(value), Some(found)) => found == value,
        }
    }
}

/// In words: `needs notes:write; only when groups has "ops"`, `is denied`.
impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Deny => f.write_str("is denied"),
            Self::Ask(demand) => demand.fmt(f),
        }
    }
}

impl std::fmt::Display for Demand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut says = Vec::new();
        if !self.scopes.is_empty() {
            says.push(format!("needs {}", self.scopes));
        }
        says.extend(self.when.iter().map(|condition| format!("only when {condition}")));
        if !self.tenants.is_empty() {
            says.push(format!("only for the tenants {}", self.tenants.join(", ")));
        }
        if let Some(fresh) = self.fresh {
            says.push(format!("only within {} s of a login", fresh.as_secs()));
        }
        f.write_str(if says.is_empty() { "asks for nothing" } else { "" })?;
        f.write_str(&says.join("; "))
    }
}

/// `groups has "ops"`, `tid is "acme"`.
impl std::fmt::Display for Condition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.test {
            Test::Has(text) => write!(f, "{} has {text:?}", self.claim),
            Test::Is(value) => write!(f, "{} is {value}", self.claim),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn holds(claim: &str, test: Test) -> bool {
        let claims = json!({
            "groups": ["ops", "dev"], "roles": "admin reader", "tid": "acme", "level": 3, "ok": true,
            "realm_access": { "roles": ["keeper"] }, "https://x.example/role": "boss",
        });
        let granted = Granted { claims: claims.as_object().unwrap().clone(), ..Granted::default() };
        Condition { claim: claim.to_owned(), test }.holds(&granted)
    }

    #[test]
    fn a_claim_has_a_word_or_an_item_whole() {
        for (claim, text, expected) in [
            ("groups", "ops", true),
            ("groups", "op", false),
            ("groups", "ops dev", false),
            ("roles", "admin", true),
            ("roles", "adm", false),
            ("tid", "acme", true),
            ("level", "3", false),
            ("realm_access.roles", "keeper", true),
            ("https://x.example/role", "boss", true),
            ("absent", "", false),
        ] {
            assert_eq!(holds(claim, Test::Has(text.to_owned())), expected, "{claim} {text}");
        }
    }

    #[test]
    fn a_claim_is_a_value_of_that_type() {
        for (claim, value, expected) in [
            ("tid", json!("acme"), true),
            ("tid", json!("acm"), false),
            ("level", json!(3), true),
            ("level", json!("3"), false),
            ("ok", json!(true), true),
            ("ok", json!("true"), false),
            ("absent", json!(null), false),
        ] {
            assert_eq!(holds(claim, Test::Is(value.clone())), expected, "{claim} {value}");
        }
    }

    #[test]
    fn one_of_the_tenants() {
        let demand = Demand { tenants: vec!["acme".into(), "umbrella".into()], ..Demand::default() };
        for (tenant, expected) in [(Some("acme"), true), (Some("other"), false), (None, false)] {
            let granted = Granted { tenant: tenant.map(str::to_owned), ..Granted::default() };
            assert_eq!(demand.is_within_reach(&granted), expected, "{tenant:?}");
        }
    }
}
