//! The decision with its reasons, for whoever wrote the rules.

use hallpass_protocol::time::Timestamp;

use super::target::Target;
use super::{Compiled, Policy, Rule, Verdict, WithoutRule};
use crate::caller::Granted;
use crate::json_rpc::Message;
use crate::refusal::Refusal;

/// What somebody wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation<'a> {
    /// `tools/call` of that tool.
    Tool(&'a str),
    /// `prompts/get` of that prompt.
    Prompt(&'a str),
    /// `resources/read` of that URI.
    Resource(&'a str),
    /// Any other method.
    Method(&'a str),
}

/// One rule that counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// Where it was written.
    pub place: String,
    /// What it asks for, in words.
    pub says: String,
    /// Whether the caller meets it.
    pub holds: bool,
}

/// A decision.
#[derive(Debug)]
pub struct Explanation {
    /// Every rule that counted.
    pub reasons: Vec<Reason>,
    /// What came of it.
    pub outcome: Result<(), Refusal>,
}

impl<'a> Operation<'a> {
    /// The JSON-RPC method, and what it is for.
    #[must_use]
    pub fn words(self) -> (&'a str, &'a str) {
        match self {
            Self::Tool(name) => ("tools/call", name),
            Self::Prompt(name) => ("prompts/get", name),
            Self::Resource(uri) => ("resources/read", uri),
            Self::Method(method) => (method, ""),
        }
    }

    fn message(self) -> Message<'a> {
        let (method, name, uri) = match self {
            Self::Tool(name) => ("tools/call", Some(name), None),
            Self::Prompt(name) => ("prompts/get", Some(name), None),
            Self::Resource(uri) => ("resources/read", None, Some(uri)),
            Self::Method(method) => (method, None, None),
        };
        let text = |text: &'a str| text.into();
        Message {
            method: Some(method.into()),
            name: name.map(text),
            uri: uri.map(text),
            ..Message::default()
        }
    }
}

impl Policy {
    /// What would come of an operation, and which rules decided.
    #[must_use]
    pub fn explain(&self, operation: Operation<'_>, granted: &Granted, now: Timestamp) -> Explanation {
        let compiled = Compiled::new(self.clone());
        let message = operation.message();
        let reasons = compiled.reasons(&message, granted, now);
        Explanation { reasons, outcome: compiled.judge(&[message], granted, now) }
    }
}

impl Compiled {
    fn reasons(&self, message: &Message<'_>, granted: &Granted, now: Timestamp) -> Vec<Reason> {
        let mut reasons = Vec::new();
        if !self.policy.tenants.is_empty() {
            reasons.push(Reason {
                place: "the whole server".to_owned(),
                says: format!("is for the tenants {}", self.policy.tenants.join(", ")),
                holds: self.lets_in_tenant(granted),
            });
        }
        if !self.required.is_empty() {
            reasons.push(Reason {
                place: "every request".to_owned(),
                says: format!("needs {}", self.required),
                holds: self.hierarchy.covers(&granted.scopes, &self.required),
            });
        }
        let method = message.method.as_deref().unwrap_or_default();
        self.methods.each(method, |rule| reasons.push(self.reason(rule, granted, now)));
        // What has no name has no rule; the outcome says so.
        let _ = self.each_target(message, |target| {
            for name in &target.names {
                let before = reasons.len();
                target.rules.each(&name.text, |rule| reasons.push(self.reason(rule, granted, now)));
                if reasons.len() == before && name.sure {
                    reasons.extend(self.without_rule(&target, granted));
                }
            }
            Ok(())
        });
        if let Some(cedar) = &self.policy.cedar {
            let case = self.as_it_is(granted, now);
            let _ = self.each_ask(message, |ask, sure| {
                reasons.extend(cedar.reasons(ask, sure, &case));
                Ok(())
            });
        }
        reasons.dedup();
        reasons
    }

    fn without_rule(&self, target: &Target<'_, '_>, granted: &Granted) -> Option<Reason> {
        let place = format!("a {} without a rule", target.kind.word());
        match self.policy.without_rule {
            WithoutRule::Deny => Some(Reason { place, says: "is denied".to_owned(), holds: false }),
            // Where its kind has no rules, it needs what every request needs.
            WithoutRule::Login if target.rules.is_empty() => None,
            WithoutRule::Login => Some(Reason {
                place,
                says: format!("needs what a login asks for: {}", self.login),
                holds: self.hierarchy.covers(&granted.scopes, &self.login),
            }),
        }
    }

    fn reason(&self, rule: &Rule, granted: &Granted, now: Timestamp) -> Reason {
        let place = rule.place.clone();
        let Verdict::Ask(demand) = &rule.verdict else {
            return Reason { place, says: rule.verdict.to_string(), holds: false };
        };
        let fresh = demand.fresh.is_none_or(|fresh| granted.login.is_some_and(|at| now <= at.after(fresh)));
        let holds = self.hierarchy.covers(&granted.scopes, &demand.scopes)
            && demand.is_within_reach(granted)
            && fresh;
        Reason { place, says: rule.verdict.to_string(), holds }
    }
}

#[cfg(test)]
mod tests {
    use hallpass_protocol::scope::ScopeSet;

    use super::*;

    #[test]
    fn each_rule_that_counted_is_named_with_its_place() {
        let scopes = |text: &str| ScopeSet::parse(text).unwrap();
        let mut write = Rule::scopes("write_*", scopes("notes:write"));
        write.place = "hallpass.toml:7".to_owned();
        let policy =
            Policy { required: scopes("mcp"), tools: vec![write, Rule::deny("debug")], ..Policy::default() };
        let granted = Granted { scopes: scopes("mcp"), ..Granted::default() };
        let now = Timestamp::from_unix(0);
        let explanation = policy.explain(Operation::Tool("write_note"), &granted, now);
        let places: Vec<_> = explanation.reasons.iter().map(|r| (r.place.as_str(), r.holds)).collect();
        assert_eq!(places, [("every request", true), ("hallpass.toml:7", false)]);
        assert!(matches!(explanation.outcome, Err(Refusal::InsufficientScope { .. })));
        let explanation = policy.explain(Operation::Tool("debug"), &granted, now);
        assert_eq!(explanation.reasons[1].says, "is denied");
        assert!(policy.explain(Operation::Method("tools/list"), &granted, now).outcome.is_ok());
    }
}
