//! What the configuration says of scopes, and what follows from it.

use hallpass_protocol::{Scope, ScopeSet};

use crate::config::Server;
use crate::demo;

/// The scopes of the protected server.
#[derive(Debug, PartialEq)]
pub(crate) struct ScopePlan {
    /// Every scope, with what it allows in words.
    pub(crate) described: Vec<(Scope, String)>,
    /// What a login asks for.
    pub(crate) default: ScopeSet,
    /// What every request needs.
    pub(crate) required: ScopeSet,
    /// What a tool needs beyond that, by name or pattern; one without a rule needs `default`.
    pub(crate) tools: Vec<(String, ScopeSet)>,
}

/// A word in the configuration that can't be a scope.
#[derive(Debug, thiserror::Error)]
#[error("`{word}` in {place} can't be a scope: {source}")]
pub(crate) struct ScopeFault {
    word: String,
    place: &'static str,
    source: hallpass_protocol::ScopeError,
}

impl ScopePlan {
    /// The scopes of the sample server.
    pub(crate) fn demo() -> Result<Self, ScopeFault> {
        let read = scope(demo::READ, "the demo")?;
        let write = scope(demo::WRITE, "the demo")?;
        Ok(Self {
            described: vec![
                (read.clone(), "Read your notes".to_owned()),
                (write.clone(), "Write notes for you".to_owned()),
            ],
            default: [read.clone(), write.clone()].into_iter().collect(),
            required: ScopeSet::default(),
            tools: vec![
                ("whoami".to_owned(), ScopeSet::default()),
                ("list_notes".to_owned(), [read].into_iter().collect()),
                ("write_note".to_owned(), [write].into_iter().collect()),
            ],
        })
    }

    /// What `server.scopes` and `server.tools` come to.
    ///
    /// A scope that a tool asks for is needed for that tool alone; every other default scope is
    /// needed for every request. So a token never needs more than what it is used for. A tool that
    /// nobody named needs all default scopes.
    pub(crate) fn of(server: &Server) -> Result<Self, ScopeFault> {
        let mut described = Vec::new();
        for (word, about) in &server.scopes.described {
            described.push((scope(word, "server.scopes")?, about.says.clone()));
        }
        let mut tools = Vec::new();
        for (tool, rule) in &server.tools {
            tools.push((tool.clone(), scope_set(&rule.scopes, "server.tools")?));
        }
        let mut default = scope_set(&server.scopes.default, "server.scopes.default")?;
        if default.is_empty() {
            default = described.iter().map(|(scope, _)| scope.clone()).collect();
        }
        if default.is_empty() && tools.is_empty() {
            let mcp = scope("mcp", "the default")?;
            described.push((mcp.clone(), "Use this server for you".to_owned()));
            default = [mcp].into_iter().collect();
        }
        let of_tools: ScopeSet = tools.iter().flat_map(|(_, set)| set.iter().cloned()).collect();
        // A scope that nobody described is shown by its name.
        for scope in default.union(&of_tools).iter() {
            if !described.iter().any(|(known, _)| known == scope) {
                described.push((scope.clone(), scope.as_str().to_owned()));
            }
        }
        let required = default.difference(&of_tools);
        Ok(Self { described, default, required, tools })
    }
}

fn scope_set(words: &[String], place: &'static str) -> Result<ScopeSet, ScopeFault> {
    words.iter().map(|word| scope(word, place)).collect()
}

fn scope(word: &str, place: &'static str) -> Result<Scope, ScopeFault> {
    Scope::parse(word).map_err(|source| ScopeFault { word: word.to_owned(), place, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(toml: &str) -> ScopePlan {
        ScopePlan::of(&toml::from_str(toml).unwrap()).unwrap()
    }

    #[test]
    fn without_scopes_there_is_one_and_every_request_needs_it() {
        let plan = plan("");
        assert_eq!(plan.default.to_string(), "mcp");
        assert_eq!(plan.required.to_string(), "mcp");
    }

    #[test]
    fn a_scope_of_a_tool_is_needed_for_the_tool_alone() {
        let plan = plan("scopes.default = [\"read\", \"write\"]\ntools.put = { scopes = [\"write\"] }");
        assert_eq!(plan.default.to_string(), "read write");
        assert_eq!(plan.required.to_string(), "read");
    }

    #[test]
    fn a_scope_that_nobody_described_is_shown_by_its_name() {
        let plan = plan("tools.put = { scopes = [\"write\"] }");
        assert_eq!(plan.described.len(), 1);
        assert_eq!(plan.described[0].1, "write");
    }

    #[test]
    fn a_word_that_is_no_scope_is_named_with_its_place() {
        let server = toml::from_str("scopes.default = [\"a b\"]").unwrap();
        let fault = ScopePlan::of(&server).unwrap_err().to_string();
        assert!(fault.contains("`a b`") && fault.contains("server.scopes.default"), "{fault}");
    }
}
