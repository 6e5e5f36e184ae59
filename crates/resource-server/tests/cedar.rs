//! Policies in Cedar beside the rules: with the feature `cedar`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // Tests fail by panicking.

mod support;

use std::convert::Infallible;

use axum::body::Body;
use bytes::Bytes;
use hallpass_resource_server::policy::cedar::{CedarError, CedarFile};
use hallpass_resource_server::policy::{Cedar, List, Operation, Rule};
use hallpass_resource_server::{ClaimNames, Granted, Policy, Refusal};
use http::{Request, StatusCode};
use serde_json::{Value, json};
use support::{NOW, Protected, RESOURCE, challenge, policy, protect_with, scopes, text};

/// Enough for a client to get to its tools.
const REQUESTS: &str = "permit (principal, action == Action::\"request\", resource);\n";

fn cedar(text: &str) -> Cedar {
    read(text).unwrap()
}

fn read(text: &str) -> Result<Cedar, CedarError> {
    let file = CedarFile { name: "notes.cedar".to_owned(), text: text.to_owned() };
    Cedar::new(&[file], "groups")
}

fn protect(rules: Policy, policies: &str) -> Protected {
    let cedar = cedar(policies);
    protect_with(|settings| {
        settings.policy = Policy { cedar: Some(cedar), ..rules };
        settings.issuers[0].claims.tenant = Some("tid".to_owned());
    })
}

fn call(tool: &str) -> String {
    json!({"id": 1, "method": "tools/call", "params": {"name": tool}}).to_string()
}

/// The status, and whether the client is sent to log in.
async fn outcome(server: &Protected, claims: &Value, body: impl Into<axum::body::Body>) -> (u16, bool) {
    let response = server.post(&server.issuer.sign(claims), body).await;
    (response.status().as_u16(), response.headers().contains_key("www-authenticate"))
}

fn claims(server: &Protected, scope: &str, more: Value) -> Value {
    let mut claims = server.issuer.claims(RESOURCE, scope, NOW);
    claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    claims
}

/// Deny wins, whoever says it; and nobody is sent to log in for what stays closed after it.
#[tokio::test]
async fn cedar_only_ever_denies_further() {
    let permits = "permit (principal, action, resource);";
    let forbids = "permit (principal, action, resource); forbid (principal, action == Action::\"tools/call\", resource);";
    let says_nothing = REQUESTS;
    let unless_written = "permit (principal, action, resource);
        forbid (principal, action, resource == Tool::\"write_note\") unless { context.scopes.contains(\"notes:write\") };";
    let mut rules = policy();
    rules.tools.push(Rule::deny("debug"));
    for (policies, tool, scope, expected) in [
        // The rules allow it.
        (permits, "list", "notes:read", (200, false)),
        (forbids, "list", "notes:read", (403, false)),
        (says_nothing, "list", "notes:read", (403, false)),
        // The rules ask for a scope.
        (permits, "write_note", "notes:read", (403, true)),
        (unless_written, "write_note", "notes:read", (403, true)),
        (unless_written, "write_note", "notes:read notes:write", (200, false)),
        (forbids, "write_note", "notes:read", (403, false)),
        (says_nothing, "write_note", "notes:read", (403, false)),
        // The rules deny it.
        (permits, "debug", "notes:read", (403, false)),
        (forbids, "debug", "notes:read", (403, false)),
    ] {
        let server = protect(rules.clone(), policies);
        let claims = claims(&server, scope, json!({}));
        assert_eq!(outcome(&server, &claims, call(tool)).await, expected, "{policies} {tool} {scope}");
    }
}

#[tokio::test]
async fn a_refusal_names_what_was_asked_for_and_no_policy() {
    let server = protect(Policy::default(), REQUESTS);
    let response = server.post(&server.token(""), call("purge")).await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    let body: Value = serde_json::from_str(&text(response).await).unwrap();
    assert_eq!((&body["id"], &body["error"]["code"]), (&json!(1), &json!(-32003)));
    let said = body["error"]["message"].as_str().unwrap();
    assert!(said.contains("the tool purge is not permitted") && !said.contains("notes.cedar"), "{said}");
}

#[tokio::test]
async fn a_policy_sees_who_calls() {
    for (condition, more, expected) in [
        ("principal in Group::\"ops\"", json!({"groups": ["dev", "ops"]}), 200),
        ("principal in Group::\"ops\"", json!({"groups": "dev ops"}), 200),
        ("principal in Group::\"ops\"", json!({"groups": ["dev"]}), 403),
        ("principal in Group::\"ops\"", json!({"groups": ["ops dev"]}), 403),
        ("principal in Group::\"ops\"", json!({}), 403),
        ("principal == Caller::\"https://login.example.com#alice\"", json!({}), 200),
        ("principal == Caller::\"alice\"", json!({}), 403),
        ("principal.subject == \"alice\"", json!({}), 200),
        ("principal.issuer == \"https://login.example.com\"", json!({}), 200),
        ("principal.client == \"test-client\"", json!({}), 200),
        ("principal has tenant && principal.tenant == \"acme\"", json!({"tid": "acme"}), 200),
        ("principal has tenant && principal.tenant == \"acme\"", json!({}), 403),
        (
            "principal.hasTag(\"level\") && principal.getTag(\"level\").contains(\"3\")",
            json!({"level": 3}),
            200,
        ),
        ("principal.hasTag(\"ok\") && principal.getTag(\"ok\").contains(\"true\")", json!({"ok": true}), 200),
        (
            "principal.hasTag(\"realm_access.roles\") && principal.getTag(\"realm_access.roles\").contains(\"keeper\")",
            json!({"realm_access": {"roles": ["keeper"]}}),
            200,
        ),
        // The claim of that very name comes first, as it does for `when`.
        (
            "principal.hasTag(\"a.b\") && principal.getTag(\"a.b\").contains(\"within\")",
            json!({"a": {"b": "within"}, "a.b": "literal"}),
            403,
        ),
        ("principal.hasTag(\"x\")", json!({"x": null, "y": {}}), 403),
        ("context.scopes.contains(\"notes:read\")", json!({}), 200),
        ("context.scopes.contains(\"notes:write\")", json!({}), 403),
        (
            "context has auth_time && context.now - context.auth_time < 300",
            json!({"auth_time": 1_799_999_900}),
            200,
        ),
        (
            "context has auth_time && context.now - context.auth_time < 300",
            json!({"auth_time": 1_799_999_000}),
            403,
        ),
        ("context has auth_time && context.now - context.auth_time < 300", json!({}), 403),
    ] {
        let server = protect(
            Policy::default(),
            &format!("{REQUESTS}permit (principal, action, resource) when {{ {condition} }};"),
        );
        let claims = claims(&server, "notes:read", more.clone());
        assert_eq!(outcome(&server, &claims, call("list")).await.0, expected, "{condition} {more}");
    }
}

/// A scope that implies another shows both.
#[tokio::test]
async fn scopes_are_there_with_what_they_imply() {
    let implies = [(scopes("notes:admin").iter().next().unwrap().clone(), scopes("notes:write"))];
    let rules = Policy { implies: implies.into(), ..Policy::default() };
    let server = protect(
        rules,
        "permit (principal, action, resource) when { context.scopes.contains(\"notes:write\") };",
    );
    for (scope, expected) in [("notes:admin", 200), ("notes:read", 403)] {
        let claims = claims(&server, scope, json!({}));
        assert_eq!(outcome(&server, &claims, call("list")).await.0, expected, "{scope}");
    }
}

#[tokio::test]
async fn a_policy_sees_what_is_asked_for() {
    let server = protect(
        Policy::default(),
        "permit (principal, action, resource is Tool) when { resource.name like \"list_*\" };
         permit (principal, action == Action::\"prompts/get\", resource == Prompt::\"daily\");
         permit (principal, action in Action::\"resources\", resource) when { resource.uri like \"notes://open/*\" };
         permit (principal, action == Action::\"resources/read\", resource) when { resource.uri like \"file:///home/*\" };
         permit (principal, action == Action::\"request\", resource) when { resource.name like \"tools/*\" };",
    );
    let named =
        |method: &str, params: Value| json!({"id": 1, "method": method, "params": params}).to_string();
    let batch = format!("[{},{}]", call("list_notes"), call("purge"));
    for (body, expected) in [
        (call("list_notes"), 200),
        (call("purge"), 403),
        (named("prompts/get", json!({"name": "daily"})), 200),
        (named("prompts/get", json!({"name": "list_notes"})), 403),
        (named("resources/read", json!({"uri": "notes://open/1"})), 200),
        (named("resources/subscribe", json!({"uri": "notes://open/1"})), 200),
        (named("resources/read", json!({"uri": "notes://closed/1"})), 403),
        (named("resources/read", json!({"uri": "file:///home/a"})), 200),
        (named("resources/subscribe", json!({"uri": "file:///home/a"})), 403),
        (named("resources/read", json!({"uri": "file:///home/../etc/passwd"})), 403),
        (named("tools/list", json!({})), 200),
        (named("completion/complete", json!({"ref": {"type": "ref/prompt", "name": "daily"}})), 403),
        // Judged by the second item.
        (batch, 403),
        // An answer asks for nothing.
        (json!({"id": 1, "result": {}}).to_string(), 200),
        // Nothing to ask Cedar about.
        (named("tools/call", json!({"arguments": {}})), 400),
    ] {
        let claims = claims(&server, "", json!({}));
        assert_eq!(outcome(&server, &claims, body.clone()).await.0, expected, "{body}");
    }
}

/// A stream and the end of a session have no message: Cedar is asked about them by their method.
#[tokio::test]
async fn a_stream_and_the_end_of_a_session_are_asked_about() {
    let but = |method: &str| {
        format!(
            "permit (principal, action, resource); forbid (principal, action, resource == Method::\"{method}\");"
        )
    };
    let calls = "permit (principal, action == Action::\"tools/call\", resource);".to_owned();
    for (policies, expected) in [
        (REQUESTS.to_owned(), [200, 200, 200]),
        (but("GET"), [403, 200, 200]),
        (but("DELETE"), [200, 403, 200]),
        (but("POST"), [200, 200, 403]),
        (calls, [403, 403, 403]),
    ] {
        let server = protect(Policy::default(), &policies);
        for (method, expected) in ["GET", "DELETE", "POST"].into_iter().zip(expected) {
            for body in
                [Body::empty(), Body::from_stream(futures_util::stream::empty::<Result<Bytes, Infallible>>())]
            {
                let bearer = format!("Bearer {}", server.token(""));
                let request = Request::builder().method(method).uri("/mcp").header("authorization", bearer);
                let response = server.send(request.body(body).unwrap()).await;
                assert_eq!(response.status().as_u16(), expected, "{method} by {policies}");
                assert!(!response.headers().contains_key("www-authenticate"), "nobody logs in for nothing");
            }
        }
    }
}

/// Row 37, for Cedar: a `forbid` holds for every spelling, and a `permit` for one is none for what it really is.
#[tokio::test]
async fn no_spelling_of_a_uri_is_a_way_around_a_forbid() {
    let server = protect(
        Policy::default(),
        "permit (principal, action, resource);
         forbid (principal, action, resource == Resource::\"file:///etc/shadow\");",
    );
    for uri in [
        "file:///etc/shadow",
        "FILE:///etc/./shadow",
        "file:///etc/%73hadow",
        "file:////etc//shadow",
        "file:///etc/shadow?x",
    ] {
        let body = json!({"id": 1, "method": "resources/read", "params": {"uri": uri}}).to_string();
        let claims = claims(&server, "", json!({}));
        assert_eq!(outcome(&server, &claims, body).await.0, 403, "{uri}");
    }
    let search = protect(
        Policy::default(),
        "permit (principal, action, resource) when { resource is Resource && resource.uri like \"search://notes?q=*\" };",
    );
    let body =
        json!({"id": 1, "method": "resources/read", "params": {"uri": "search://notes?q=x"}}).to_string();
    let claims = claims(&search, "", json!({}));
    assert_eq!(outcome(&search, &claims, body).await.0, 200, "a permit need not fit the path alone");
}

/// Cedar itself leaves out a policy that it cannot evaluate, a `forbid` as well.
/// What `unless` closes, another spelling does not open.
#[tokio::test]
async fn no_spelling_of_a_uri_is_a_way_around_an_unless() {
    let server = protect(
        Policy::default(),
        "permit (principal, action, resource) unless { resource is Resource && resource.uri like \"notes://h/private/*\" };",
    );
    let claims = claims(&server, "notes:read", json!({}));
    let read = |uri: &str| json!({"id": 1, "method": "resources/read", "params": {"uri": uri}}).to_string();
    for uri in [
        "notes://h/private/1",
        "notes://h//private/1",
        "notes://h/private//1",
        "notes://h/open//../private/1",
        "notes://h/%2Fprivate/1",
    ] {
        assert_eq!(outcome(&server, &claims, read(uri)).await.0, 403, "{uri}");
    }
    for uri in ["notes://h/open/1", "notes://h/open//1", "notes://h/open/1?x=1", "notes://h/open/"] {
        assert_eq!(outcome(&server, &claims, read(uri)).await.0, 200, "{uri}");
    }
}

#[tokio::test]
async fn where_a_policy_cannot_be_evaluated_nothing_is_permitted() {
    let server = protect(
        Policy::default(),
        "permit (principal, action, resource);
         forbid (principal, action, resource) when { context has auth_time && context.auth_time * 4 > context.now };",
    );
    for (login, expected) in [(1_i64, 200), (i64::MAX / 2, 403)] {
        let claims = claims(&server, "", json!({"auth_time": login}));
        assert_eq!(outcome(&server, &claims, call("list")).await.0, expected, "{login}");
    }
}

#[test]
fn a_mistake_names_file_line_and_policy() {
    for (text, place, what) in [
        (
            "permit (principal, action, resource);\n\npermit (principal, action resource);",
            "notes.cedar:3: ",
            "resource",
        ),
        (
            "permit (principal, action, resource);\n@id(\"ops\")\nforbid (principal, action, resource) when {\n  principal.grups };",
            "notes.cedar:4, in the policy at notes.cedar:2 (ops)",
            "grups",
        ),
        (
            "// permit (principal, action == Action::\"tools/cal\", resource);\npermit (principal, action == Action::\"tools/cal\", resource);",
            "notes.cedar:2",
            "tools/cal",
        ),
        ("permit (principal == User::\"alice\", action, resource);", "notes.cedar:1", "User"),
        (
            "permit (principal, action, resource) when { context.auth_time > 1 };",
            "notes.cedar:1",
            "auth_time",
        ),
        (
            "permit (principal, action, resource) when { principal.getTag(\"x\").contains(\"y\") };",
            "notes.cedar:1",
            "tag",
        ),
        ("\npermit (principal == ?principal, action, resource);", "notes.cedar:2: ", "template"),
        ("// nothing\n", "notes.cedar: ", "no policy in it"),
        ("forbid (principal, action, resource);", "notes.cedar: ", "no policy permits anything"),
        ("permit (principal, action, resource)", "notes.cedar:1: ", ""),
    ] {
        let problem = read(text).unwrap_err().to_string();
        assert!(problem.starts_with(place) && problem.contains(what), "{text}\n{problem}");
    }
}

#[test]
fn several_files_are_one_set() {
    let file = |name: &str, text: &str| CedarFile { name: name.to_owned(), text: text.to_owned() };
    let files = [
        file("a.cedar", "permit (principal, action, resource);"),
        file("b.cedar", "\nforbid (principal, action, resource is Tool);"),
    ];
    let cedar = Cedar::new(&files, "groups").unwrap();
    assert_eq!(cedar.count(), 2);
    let policy = Policy { cedar: Some(cedar), ..Policy::default() };
    let explained = policy.explain(Operation::Tool("x"), &Granted::default(), NOW);
    let reasons: Vec<_> =
        explained.reasons.iter().map(|reason| (reason.place.as_str(), reason.holds)).collect();
    assert_eq!(reasons, [("b.cedar:2", false)]);
    let broken =
        [file("a.cedar", "permit (principal, action, resource);"), file("b.cedar", "\npermit (principal);")];
    assert!(Cedar::new(&broken, "groups").unwrap_err().to_string().starts_with("b.cedar:2"));
}

#[test]
fn an_explanation_names_the_policy_that_decided() {
    let text = "@id(\"everyone\")\npermit (principal, action, resource);\n\n@id(\"no purge\")\nforbid (principal, action, resource == Tool::\"purge\")\n  unless { principal in Group::\"ops\" };";
    let policy = Policy { cedar: Some(cedar(text)), ..policy() };
    let granted = |groups: Value| {
        let claims = json!({"scope": "notes:read", "groups": groups});
        ClaimNames::default().granted(claims.as_object().unwrap().clone())
    };
    for (tool, groups, expected, allowed) in [
        ("purge", json!(["ops"]), ("notes.cedar:1 (everyone)", "permits it (Cedar)", true), true),
        ("purge", json!([]), ("notes.cedar:4 (no purge)", "forbids it (Cedar)", false), false),
    ] {
        let explained = policy.explain(Operation::Tool(tool), &granted(groups), NOW);
        let reason = explained.reasons.last().unwrap();
        assert_eq!((reason.place.as_str(), reason.says.as_str(), reason.holds), expected);
        assert_eq!(explained.outcome.is_ok(), allowed);
        assert!(allowed || matches!(explained.outcome, Err(Refusal::Unpermitted { .. })));
    }
    let policy = Policy { cedar: Some(cedar(REQUESTS)), ..Policy::default() };
    let explained = policy.explain(Operation::Tool("purge"), &granted(json!([])), NOW);
    let says: Vec<_> = explained.reasons.iter().map(|reason| (reason.says.as_str(), reason.holds)).collect();
    assert_eq!(says, [("no policy permits it", false)]);
}

/// What a login could open stays on a list; what Cedar closes for good does not.
#[test]
fn a_list_hides_what_cedar_closes() {
    let policies = "permit (principal, action, resource);
        forbid (principal, action, resource == Tool::\"purge\");
        forbid (principal, action, resource == Tool::\"write_note\") unless { context.scopes.contains(\"notes:write\") };";
    let server = protect(policy(), policies);
    let verified = server.server.verify(&server.token("notes:read")).unwrap();
    for (tool, expected) in [("list", true), ("write_note", true), ("purge", false)] {
        assert_eq!(server.server.item(List::Tools, tool, verified.caller()).within_reach, expected, "{tool}");
    }
}

/// A challenge is the rules' own: the scopes that they need.
#[tokio::test]
async fn a_challenge_says_what_the_rules_need() {
    let server = protect(policy(), "permit (principal, action, resource);");
    let response = server.post(&server.token("notes:read"), call("write_note")).await;
    assert_eq!(challenge(&response).scope(), Some(scopes("notes:read notes:write")));
}
