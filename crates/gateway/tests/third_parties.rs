//! Tokens of third parties for whoever calls (the arrangement `delegated`), to a server behind that speaks HTTP.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

mod support;

use axum::body::Body;
use axum::{Json, Router};
use hallpass_gateway::Upstream;
use hallpass_gateway::upstream::told::Told;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde_json::{Map, Value, json};
use support::third_party::ThirdParty;
use support::{Protected, protect};

const CALL: &str = r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"x"}}"#;
const GITHUB: &str = "notes:read github";

/// Answers with the fields that arrived, and what the body was; begins a session with each request that is in none.
fn mirror() -> Upstream {
    let said = async |headers: HeaderMap, body: String| {
        let said = |name: &HeaderName| -> Vec<_> {
            headers.get_all(name).iter().map(|value| value.to_str().unwrap().to_owned()).collect()
        };
        let mut all: Map<_, _> = headers.keys().map(|name| (name.to_string(), said(name).into())).collect();
        all.insert("body".into(), body.into());
        let new = format!("session-{}", rand_id());
        let session = headers.get("mcp-session-id").cloned();
        let session = session.unwrap_or_else(|| HeaderValue::try_from(new).unwrap());
        ([("mcp-session-id", session)], Json(all))
    };
    Upstream::service(Router::new().fallback(said))
}

fn rand_id() -> usize {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    NEXT.fetch_add(1, Ordering::SeqCst)
}

async fn sent(
    gateway: &Protected,
    request: http::request::Builder,
    body: &str,
) -> (StatusCode, HeaderMap, Value) {
    let response = gateway.send(request.body(Body::from(body.to_owned())).unwrap()).await;
    let (status, headers) = (response.status(), response.headers().clone());
    let text = support::text(response).await;
    (status, headers, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

async fn arrives(gateway: &Protected, request: http::request::Builder) -> Value {
    let (status, _, arrived) = sent(gateway, request, CALL).await;
    assert_eq!(status, StatusCode::OK, "{arrived}");
    arrived
}

#[tokio::test]
async fn each_callers_own_token_is_what_arrives() {
    let github = ThirdParty::new("GitHub");
    let told = Told::nothing().with_third_party(github.in_field("authorization"));
    let gateway = protect(mirror().telling(told), false);
    for (user, count) in [("alice", 1), ("bob", 2), ("alice", 3)] {
        let own = gateway.token_for(user, "notes:read");
        let arrived = arrives(&gateway, gateway.request_as(&own, "POST")).await;
        assert_eq!(
            arrived["authorization"],
            json!([format!("Bearer {user}-{count}")]),
            "asked with each request"
        );
        assert!(!arrived.to_string().contains(&own), "never the caller's own");
    }
}

/// Nobody is waited for, and nothing is different: who has no right to a token, and what begins a session, as ever.
#[tokio::test]
async fn a_token_at_hand_is_asked_of_nobody() {
    let github = ThirdParty::new("GitHub");
    github.is_known();
    let token = github.in_field("authorization").for_scope("github".parse().unwrap());
    let gateway = protect(mirror().telling(Told::fields().with_third_party(token)), false);
    let ask = async |user: &str, scope: &str| {
        let request = gateway.request_as(&gateway.token_for(user, scope), "POST");
        arrives(&gateway, request.header("mcp-protocol-version", "2025-11-25")).await
    };
    for user in ["alice", "bob"] {
        let arrived = ask(user, GITHUB).await;
        assert_eq!(arrived["authorization"], json!([format!("Bearer {user}")]));
        assert_eq!(arrived["x-hallpass-subject"], json!([user]), "beside all else");
        assert_eq!(ask(user, "notes:read").await["authorization"], Value::Null);
    }
    assert_eq!(github.asked(), 0);
    github.gives("two\nlines");
    let request = gateway.request_as(&gateway.token(GITHUB), "GET");
    assert_eq!(sent(&gateway, request, "").await.0, StatusCode::SERVICE_UNAVAILABLE);
    github.gives("good");
    let able = initialize(&json!({"elicitation":{"url":{}}}));
    let begin = gateway.request_as(&gateway.token(GITHUB), "POST");
    let session = sent(&gateway, begin, &able).await.1["mcp-session-id"].clone();
    github.is_unlinked();
    let within = gateway.request_as(&gateway.token(GITHUB), "POST").header("mcp-session-id", session);
    let (status, _, said) = sent(&gateway, within, CALL).await;
    assert_eq!((status, &said["error"]["code"]), (StatusCode::OK, &json!(-32042)), "it was heard");
}

/// Row 34: with a token or without one, the field is hallpass's alone.
#[tokio::test]
async fn what_a_client_says_there_never_arrives() {
    let github = ThirdParty::new("GitHub");
    let token = github.in_field("x-github-token").for_scope("github".parse().unwrap());
    let gateway = protect(mirror().telling(Told::fields().with_third_party(token)), false);
    for (scope, told) in [(GITHUB, json!(["alice-1"])), ("notes:read", Value::Null)] {
        let request = gateway.request_as(&gateway.token(scope), "POST");
        let request = ["X-Github-Token", "X_Github_Token", "x.github.token"]
            .iter()
            .fold(request, |request, name| request.header(*name, "mine"));
        let arrived = arrives(&gateway, request.header("x-github-token-2", "other")).await;
        assert_eq!(arrived["x-github-token"], told, "{scope}");
        assert!(!arrived.to_string().contains("mine"), "{arrived}");
        assert_eq!(arrived["x-github-token-2"], json!(["other"]), "another field passes");
        assert_eq!(arrived["x-hallpass-subject"], json!(["alice"]), "beside all else");
    }
    assert_eq!(github.asked(), 1, "who has no right to it is not asked about");
}

/// Two words in one field would be one too many.
#[tokio::test]
async fn in_its_field_it_stands_in_place_of_all_else() {
    let github = ThirdParty::new("GitHub");
    for name in ["x-key", "x_key"] {
        let told = Told::nothing()
            .with_own("x-key".parse().unwrap(), HeaderValue::from_static("of-hallpass"))
            .with_third_party(github.in_field(name));
        let gateway = protect(mirror().telling(told), false);
        let arrived = arrives(&gateway, gateway.request("POST")).await;
        assert!(arrived[name][0].as_str().unwrap().starts_with("alice-"), "{arrived}");
        assert!(!arrived.to_string().contains("of-hallpass"), "{arrived}");
    }
}

#[tokio::test]
async fn without_a_third_party_nothing_goes_on() {
    let github = ThirdParty::new("GitHub");
    let gateway =
        protect(mirror().telling(Told::nothing().with_third_party(github.in_field("x-key"))), false);
    github.is_away();
    let (status, headers, said) = sent(&gateway, gateway.request("POST"), CALL).await;
    assert_eq!(
        (status, &said["error"]),
        (StatusCode::SERVICE_UNAVAILABLE, &json!("temporarily_unavailable"))
    );
    assert!(said["error_description"].as_str().unwrap().contains("your account at GitHub"), "{said}");
    assert_eq!(headers["retry-after"], "1");
    github.gives("two\nlines");
    let (log, _guard) = support::logged();
    assert_eq!(sent(&gateway, gateway.request("POST"), CALL).await.0, StatusCode::SERVICE_UNAVAILABLE);
    let log = log.lock().unwrap().clone();
    assert!(log.contains("GitHub") && !log.contains("two"), "{log}");
}

/// RFC 6750 §3.1: another login tells them, also where a scope stands for the account: nothing is to be linked.
#[tokio::test]
async fn who_was_not_told_of_the_third_party_logs_in_again() {
    let github = ThirdParty::new("GitHub");
    github.is_not_agreed();
    let scoped = github.in_field("x-key").for_scope("github".parse().unwrap());
    for token in [github.in_field("x-key"), scoped] {
        let gateway = protect(mirror().telling(Told::nothing().with_third_party(token)), false);
        let request = gateway.request_as(&gateway.token(GITHUB), "POST");
        let (status, headers, said) = sent(&gateway, request, CALL).await;
        assert_eq!((status, &said["error"]), (StatusCode::UNAUTHORIZED, &json!("invalid_token")));
        assert!(said["error_description"].as_str().unwrap().contains("at GitHub"), "{said}");
        let challenge = headers["www-authenticate"].to_str().unwrap();
        assert!(challenge.contains(r#"error="invalid_token""#), "{challenge}");
    }
}

/// RFC 6750 §3.1: a login links accounts, so another login mends it; where a scope stands for the account, that scope is asked for.
#[tokio::test]
async fn who_has_no_account_linked_logs_in_again() {
    let github = ThirdParty::new("GitHub");
    github.is_unlinked();
    let scoped = || github.in_field("x-key").for_scope("github".parse().unwrap());
    let gateway = protect(mirror().telling(Told::nothing().with_third_party(scoped())), false);
    for method in ["POST", "GET", "DELETE"] {
        let request = gateway.request_as(&gateway.token(GITHUB), method);
        let (status, headers, said) = sent(&gateway, request, CALL).await;
        assert_eq!((status, &said["error"]), (StatusCode::FORBIDDEN, &json!("insufficient_scope")));
        assert_eq!(said["missing_scope"], "github");
        let challenge = headers["www-authenticate"].to_str().unwrap();
        assert!(challenge.contains(r#"scope="notes:read github""#), "{challenge}");
    }
    assert_eq!(arrives(&gateway, gateway.request("POST")).await["x-key"], Value::Null, "without the scope");

    // Beside one that every login links, no scope is enough.
    let google = ThirdParty::new("Google");
    google.is_unlinked();
    let told = Told::nothing().with_third_party(scoped()).with_third_party(google.in_field("x-google"));
    let gateway = protect(mirror().telling(told), false);
    let request = gateway.request_as(&gateway.token(GITHUB), "POST");
    let (status, headers, said) = sent(&gateway, request, CALL).await;
    assert_eq!((status, &said["error"]), (StatusCode::UNAUTHORIZED, &json!("invalid_token")));
    assert!(said["error_description"].as_str().unwrap().contains("GitHub, Google"), "{said}");
    assert!(headers["www-authenticate"].to_str().unwrap().contains("resource_metadata"));
}

fn initialize(capabilities: &Value) -> String {
    let params = json!({"protocolVersion":"2025-11-25","capabilities":capabilities});
    json!({"jsonrpc":"2.0","id":0,"method":"initialize","params":params}).to_string()
}

/// A gateway before a server that works at two third parties, the second of them for everybody.
fn at_two() -> (Protected, [ThirdParty; 2]) {
    let (github, google) = (ThirdParty::new("GitHub"), ThirdParty::new("Google"));
    let told = Told::nothing()
        .with_third_party(github.in_field("x-github").for_scope("github".parse().unwrap()))
        .with_third_party(google.in_field("x-google"));
    (protect(mirror().telling(told), false), [github, google])
}

/// MCP 2025-11-25, client/elicitation, "URL Elicitation Required Error": to clients that have declared the mode, in the session
/// in which they have.
#[tokio::test]
async fn a_client_that_can_be_led_is_led_to_where_accounts_are_linked() {
    let (gateway, [github, google]) = at_two();
    let begin = async |user: &str, capabilities: Value| {
        let said = initialize(&capabilities);
        let request = gateway.request_as(&gateway.token_for(user, GITHUB), "POST");
        let (status, headers, arrived) = sent(&gateway, request, &said).await;
        assert_eq!(
            (status, arrived["body"].as_str()),
            (StatusCode::OK, Some(said.as_str())),
            "the same bytes"
        );
        headers["mcp-session-id"].clone()
    };
    let able = begin("alice", json!({"elicitation":{"url":{}}})).await;
    let of_bob = begin("bob", json!({"elicitation":{"url":{}}})).await;
    let mut unable = Vec::new();
    for capabilities in [json!({}), json!({"elicitation":{}}), json!({"elicitation":{"form":{},"url":null}})]
    {
        unable.push(begin("alice", capabilities).await);
    }
    let call = async |session: &HeaderValue, body: &str| {
        let request = gateway.request_as(&gateway.token(GITHUB), "POST");
        let request = request.header("mcp-session-id", session).header("mcp-protocol-version", "2025-11-25");
        sent(&gateway, request, body).await
    };
    assert_eq!(call(&able, CALL).await.0, StatusCode::OK);
    github.is_unlinked();
    google.is_unlinked();
    let (status, headers, said) = call(&able, CALL).await;
    assert_eq!((status, &headers["cache-control"]), (StatusCode::OK, &HeaderValue::from_static("no-store")));
    assert_eq!((&said["id"], &said["error"]["code"]), (&json!(7), &json!(-32042)));
    let all = said["error"]["data"]["elicitations"].as_array().unwrap();
    assert_eq!(all.len(), 2, "all that are needed");
    for (asked, party) in all.iter().zip(["GitHub", "Google"]) {
        assert_eq!((&asked["mode"], &asked["url"]), (&json!("url"), &json!(ThirdParty::link(party))));
        assert!(asked["message"].as_str().unwrap().contains(party));
    }
    assert_ne!(all[0]["elicitationId"], all[1]["elicitationId"]);
    // Nobody else is: who has not declared it, who is in somebody else's session, and what is no request.
    for session in &unable {
        assert_eq!(call(session, CALL).await.0, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(call(&of_bob, CALL).await.0, StatusCode::UNAUTHORIZED);
    let told = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
    for body in [told, "[]", "no JSON", ""] {
        assert_eq!(call(&able, body).await.0, StatusCode::UNAUTHORIZED, "{body}");
    }
}

/// MCP 2026-07-28: the error "MUST NOT" be sent; a question in the result, to those requests alone that may have one.
#[tokio::test]
async fn a_stateless_client_is_asked_by_a_result() {
    let (gateway, [github, google]) = at_two();
    github.is_unlinked();
    google.is_unlinked();
    let call = async |method: &str, capabilities: Value, more: Value| {
        let mut params = more;
        params["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": capabilities,
        });
        let body = json!({"jsonrpc":"2.0","id":"a","method":method,"params":params}).to_string();
        let request = gateway.request_as(&gateway.token(GITHUB), "POST");
        sent(&gateway, request.header("mcp-protocol-version", "2026-07-28"), &body).await
    };
    let able = json!({"elicitation":{"url":{}}});
    for method in ["tools/call", "prompts/get", "resources/read"] {
        let (status, _, said) = call(method, able.clone(), json!({})).await;
        assert_eq!((status, &said["id"]), (StatusCode::OK, &json!("a")), "{said}");
        let result = &said["result"];
        assert_eq!(result["resultType"], "input_required");
        let asked = &result["inputRequests"]["hallpass/link/GitHub"];
        assert_eq!(asked["method"], "elicitation/create");
        assert_eq!(
            (&asked["params"]["mode"], &asked["params"]["url"]),
            (&json!("url"), &json!(ThirdParty::link("GitHub")))
        );
        assert!(result["inputRequests"]["hallpass/link/Google"].is_object());
    }
    // Who has opened the page and not linked yet is asked again; who does not want to is not.
    let answered = |action: &str| json!({"inputResponses":{"hallpass/link/Google":{"action":action}}});
    assert_eq!(call("tools/call", able.clone(), answered("accept")).await.0, StatusCode::OK);
    for action in ["decline", "cancel"] {
        let (status, ..) = call("tools/call", able.clone(), answered(action)).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{action}");
    }
    for (method, capabilities) in [
        ("tools/list", able),
        ("tools/call", json!({"elicitation":{}})),
        ("tools/call", json!({"elicitation":{"form":{}}})),
        ("tools/call", json!("elicitation")),
        ("tools/call", json!({})),
    ] {
        let (status, _, said) = call(method, capabilities.clone(), json!({})).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{method} {capabilities} {said}");
    }
}

/// What is looked at on its way has a bound, and nobody's is looked at but what may begin a session.
#[tokio::test]
async fn only_the_beginning_of_a_session_is_read() {
    let (gateway, _) = at_two();
    let long = " ".repeat(hallpass_resource_server::settings::BODY_LIMIT) + CALL;
    let in_pieces = || {
        let pieces: Vec<_> =
            long.as_bytes().chunks(1 << 20).map(<[u8]>::to_vec).map(Ok::<_, std::io::Error>).collect();
        Body::from_stream(futures_util::stream::iter(pieces))
    };
    let response = gateway.send(gateway.request("POST").body(in_pieces()).unwrap()).await;
    assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let within = gateway.request("POST").header("mcp-protocol-version", "2025-11-25");
    let response = gateway.send(within.body(in_pieces()).unwrap()).await;
    // The upstream of this test has a limit of its own.
    assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert!(!support::text(response).await.contains("this server reads"));
}
