//! Which scopes an operation needs.

use std::collections::BTreeMap;

use hallpass_protocol::scope::ScopeSet;

use crate::json_rpc::Message;
use crate::refusal::Refusal;

/// The scopes of one protected resource.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// What a first login asks for: said in the 401 and in the metadata, so that clients which read
    /// either come to the same. Also what a tool needs that no rule names: a rule for one tool opens
    /// no other.
    pub login: ScopeSet,
    /// What every request needs.
    pub required: ScopeSet,
    /// What a tool needs beyond `required`, by its name; a `*` at the end stands for any ending. Where
    /// several match, all count.
    pub tools: BTreeMap<String, ScopeSet>,
}

impl Policy {
    /// Whether bodies must be read to judge a request.
    #[must_use]
    pub fn reads_bodies(&self) -> bool {
        !self.tools.is_empty()
    }

    /// What all messages of one body need, together (never-again 46).
    ///
    /// # Errors
    /// [`Refusal::NamelessTool`].
    pub fn needed(&self, messages: &[Message<'_>]) -> Result<ScopeSet, Refusal> {
        let mut needed = self.required.clone();
        for message in messages.iter().filter(|message| message.method.as_deref() == Some("tools/call")) {
            let nameless = || Refusal::NamelessTool { id: message.id.clone() };
            let tool = message.name.as_deref().ok_or_else(nameless)?;
            needed = needed.union(&self.needed_by(tool));
        }
        Ok(without_offline_access(&needed))
    }

    fn needed_by(&self, tool: &str) -> ScopeSet {
        let rules = || self.tools.iter().filter(|(pattern, _)| matches(pattern, tool));
        match rules().next() {
            Some(_) => rules().flat_map(|(_, scopes)| scopes.iter().cloned()).collect(),
            None => self.login.clone(),
        }
    }
}

/// RFC 6750 §3.1, `insufficient_scope`. To be asked for are the granted scopes, too: a client that
/// asks for nothing but what the challenge says would lose one tool with each that it gains (MCP
/// 2025-11-25, "Runtime Insufficient Scope Errors", the recommended approach).
pub(crate) fn check(needed: ScopeSet, granted: &ScopeSet) -> Result<(), Refusal> {
    if needed.is_subset(granted) {
        return Ok(());
    }
    let missing = needed.difference(granted);
    let ask = without_offline_access(&needed.union(granted));
    Err(Refusal::InsufficientScope { needed, missing, ask })
}

/// `offline_access` is between client and authorization server, and no scope of a resource (MCP
/// 2026-07-28, "Refresh Tokens"): no token can show that it was granted.
pub(crate) fn without_offline_access(scopes: &ScopeSet) -> ScopeSet {
    scopes.iter().filter(|scope| scope.as_str() != "offline_access").cloned().collect()
}

fn matches(pattern: &str, tool: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => tool.starts_with(start),
        None => tool == pattern,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json_rpc::peek;

    fn scopes(text: &str) -> ScopeSet {
        ScopeSet::parse(text).unwrap()
    }

    fn policy() -> Policy {
        let tools = [("write_*", "notes:write"), ("write_all", "notes:admin"), ("purge", "notes:admin")];
        Policy {
            login: scopes("notes:read"),
            required: scopes("mcp"),
            tools: tools.map(|(tool, needs)| (tool.to_owned(), scopes(needs))).into(),
        }
    }

    fn needs(body: &str) -> String {
        policy().needed(&peek(body.as_bytes()).unwrap()).unwrap().to_string()
    }

    #[test]
    fn a_tool_without_a_rule_needs_what_a_login_asks_for() {
        assert_eq!(needs(r#"{"method":"tools/call","params":{"name":"list"}}"#), "mcp notes:read");
        assert_eq!(needs(r#"{"method":"tools/list"}"#), "mcp");
    }

    #[test]
    fn a_star_stands_for_any_ending_and_all_matches_count() {
        for (tool, expected) in [
            ("write_", "mcp notes:write"),
            ("write_note", "mcp notes:write"),
            ("write_all", "mcp notes:write notes:admin"),
            ("purge", "mcp notes:admin"),
            ("purge2", "mcp notes:read"),
            ("Purge", "mcp notes:read"),
            ("rewrite_x", "mcp notes:read"),
        ] {
            let body = format!(r#"{{"method":"tools/call","params":{{"name":"{tool}"}}}}"#);
            assert_eq!(scopes(&needs(&body)), scopes(expected), "{tool}");
        }
    }

    /// Nobody could ever show it, so nobody could ever call the tool.
    #[test]
    fn offline_access_is_never_needed() {
        let offline = scopes("notes:read offline_access");
        let policy = Policy {
            login: offline.clone(),
            required: offline.clone(),
            tools: [("purge".to_owned(), offline)].into(),
        };
        for tool in ["purge", "list"] {
            let body = format!(r#"{{"method":"tools/call","params":{{"name":"{tool}"}}}}"#);
            let needed = policy.needed(&peek(body.as_bytes()).unwrap()).unwrap();
            assert_eq!(needed, scopes("notes:read"), "{tool}");
        }
    }

    /// The method counts, not what else has a name.
    #[test]
    fn a_prompt_of_the_same_name_is_no_tool() {
        assert_eq!(needs(r#"{"method":"prompts/get","params":{"name":"purge"}}"#), "mcp");
    }

    /// Row 46: judged by the second item.
    #[test]
    fn a_batch_needs_what_all_its_items_need() {
        let batch = r#"[{"method":"tools/list"},{"method":"tools/call","params":{"name":"purge"}},
            {"method":"tools/call","params":{"name":"write_a"}}]"#;
        assert_eq!(scopes(&needs(batch)), scopes("mcp notes:admin notes:write"));
    }

    #[test]
    fn a_call_without_a_tool_cannot_be_judged() {
        for params in ["{}", "[\"purge\"]", "null", r#"{"name":7}"#] {
            let body = format!(r#"{{"id":1,"method":"tools/call","params":{params}}}"#);
            let refusal = policy().needed(&peek(body.as_bytes()).unwrap()).unwrap_err();
            assert!(matches!(refusal, Refusal::NamelessTool { .. }), "{params}");
        }
    }
}
