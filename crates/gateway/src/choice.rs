//! Which of several servers stands behind, as verified words of the caller choose.

use std::sync::Arc;

use hallpass_resource_server::Caller;
use serde_json::Value;

use crate::upstream::Upstream;

/// A word of the caller that chooses: a claim, and what it may be. Nothing that a client says in a request is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// The claim's name, or a path with dots; `tenant` is [`Caller::tenant`].
    pub claim: String,
    /// What it may be, character by character.
    pub values: Vec<String>,
}

impl Variable {
    /// The claim of a caller's tenant, whatever its issuer calls it.
    const TENANT: &str = "tenant";

    /// The place of the caller's word in the list.
    fn of(&self, caller: &Caller) -> Option<usize> {
        let said = match self.claim.as_str() {
            Self::TENANT => caller.tenant(),
            claim => caller.claim(claim).and_then(Value::as_str),
        }?;
        self.values.iter().position(|value| value == said)
    }
}

/// One server behind, or one of several. Nobody is carried to a server that was not there beforehand: what is made of a
/// caller's word is a place in a list, and never an address.
#[derive(Clone, Debug)]
pub struct Choice {
    variables: Vec<Variable>,
    /// One for each combination; the last variable's values change fastest.
    upstreams: Vec<Upstream>,
}

impl From<Upstream> for Choice {
    fn from(upstream: Upstream) -> Self {
        Self { variables: Vec::new(), upstreams: vec![upstream] }
    }
}

impl Choice {
    /// One server for each combination of what the variables may be, in that order: the last variable's values change
    /// fastest. `None` where there are more combinations than servers, or fewer.
    #[must_use]
    pub fn new(variables: Vec<Variable>, upstreams: Vec<Upstream>) -> Option<Self> {
        let combinations: usize = variables.iter().map(|variable| variable.values.len()).product();
        (combinations == upstreams.len()).then_some(Self { variables, upstreams })
    }

    /// The same, known in the log by the server that they stand behind.
    pub(crate) fn behind(self, server: &Arc<str>) -> Self {
        let upstreams = self.upstreams.into_iter().map(|upstream| upstream.behind(server)).collect();
        Self { upstreams, ..self }
    }

    /// The caller's; none where a word of theirs is not in the list.
    pub(crate) fn of(&self, caller: &Caller) -> Option<&Upstream> {
        let mut place = 0;
        for variable in &self.variables {
            place = place * variable.values.len() + variable.of(caller)?;
        }
        self.upstreams.get(place)
    }

    /// Ends what they run.
    pub(crate) async fn close(&self) {
        for upstream in &self.upstreams {
            upstream.close().await;
        }
    }
}
