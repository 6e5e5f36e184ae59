//! What a message is about, and the rules that speak of it.

use super::case::Ask;
use super::compiled::Rules;
use super::spellings::{Name, spellings};
use super::{Compiled, WithoutRule};
use crate::json_rpc::{Id, Message};
use crate::refusal::Refusal;

/// What rules are written for, beside methods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Tool,
    Prompt,
    /// Of a resource, what is done with it.
    Resource(&'static str),
}

/// One thing that a message is about.
pub(super) struct Target<'p, 'm> {
    pub(super) kind: Kind,
    pub(super) rules: &'p Rules,
    /// Its name in each spelling that a server might take for it. Each is judged by itself.
    pub(super) names: Vec<Name<'m>>,
}

impl Kind {
    /// For people.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Tool => "tool",
            Self::Prompt => "prompt",
            Self::Resource(_) => "resource",
        }
    }

    pub(super) fn ask(self, name: &str) -> Ask<'_> {
        match self {
            Self::Tool => Ask::Tool(name),
            Self::Prompt => Ask::Prompt(name),
            Self::Resource(method) => Ask::Resource { method, uri: name },
        }
    }
}

impl Compiled {
    /// Calls `each` for everything that a message is about, of kinds that have rules or are closed without any.
    ///
    /// # Errors
    /// [`Refusal::Nameless`]: no rule can be found for it. What `each` says.
    pub(super) fn each_target<'p, 'm>(
        &'p self,
        message: &'m Message<'_>,
        mut each: impl FnMut(Target<'p, 'm>) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        let (name, uri) = (message.name.as_deref(), message.uri.as_deref());
        let id = || message.id.clone();
        let mut one = |kind, member, name| {
            self.target(kind, member, name, id()).and_then(|one| one.map_or(Ok(()), &mut each))
        };
        match message.method.as_deref() {
            Some("tools/call") => one(Kind::Tool, "params.name", name),
            Some("prompts/get") => one(Kind::Prompt, "params.name", name),
            Some("resources/read") => one(Kind::Resource("resources/read"), "params.uri", uri),
            Some("resources/subscribe") => one(Kind::Resource("resources/subscribe"), "params.uri", uri),
            Some("resources/unsubscribe") => one(Kind::Resource("resources/unsubscribe"), "params.uri", uri),
            // MCP 2026-07-28, "Subscriptions": the same as `resources/subscribe`, for several at once.
            Some("subscriptions/listen") => message.subscriptions.iter().try_for_each(|uri| {
                let member = "params.notifications.resourceSubscriptions";
                one(Kind::Resource("resources/subscribe"), member, uri.as_deref())
            }),
            // MCP 2025-03-26 and later, "Completion": values for a prompt or a resource tell of it.
            Some("completion/complete") => {
                let (name, uri) = (message.ref_name.as_deref(), message.ref_uri.as_deref());
                if name.is_some() || uri.is_none() {
                    one(Kind::Prompt, "params.ref.name", name)?;
                }
                match uri.is_some() || name.is_none() {
                    true => one(Kind::Resource("resources/read"), "params.ref.uri", uri),
                    false => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }

    fn target<'p, 'm>(
        &'p self,
        kind: Kind,
        member: &'static str,
        name: Option<&'m str>,
        id: Option<Id>,
    ) -> Result<Option<Target<'p, 'm>>, Refusal> {
        let rules = match kind {
            Kind::Tool => &self.tools,
            Kind::Prompt => &self.prompts,
            Kind::Resource(_) => &self.resources,
        };
        if rules.is_empty() && self.policy.without_rule == WithoutRule::Login && self.policy.cedar.is_none() {
            return Ok(None);
        }
        let name = name.ok_or(Refusal::Nameless { kind: kind.word(), member, id })?;
        let names = match kind {
            Kind::Resource(_) => spellings(name),
            Kind::Tool | Kind::Prompt => vec![Name::plain(name)],
        };
        Ok(Some(Target { kind, rules, names }))
    }
}

#[cfg(test)]
mod tests {
    use hallpass_protocol::scope::ScopeSet;
    use hallpass_protocol::time::Timestamp;
    use serde_json::json;

    use super::*;
    use crate::caller::Granted;
    use crate::json_rpc::peek;
    use crate::policy::{Policy, Rule};

    fn judge(policy: &Policy, body: &str) -> Result<(), Refusal> {
        let messages = peek(body.as_bytes()).unwrap();
        Compiled::new(policy.clone()).judge(&messages, &Granted::default(), Timestamp::from_unix(0))
    }

    fn read(uri: &str) -> String {
        json!({"id": 1, "method": "resources/read", "params": {"uri": uri}}).to_string()
    }

    fn denies(pattern: &str) -> Policy {
        Policy { resources: vec![Rule::deny(pattern)], ..Policy::default() }
    }

    fn is_denied(policy: &Policy, body: &str) -> bool {
        matches!(judge(policy, body), Err(Refusal::Denied { .. }))
    }

    /// Row 37, for URIs of resources: another spelling is no way around a rule.
    #[test]
    fn no_spelling_of_a_uri_is_a_way_around() {
        let policy = denies("file:///etc/*");
        for uri in [
            "file:///etc/passwd",
            "FILE:///etc/passwd",
            "file:///tmp/../etc/passwd",
            "file:///%65tc/passwd",
            "file:///tmp/%2e%2e/etc/passwd",
            "file:///tmp/..%2Fetc/passwd",
            "file:///tmp/%2e%2e%2fetc%2fpasswd",
            "file://localhost/etc/passwd",
            "file:////etc/passwd",
            "file:///%2Fetc/passwd",
            "file:///.//etc//passwd",
            "file:\\\\\\etc\\passwd",
            "file:///home/user/notes////../../../etc/passwd",
            "file:///pub/a//../../etc/passwd",
            "file:///pub/..%2F..%2Ftmp/../etc/passwd",
            "file:///pub/%2F%2F%2e%2e/../etc/passwd",
        ] {
            assert!(is_denied(&policy, &read(uri)), "{uri}");
        }
        judge(&policy, &read("file:///home/a+b?x=1&y=%20")).unwrap();
    }

    /// The twin: nor is it a way out of what is allowed.
    #[test]
    fn no_spelling_of_a_uri_leads_out_of_what_is_allowed() {
        let notes = Rule::scopes("file:///home/user/notes/*", ScopeSet::new());
        let policy = Policy { resources: vec![notes], without_rule: WithoutRule::Deny, ..Policy::default() };
        for uri in [
            "file:///home/user/notes/../../../etc/shadow",
            "file:///home/user/notes////../../../etc/shadow",
            "file:///home/user/notes/a//../../../../../etc/shadow",
            "file:///home/user/notes/x%2F%2F..%2F../../../../etc/shadow",
            "file:///home/user/notes/..%2F..%2Fx%2Fy/../etc/shadow",
        ] {
            assert!(is_denied(&policy, &read(uri)), "{uri}");
        }
        for uri in
            ["file:///home/user/notes/a", "file:///home/user/notes/a//b", "file:///home/user/notes/a%20b/?x"]
        {
            judge(&policy, &read(uri)).unwrap();
        }
    }

    /// Many servers look at the path alone.
    #[test]
    fn what_stands_behind_a_path_is_no_way_around_a_rule_for_it() {
        let policy = denies("file:///etc/shadow");
        for end in ["", "?", "?x=1", "#x", "?x#y", "/", "//", "/.", "/x/..", "%3Fx", "%23x"] {
            let uri = format!("file:///etc/shadow{end}");
            assert!(is_denied(&policy, &read(&uri)), "{uri}");
        }
        judge(&policy, &read("file:///etc/shadows")).unwrap();
        judge(&policy, &read("file:///etc/shadow/x")).unwrap();
    }

    /// A rule is for what it names: that the same path without its query has none closes nothing.
    #[test]
    fn a_spelling_of_some_servers_alone_needs_no_rule() {
        let search = Rule::scopes("search://notes?q=*", ScopeSet::new());
        let policy = Policy { resources: vec![search], without_rule: WithoutRule::Deny, ..Policy::default() };
        judge(&policy, &read("search://notes?q=x")).unwrap();
        assert!(is_denied(&policy, &read("search://notes")));
    }

    /// MCP 2026-07-28 subscribes to several resources in one request.
    #[test]
    fn a_subscription_by_listening_is_judged_by_each_resource() {
        let policy = denies("notes://private/*");
        let listen = |uris: serde_json::Value| {
            json!({"id": 1, "method": "subscriptions/listen",
                   "params": {"notifications": {"resourceSubscriptions": uris}}})
            .to_string()
        };
        assert!(is_denied(&policy, &listen(json!(["notes://open/1", "notes://private/1"]))));
        judge(&policy, &listen(json!(["notes://open/1"]))).unwrap();
        judge(&policy, &listen(json!([]))).unwrap();
        judge(&policy, r#"{"id":1,"method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true}}}"#)
            .unwrap();
        for uris in [
            json!("notes://private/1"),
            json!([7]),
            json!({"0": "notes://private/1"}),
            json!([["notes://private/1"]]),
        ] {
            let refusal = judge(&policy, &listen(uris.clone())).unwrap_err();
            assert!(matches!(refusal, Refusal::Nameless { .. }), "{uris}: {refusal}");
        }
    }

    /// What a prompt's or a resource's arguments can be tells of it.
    #[test]
    fn completion_is_judged_by_what_it_completes() {
        let policy = Policy { prompts: vec![Rule::deny("payroll")], ..denies("notes://private/*") };
        let complete = |reference: serde_json::Value| {
            json!({"id": 1, "method": "completion/complete", "params": {"ref": reference}}).to_string()
        };
        for reference in [
            json!({"type": "ref/prompt", "name": "payroll"}),
            json!({"type": "ref/resource", "uri": "notes://private/{id}"}),
            json!({"type": "ref/prompt", "name": "open", "uri": "notes://private/{id}"}),
            json!({"type": "ref/resource", "uri": "notes://open/{id}", "name": "payroll"}),
        ] {
            assert!(is_denied(&policy, &complete(reference.clone())), "{reference}");
        }
        judge(&policy, &complete(json!({"type": "ref/prompt", "name": "open"}))).unwrap();
        judge(&policy, &complete(json!({"type": "ref/resource", "uri": "notes://open/{id}"}))).unwrap();
        for reference in
            [json!({}), json!("payroll"), json!({"type": "ref/prompt"}), json!({"name": ["payroll"]})]
        {
            let refusal = judge(&policy, &complete(reference.clone())).unwrap_err();
            assert!(matches!(refusal, Refusal::Nameless { .. }), "{reference}: {refusal}");
        }
        let resources_alone = denies("notes://private/*");
        let refusal = judge(&resources_alone, &complete(json!({"type": "ref/resource"}))).unwrap_err();
        assert!(matches!(refusal, Refusal::Nameless { .. }), "{refusal}");
    }
}
