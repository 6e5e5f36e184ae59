//! The decision.

use std::time::Duration;

use hallpass_protocol::scope::ScopeSet;
use hallpass_protocol::time::Timestamp;
use http::Method;

use super::case::{Ask, Case};
use super::{Cedar, Compiled, Rule, Verdict, WithoutRule, without_offline_access};
use crate::caller::Granted;
use crate::json_rpc::{Id, Message};
use crate::refusal::Refusal;

impl Compiled {
    /// Whether a caller may do all that one body asks for (never-again 46), at `now`.
    ///
    /// # Errors
    /// In this order: [`Refusal::Nameless`], [`Refusal::Denied`], [`Refusal::OutOfReach`],
    /// [`Refusal::Unpermitted`], [`Refusal::InsufficientScope`], [`Refusal::LoginTooOld`]. Nobody is asked to log in for something
    /// that stays closed after it.
    pub(crate) fn judge(
        &self,
        messages: &[Message<'_>],
        granted: &Granted,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        if !self.lets_in_tenant(granted) {
            return Err(Refusal::OutOfReach { what: "this server".to_owned(), id: None });
        }
        let mut sum = Sum { needed: vec![&self.required], fresh: None, out_of_reach: None };
        for message in messages {
            self.add(message, granted, &mut sum)?;
        }
        if let Some((what, id)) = sum.out_of_reach {
            return Err(Refusal::OutOfReach { what, id });
        }
        let enough = sum.needed.iter().all(|needed| self.hierarchy.covers(&granted.scopes, needed));
        let ruled = match enough {
            true => fresh_enough(sum.fresh, &sum.needed, granted, now),
            false => Err(self.insufficient(&sum.needed, granted)),
        };
        if let Some(cedar) = &self.policy.cedar {
            let case = match ruled {
                Ok(()) => self.as_it_is(granted, now),
                Err(_) => self.after_login(granted, &union(&sum.needed), now),
            };
            self.ask_cedar(cedar, messages, &case)?;
        }
        ruled
    }

    /// Whether a caller may do what a request without any message asks for, by its method of HTTP alone, where [`Self::judge`] allows it:
    /// a GET opens a stream, a DELETE ends a session (MCP 2025-11-25, "Listening for Messages from the Server", "Session
    /// Management"). Cedar permits nothing that it was not asked about.
    ///
    /// # Errors
    /// [`Refusal::Unpermitted`].
    pub(crate) fn judge_http(
        &self,
        method: &Method,
        granted: &Granted,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let Some(cedar) = &self.policy.cedar else { return Ok(()) };
        let method = method.as_str();
        match cedar.permits(Ask::Method(method), true, &self.as_it_is(granted, now)) {
            true => Ok(()),
            false => Err(Refusal::Unpermitted { what: method.to_owned(), id: None }),
        }
    }

    pub(super) fn lets_in_tenant(&self, granted: &Granted) -> bool {
        let tenants = &self.policy.tenants;
        tenants.is_empty()
            || granted.tenant.as_ref().is_some_and(|tenant| tenants.iter().any(|one| one == tenant))
    }

    fn add<'p>(&'p self, message: &Message<'_>, granted: &Granted, sum: &mut Sum<'p>) -> Result<(), Refusal> {
        // A response asks for nothing.
        let Some(method) = message.method.as_deref() else { return Ok(()) };
        let id = || message.id.clone();
        let mut denied = false;
        self.methods.each(method, |rule| denied |= sum.take(rule, granted, || (method.to_owned(), id())));
        if denied {
            return Err(Refusal::Denied { what: method.to_owned(), id: id() });
        }
        self.each_target(message, |target| {
            for name in &target.names {
                let what = || format!("the {} {}", target.kind.word(), name.text);
                let (mut denied, mut ruled) = (false, false);
                target.rules.each(&name.text, |rule| {
                    ruled = true;
                    denied |= sum.take(rule, granted, || (what(), id()));
                });
                if !ruled && name.sure {
                    match self.policy.without_rule {
                        WithoutRule::Deny => denied = true,
                        WithoutRule::Login if target.rules.is_empty() => {}
                        WithoutRule::Login => sum.needed.push(&self.login),
                    }
                }
                if denied {
                    return Err(Refusal::Denied { what: what(), id: id() });
                }
            }
            Ok(())
        })
    }

    /// Cedar is asked last, and can only deny. Where the rules ask for a login, it is asked about the time after it.
    fn ask_cedar(&self, cedar: &Cedar, messages: &[Message<'_>], case: &Case<'_>) -> Result<(), Refusal> {
        messages.iter().try_for_each(|message| {
            self.each_ask(message, |ask, sure| match cedar.permits(ask, sure, case) {
                true => Ok(()),
                false => Err(Refusal::Unpermitted { what: ask.to_string(), id: message.id.clone() }),
            })
        })
    }

    /// RFC 6750 §3.1. To be asked for are the granted scopes, too: a client that asks for nothing but what
    /// the challenge says would lose one tool with each that it gains (MCP 2025-11-25, "Runtime Insufficient
    /// Scope Errors", the recommended approach).
    fn insufficient(&self, needed: &[&ScopeSet], granted: &Granted) -> Refusal {
        let needed = union(needed);
        let missing = self.hierarchy.missing(&granted.scopes, &needed);
        let ask = without_offline_access(&needed.union(&granted.scopes));
        Refusal::InsufficientScope { needed, missing, ask }
    }
}

/// What all operations of one body need, together.
struct Sum<'p> {
    needed: Vec<&'p ScopeSet>,
    fresh: Option<Duration>,
    out_of_reach: Option<(String, Option<Id>)>,
}

impl<'p> Sum<'p> {
    /// Adds a rule; says whether it denies.
    fn take(
        &mut self,
        rule: &'p Rule,
        granted: &Granted,
        what: impl FnOnce() -> (String, Option<Id>),
    ) -> bool {
        let Verdict::Ask(demand) = &rule.verdict else { return true };
        self.needed.push(&demand.scopes);
        self.fresh = match (self.fresh, demand.fresh) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        if self.out_of_reach.is_none() && !demand.is_within_reach(granted) {
            self.out_of_reach = Some(what());
        }
        false
    }
}

/// RFC 9470 §3. A token that says nothing of its login is taken for one that is too old.
fn fresh_enough(
    fresh: Option<Duration>,
    needed: &[&ScopeSet],
    granted: &Granted,
    now: Timestamp,
) -> Result<(), Refusal> {
    let Some(max_age) = fresh else { return Ok(()) };
    if granted.login.is_some_and(|login| now <= login.after(max_age)) {
        return Ok(());
    }
    let ask = without_offline_access(&union(needed).union(&granted.scopes));
    Err(Refusal::LoginTooOld { max_age, ask })
}

fn union(sets: &[&ScopeSet]) -> ScopeSet {
    sets.iter().flat_map(|set| set.iter().cloned()).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hallpass_protocol::scope::Scope;
    use serde_json::json;

    use super::*;
    use crate::json_rpc::peek;
    use crate::policy::{Condition, Demand, Policy, Test};

    const NOW: Timestamp = Timestamp::from_unix(1_800_000_000);

    fn scopes(text: &str) -> ScopeSet {
        ScopeSet::parse(text).unwrap()
    }

    fn policy() -> Policy {
        let rule = |(tool, needs): (&str, &str)| Rule::scopes(tool, scopes(needs));
        Policy {
            login: scopes("notes:read"),
            required: scopes("mcp"),
            tools: [("write_*", "notes:write"), ("write_all", "notes:admin"), ("purge", "notes:admin")]
                .map(rule)
                .into(),
            ..Policy::default()
        }
    }

    fn with(scope: &str) -> Granted {
        Granted { scopes: scopes(scope), ..Granted::default() }
    }

    fn judge(policy: &Policy, body: &str, granted: &Granted) -> Result<(), Refusal> {
        Compiled::new(policy.clone()).judge(&peek(body.as_bytes()).unwrap(), granted, NOW)
    }

    fn call(tool: &str) -> String {
        json!({"id": 1, "method": "tools/call", "params": {"name": tool}}).to_string()
    }

    fn needs_of(policy: &Policy, body: &str) -> String {
        match judge(policy, body, &Granted::default()) {
            Ok(()) => String::new(),
            Err(Refusal::InsufficientScope { needed, .. }) => needed.to_string(),
            Err(other) => panic!("{other}"),
        }
    }

    fn needs(body: &str) -> String {
        needs_of(&policy(), body)
    }

    #[test]
    fn a_tool_without_a_rule_needs_what_a_login_asks_for() {
        assert_eq!(needs(&call("list")), "mcp notes:read");
        assert_eq!(needs(r#"{"method":"tools/list"}"#), "mcp");
        let closed = Policy { without_rule: WithoutRule::Deny, ..policy() };
        let refusal = judge(&closed, &call("list"), &with("mcp notes:read")).unwrap_err();
        assert!(matches!(refusal, Refusal::Denied { .. }), "{refusal}");
    }

    /// Deny is deny, for a kind of which nothing is said as well.
    #[test]
    fn what_no_rule_names_is_denied_though_its_kind_has_no_rules() {
        let closed = Policy { without_rule: WithoutRule::Deny, ..Policy::default() };
        assert!(closed.reads_bodies());
        for body in [
            call("list"),
            json!({"method": "prompts/get", "params": {"name": "x"}}).to_string(),
            json!({"method": "resources/read", "params": {"uri": "note://1"}}).to_string(),
        ] {
            let refusal = judge(&closed, &body, &with("mcp")).unwrap_err();
            assert!(matches!(refusal, Refusal::Denied { .. }), "{body}: {refusal}");
            judge(&Policy::default(), &body, &with("")).unwrap();
        }
        let compiled = Compiled::new(closed);
        let list = peek(br#"{"id":1,"method":"prompts/list"}"#).unwrap();
        let asked = compiled.lists(&list);
        assert_eq!(asked.len(), 1);
        assert!(!compiled.item(asked[0].list, "x", &with("mcp"), NOW).within_reach);
    }

    #[test]
    fn all_matches_count() {
        for (tool, expected) in [
            ("write_", "mcp notes:write"),
            ("write_note", "mcp notes:write"),
            ("write_all", "mcp notes:write notes:admin"),
            ("purge", "mcp notes:admin"),
            ("purge2", "mcp notes:read"),
            ("Purge", "mcp notes:read"),
            ("rewrite_x", "mcp notes:read"),
        ] {
            assert_eq!(scopes(&needs(&call(tool))), scopes(expected), "{tool}");
        }
    }

    /// Nobody could ever show it, so nobody could ever call the tool.
    #[test]
    fn offline_access_is_never_needed() {
        let offline = scopes("notes:read offline_access");
        let policy = Policy {
            login: offline.clone(),
            required: offline.clone(),
            tools: vec![Rule::scopes("purge", offline)],
            ..Policy::default()
        };
        for tool in ["purge", "list"] {
            assert_eq!(needs_of(&policy, &call(tool)), "notes:read", "{tool}");
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
        let mut policy = policy();
        policy.tools.push(Rule::deny("debug"));
        let batch = format!("[{},{}]", call("purge"), call("debug"));
        let refusal = judge(&policy, &batch, &Granted::default()).unwrap_err();
        assert!(matches!(refusal, Refusal::Denied { .. }), "{refusal}");
    }

    #[test]
    fn a_call_without_a_name_cannot_be_judged() {
        let mut policy = policy();
        policy.prompts = policy.tools.clone();
        policy.resources = policy.tools.clone();
        for method in ["tools/call", "prompts/get", "resources/read", "resources/subscribe"] {
            for params in ["{}", "[\"purge\"]", "null", r#"{"name":7,"uri":7}"#] {
                let body = format!(r#"{{"id":1,"method":"{method}","params":{params}}}"#);
                let refusal = judge(&policy, &body, &Granted::default()).unwrap_err();
                assert!(matches!(refusal, Refusal::Nameless { .. }), "{method} {params}");
            }
        }
    }

    #[test]
    fn deny_wins_wherever_it_stands() {
        for deny in ["write_note", "write_*", "*"] {
            let mut policy = policy();
            policy.tools.insert(0, Rule::scopes("write_note", ScopeSet::new()));
            policy.tools.push(Rule::deny(deny));
            policy.tools.push(Rule::scopes("*note", ScopeSet::new()));
            let all = with("mcp notes:read notes:write notes:admin");
            let refusal = judge(&policy, &call("write_note"), &all).unwrap_err();
            assert!(matches!(refusal, Refusal::Denied { .. }), "{deny}: {refusal}");
        }
    }

    #[test]
    fn a_scope_brings_what_it_implies_and_on_from_there() {
        let implies = |one: &str, others: &str| (Scope::parse(one).unwrap(), scopes(others));
        let policy = Policy {
            implies: [
                implies("notes:admin", "notes:write"),
                implies("notes:write", "notes:read mcp"),
                // In a circle.
                implies("notes:read", "notes:write"),
            ]
            .into(),
            ..policy()
        };
        judge(&policy, &call("write_all"), &with("notes:admin")).unwrap();
        judge(&policy, &call("list"), &with("notes:write")).unwrap();
        let refusal = judge(&policy, &call("purge"), &with("notes:write")).unwrap_err();
        let Refusal::InsufficientScope { missing, ask, .. } = refusal else { panic!("{refusal}") };
        assert_eq!(missing, scopes("notes:admin"));
        assert!(scopes("notes:admin notes:write").is_subset(&ask));
        assert!(judge(&policy, "{}", &with("other")).is_err());
    }

    fn purge(demand: Demand) -> Policy {
        let verdict = Verdict::Ask(Demand { scopes: scopes("notes:admin"), ..demand });
        let mut policy = policy();
        policy.tools.push(Rule { pattern: "purge".into(), verdict, place: String::new() });
        policy
    }

    /// No login makes anyone a member, so none is asked for.
    #[test]
    fn a_claim_that_is_not_there_is_no_matter_of_scopes() {
        let when = vec![Condition { claim: "groups".into(), test: Test::Has("ops".into()) }];
        let policy = purge(Demand { when, ..Demand::default() });
        for scope in ["", "mcp notes:admin"] {
            let refusal = judge(&policy, &call("purge"), &with(scope)).unwrap_err();
            assert!(matches!(refusal, Refusal::OutOfReach { .. }), "{refusal}");
        }
        let mut member = with("mcp notes:admin");
        member.claims = json!({"groups": ["ops"]}).as_object().unwrap().clone();
        judge(&policy, &call("purge"), &member).unwrap();
    }

    #[test]
    fn a_tenant_that_may_not_call_at_all() {
        let policy = Policy { tenants: vec!["acme".into()], ..policy() };
        let of = |tenant: Option<&str>| Granted { tenant: tenant.map(str::to_owned), ..with("mcp") };
        judge(&policy, "{}", &of(Some("acme"))).unwrap();
        for tenant in [Some("umbrella"), None] {
            let refusal = judge(&policy, "{}", &of(tenant)).unwrap_err();
            assert!(matches!(refusal, Refusal::OutOfReach { .. }), "{refusal}");
        }
    }

    /// RFC 9470 §3.
    #[test]
    fn a_login_that_is_too_old_or_unknown() {
        let policy = purge(Demand { fresh: Some(Duration::from_secs(300)), ..Demand::default() });
        let since = |seconds: Option<u64>| Granted {
            login: seconds.map(|seconds| NOW.before(Duration::from_secs(seconds))),
            ..with("mcp notes:admin")
        };
        judge(&policy, &call("purge"), &since(Some(300))).unwrap();
        for seconds in [Some(301), None] {
            let refusal = judge(&policy, &call("purge"), &since(seconds)).unwrap_err();
            let Refusal::LoginTooOld { max_age, .. } = refusal else { panic!("{refusal}") };
            assert_eq!(max_age.as_secs(), 300);
        }
        // Other tools do not mind.
        judge(&policy, "{}", &since(None)).unwrap();
    }

    #[test]
    fn methods_prompts_and_resources_have_rules_of_their_own() {
        let policy = Policy {
            methods: vec![Rule::scopes("completion/*", scopes("complete")), Rule::deny("logging/setLevel")],
            prompts: vec![Rule::scopes("daily", scopes("daily"))],
            resources: vec![Rule::scopes("notes://*/private/*", scopes("private"))],
            ..policy()
        };
        assert_eq!(needs_of(&policy, r#"{"method":"completion/x"}"#), "mcp complete");
        let level = judge(&policy, r#"{"method":"logging/setLevel"}"#, &with("mcp")).unwrap_err();
        assert!(matches!(level, Refusal::Denied { .. }), "{level}");
        let get = |name: &str| format!(r#"{{"method":"prompts/get","params":{{"name":"{name}"}}}}"#);
        assert_eq!(needs_of(&policy, &get("daily")), "mcp daily");
        assert_eq!(needs_of(&policy, &get("other")), "mcp notes:read");
        let read = |uri: &str| format!(r#"{{"method":"resources/read","params":{{"uri":"{uri}"}}}}"#);
        assert_eq!(needs_of(&policy, &read("notes://alice/private/1")), "mcp private");
        assert_eq!(needs_of(&policy, &read("notes://alice/1")), "mcp notes:read");
    }

    proptest::proptest! {
        /// One more rule never allows what was refused before, where rules were for that kind already.
        #[test]
        fn more_rules_never_allow_more(
            patterns in proptest::collection::vec(("[ab]{0,2}\\*?", "[rw]"), 1..5),
            more in ("[ab]{0,2}\\*?", "[rw]"),
            tool in "[ab]{1,3}",
            granted in "r|w|r w|m|",
        ) {
            let rule = |(pattern, scope): &(String, String)| Rule::scopes(pattern.clone(), scopes(scope));
            let before = Policy { login: scopes("r w m"), tools: patterns.iter().map(rule).collect(), ..Policy::default() };
            let mut after = before.clone();
            after.tools.push(rule(&more));
            let named = patterns.iter().any(|(pattern, _)| match pattern.strip_suffix('*') {
                Some(start) => tool.starts_with(start),
                None => tool == *pattern,
            });
            let body = call(&tool);
            if named && judge(&before, &body, &with(&granted)).is_err() {
                proptest::prop_assert!(judge(&after, &body, &with(&granted)).is_err());
            }
        }
    }
}
