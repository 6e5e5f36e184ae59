//! What an operation needs: declared once, compiled once, asked for every request.
//!
//! | room | what is in it |
//! |---|---|
//! | [`Policy`] | the declaration: scopes, their hierarchy, rules |
//! | [`Rule`] | one rule: a pattern, and what it asks for |
//! | `patterns` | finds the rules for a name without trying each |
//! | `target` | what a message is about |
//! | `spellings` | the spellings of a name that servers may take for it |
//! | `judge` | the decision |
//! | [`Cedar`] | policies in Cedar beside the rules, with the feature `cedar` |
//! | `explain` | the decision, with its reasons |
//! | `listed` | what the lists of tools, prompts and resources may say |
//!
//! How rules add up:
//!
//! 1. Every rule whose pattern matches counts. More rules never allow more.
//! 2. Deny wins, wherever it stands.
//! 3. What no rule names needs what a first login asks for ([`Policy::login`]), or is denied where
//!    [`Policy::without_rule`] says so: a rule for one tool opens no other.
//! 4. A kind of operation without a single rule needs [`Policy::required`] alone.

mod case;
#[cfg(feature = "cedar")]
pub mod cedar;
#[cfg(not(feature = "cedar"))]
#[path = "no_cedar.rs"]
mod cedar;
mod compiled;
mod explain;
mod judge;
mod listed;
mod patterns;
mod rule;
mod spellings;
mod target;

use std::collections::BTreeMap;

use hallpass_protocol::scope::{Scope, ScopeSet};

pub use cedar::Cedar;
pub(crate) use compiled::Compiled;
pub use explain::{Explanation, Operation, Reason};
pub use listed::{Asked, Item, List};
pub(crate) use patterns::pattern_matches;
pub use rule::{Condition, Demand, Rule, Test, Verdict};

/// What a protected resource asks of its callers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Policy {
    /// What a first login asks for: said in the 401 and in the metadata, so that clients which read
    /// either come to the same. Also what a tool needs that no rule names.
    pub login: ScopeSet,
    /// What every request needs.
    pub required: ScopeSet,
    /// What a scope brings with it: `notes:admin` may imply `notes:read`, and so on from there.
    pub implies: BTreeMap<Scope, ScopeSet>,
    /// Who may call at all: tenants by name. Empty: all of them, and callers without one.
    pub tenants: Vec<String>,
    /// By JSON-RPC method, such as `completion/complete`.
    pub methods: Vec<Rule>,
    /// By the name of a tool (`tools/call`).
    pub tools: Vec<Rule>,
    /// By the name of a prompt (`prompts/get`).
    pub prompts: Vec<Rule>,
    /// By the URI of a resource (`resources/read`, `resources/subscribe`).
    pub resources: Vec<Rule>,
    /// What holds for a tool, prompt or resource that no rule names: `Login` where its kind has rules, `Deny` in any
    /// case.
    pub without_rule: WithoutRule,
    /// What must allow it, too, where it is there. It can deny what the rules allow, and never allows what they refuse.
    pub cedar: Option<Cedar>,
}

/// What holds where no rule matches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WithoutRule {
    /// It needs the scopes that a first login asks for.
    #[default]
    Login,
    /// It is denied.
    Deny,
}

impl Policy {
    /// Whether bodies must be read to judge a request.
    #[must_use]
    pub fn reads_bodies(&self) -> bool {
        self.without_rule == WithoutRule::Deny
            || self.cedar.is_some()
            || [&self.methods, &self.tools, &self.prompts, &self.resources]
                .iter()
                .any(|rules| !rules.is_empty())
    }
}

/// `offline_access` is between client and authorization server, and no scope of a resource (MCP
/// 2026-07-28, "Refresh Tokens"): no token can show that it was granted.
pub(crate) fn without_offline_access(scopes: &ScopeSet) -> ScopeSet {
    scopes.iter().filter(|scope| scope.as_str() != "offline_access").cloned().collect()
}
