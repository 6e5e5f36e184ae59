//! What a list may say of each thing on it.

use hallpass_protocol::scope::ScopeSet;
use hallpass_protocol::time::Timestamp;

use super::compiled::Rules;
use super::{Compiled, Verdict, WithoutRule};
use crate::caller::Granted;
use crate::json_rpc::{Id, Message};

/// A list that a server answers with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum List {
    /// `tools/list`.
    Tools,
    /// `prompts/list`.
    Prompts,
    /// `resources/list`.
    Resources,
    /// `resources/templates/list`.
    ResourceTemplates,
}

/// A request for a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The request's id, which its answer has.
    pub id: Id,
    /// What it asks for.
    pub list: List,
}

/// What policy says of one thing on a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// All scopes that its use needs.
    pub scopes: ScopeSet,
    /// Whether a rule denies it to everybody; then no scopes open it.
    pub denied: bool,
    /// Whether some login opens it to this caller: no rule denies it, claims and tenant fit, and Cedar permits it.
    pub within_reach: bool,
}

impl List {
    pub(crate) fn of(method: &str) -> Option<Self> {
        match method {
            "tools/list" => Some(Self::Tools),
            "prompts/list" => Some(Self::Prompts),
            "resources/list" => Some(Self::Resources),
            "resources/templates/list" => Some(Self::ResourceTemplates),
            _ => None,
        }
    }

    /// The member of the result that holds the list.
    #[must_use]
    pub fn member(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::Prompts => "prompts",
            Self::Resources => "resources",
            Self::ResourceTemplates => "resourceTemplates",
        }
    }

    /// The member of a thing on it that policy knows it by.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Tools | Self::Prompts => "name",
            Self::Resources => "uri",
            Self::ResourceTemplates => "uriTemplate",
        }
    }
}

impl Compiled {
    /// The lists that these messages ask for, as far as policy says something of what is on them.
    pub(crate) fn lists(&self, messages: &[Message<'_>]) -> Vec<Asked> {
        let asked = messages.iter().filter_map(|message| {
            let list = List::of(message.method.as_deref()?)?;
            Some(Asked { id: message.id.clone()?, list })
        });
        let closed = self.policy.without_rule == WithoutRule::Deny;
        let closed = closed || self.policy.cedar.is_some();
        asked.filter(|asked| closed || !self.rules_of(asked.list).is_empty()).collect()
    }

    fn rules_of(&self, list: List) -> &Rules {
        match list {
            List::Tools => &self.tools,
            List::Prompts => &self.prompts,
            List::Resources | List::ResourceTemplates => &self.resources,
        }
    }

    /// What policy says of the thing of that name.
    pub(crate) fn item(&self, list: List, name: &str, granted: &Granted, now: Timestamp) -> Item {
        let mut item = Item { scopes: self.required.clone(), denied: false, within_reach: true };
        let mut ruled = false;
        self.rules_of(list).each(name, |rule| {
            ruled = true;
            match &rule.verdict {
                Verdict::Deny => item.denied = true,
                Verdict::Ask(demand) => {
                    item.scopes.extend(demand.scopes.iter().cloned());
                    item.within_reach &= demand.is_within_reach(granted);
                }
            }
        });
        match (ruled, self.policy.without_rule) {
            (false, WithoutRule::Deny) => item.denied = true,
            (false, WithoutRule::Login) if !self.rules_of(list).is_empty() => {
                item.scopes.extend(self.login.iter().cloned());
            }
            _ => {}
        }
        item.within_reach &= !item.denied;
        if let (true, Some(cedar), Some(ask)) = (item.within_reach, &self.policy.cedar, list.ask(name)) {
            item.within_reach = cedar.permits(ask, true, &self.after_login(granted, &item.scopes, now));
        }
        item
    }
}
