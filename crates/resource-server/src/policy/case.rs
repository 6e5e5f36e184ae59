//! What Cedar is asked: who wants to do what, as it is now or as it would be after a login.

use hallpass_protocol::scope::ScopeSet;
use hallpass_protocol::time::Timestamp;

use super::{Compiled, List};
use crate::caller::Granted;
use crate::json_rpc::Message;
use crate::refusal::Refusal;

/// One thing that somebody wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask<'a> {
    Tool(&'a str),
    Prompt(&'a str),
    Resource { method: &'static str, uri: &'a str },
    Method(&'a str),
}

/// Who asks, and when.
#[derive(Debug)]
#[cfg_attr(not(feature = "cedar"), allow(dead_code, reason = "only Cedar looks at it"))]
pub(super) struct Case<'a> {
    pub(super) granted: &'a Granted,
    /// With all that they imply.
    pub(super) scopes: ScopeSet,
    pub(super) login: Option<Timestamp>,
    pub(super) now: Timestamp,
}

impl Compiled {
    /// As the caller is now.
    pub(super) fn as_it_is<'a>(&self, granted: &'a Granted, now: Timestamp) -> Case<'a> {
        Case { granted, scopes: self.hierarchy.all(&granted.scopes), login: granted.login, now }
    }

    /// As it would be after the login that the rules ask for.
    pub(super) fn after_login<'a>(
        &self,
        granted: &'a Granted,
        needed: &ScopeSet,
        now: Timestamp,
    ) -> Case<'a> {
        let scopes = self.hierarchy.all(&granted.scopes.union(needed));
        Case { granted, scopes, login: Some(now), now }
    }

    /// Each thing that a message asks for, in every spelling, and whether a `permit` has to hold for that one.
    ///
    /// # Errors
    /// [`Refusal::Nameless`].
    pub(super) fn each_ask(
        &self,
        message: &Message<'_>,
        mut each: impl FnMut(Ask<'_>, bool) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        let Some(method) = message.method.as_deref() else { return Ok(()) };
        if !matches!(method, "tools/call" | "prompts/get") && !READS.contains(&method) {
            each(Ask::Method(method), true)?;
        }
        self.each_target(message, |target| {
            target.names.iter().try_for_each(|name| each(target.kind.ask(&name.text), name.sure || name.same))
        })
    }
}

/// What is asked about as an action of its own.
const READS: [&str; 3] = ["resources/read", "resources/subscribe", "resources/unsubscribe"];

/// For people: `the tool purge`.
impl std::fmt::Display for Ask<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tool(name) => write!(f, "the tool {name}"),
            Self::Prompt(name) => write!(f, "the prompt {name}"),
            Self::Resource { uri, .. } => write!(f, "the resource {uri}"),
            Self::Method(method) => f.write_str(method),
        }
    }
}

impl List {
    /// The use of a thing on the list. A template stands for many things, of which each is judged by itself.
    pub(super) fn ask(self, name: &str) -> Option<Ask<'_>> {
        match self {
            Self::Tools => Some(Ask::Tool(name)),
            Self::Prompts => Some(Ask::Prompt(name)),
            Self::Resources => Some(Ask::Resource { method: "resources/read", uri: name }),
            Self::ResourceTemplates => None,
        }
    }
}
