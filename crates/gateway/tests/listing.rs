//! Lists that say what each thing on them needs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // Tests fail by panicking.

mod support;

use axum::body::Body;
use axum::response::Response;
use hallpass_gateway::{Listing, Upstream};
use hallpass_protocol::scope::ScopeSet;
use hallpass_resource_server::Policy;
use hallpass_resource_server::policy::{Condition, Demand, Rule, Test, Verdict};
use hallpass_testkit::upstream::{self, plain};
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG};
use http::{HeaderValue, StatusCode};
use serde_json::{Value, json};
use support::{Protected, protect_with, text};

const LIST: &str = r#"{"jsonrpc":"2.0","id":7,"method":"tools/list"}"#;

fn scopes(text: &str) -> ScopeSet {
    ScopeSet::parse(text).unwrap()
}

fn policy() -> Policy {
    let ops = vec![Condition { claim: "groups".into(), test: Test::Has("ops".into()) }];
    let purge = Demand { scopes: scopes("notes:admin"), when: ops, ..Demand::default() };
    let rules = || {
        vec![
            Rule::scopes("*write_*", scopes("notes:write")),
            Rule { pattern: "purge".into(), verdict: Verdict::Ask(purge.clone()), place: String::new() },
            Rule::deny("debug"),
        ]
    };
    Policy {
        login: scopes("notes:read"),
        required: scopes("notes:read"),
        tools: rules(),
        prompts: rules(),
        resources: rules(),
        ..Policy::default()
    }
}

async fn before_an_upstream(listing: Listing) -> (Protected, upstream::Upstream) {
    let upstream = upstream::Upstream::start().await;
    let http = Upstream::http(&upstream.url("/inner")).unwrap();
    (protect_with(http, policy(), listing), upstream)
}

/// A list as upstream answers it: with a number that no float holds, and schemes of its own.
fn list(member: &str, key: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":7,"result":{{"{member}":[{{"{key}":"list","n":12345678901234567890123}},{{"securitySchemes":[{{"type":"noauth"}}],"{key}":"write_note"}},{{"{key}":"purge"}},{{"{key}":"debug"}}],"nextCursor":"x"}}}}"#
    )
}

fn names(answer: &str, member: &str, key: &str) -> Vec<(String, Value)> {
    let answer: Value = serde_json::from_str(answer).unwrap();
    let items = answer["result"][member].as_array().unwrap();
    items
        .iter()
        .map(|item| (item[key].as_str().unwrap().to_owned(), item["securitySchemes"].clone()))
        .collect()
}

fn needs(scopes: &[&str]) -> Value {
    json!([{ "type": "oauth2", "scopes": scopes }])
}

#[tokio::test]
async fn each_tool_says_which_scopes_it_needs() {
    let (gateway, upstream) = before_an_upstream(Listing::Annotate).await;
    let mut answer = plain(StatusCode::OK, list("tools", "name"));
    answer.headers_mut().insert(ETAG, HeaderValue::from_static("\"1\""));
    upstream.answer(answer);
    let response = gateway.post(LIST).await;
    assert!(!response.headers().contains_key(ETAG));
    let length = response.headers().get(CONTENT_LENGTH).cloned();
    let answer = text(response).await;
    assert!(length.is_none_or(|length| length.to_str().unwrap() == answer.len().to_string()));
    assert_eq!(
        names(&answer, "tools", "name"),
        [
            ("list".to_owned(), needs(&["notes:read"])),
            ("write_note".to_owned(), needs(&["notes:read", "notes:write"])),
            ("purge".to_owned(), needs(&["notes:read", "notes:admin"])),
            // No scopes open what is denied.
            ("debug".to_owned(), Value::Null),
        ]
    );
    // What is not about scopes stays, byte by byte.
    assert!(
        answer.contains("\"n\":12345678901234567890123") && answer.contains("\"nextCursor\":\"x\""),
        "{answer}"
    );
    // Nothing that could not be read was asked for.
    assert!(!upstream.received().remove(0).headers.contains_key("accept-encoding"));
}

#[tokio::test]
async fn what_no_login_opens_is_hidden() {
    let (gateway, upstream) = before_an_upstream(Listing::Hide).await;
    for (method, member, key) in [
        ("tools/list", "tools", "name"),
        ("prompts/list", "prompts", "name"),
        ("resources/list", "resources", "uri"),
        ("resources/templates/list", "resourceTemplates", "uriTemplate"),
    ] {
        let ask = format!(r#"{{"jsonrpc":"2.0","id":7,"method":"{method}"}}"#);
        let mut member_of_ops = gateway.issuer.claims(support::RESOURCE, "notes:read", support::NOW);
        member_of_ops["groups"] = json!(["ops"]);
        for (token, expected) in [
            (gateway.token("notes:read"), &["list", "write_note"][..]),
            (gateway.issuer.sign(&member_of_ops), &["list", "write_note", "purge"]),
        ] {
            upstream.answer(plain(StatusCode::OK, list(member, key)));
            let request = gateway.request_as(&token, "POST").body(ask.clone().into()).unwrap();
            let answer = text(gateway.send(request).await).await;
            let seen: Vec<_> = names(&answer, member, key).into_iter().map(|(name, _)| name).collect();
            assert_eq!(seen, expected, "{method}");
        }
    }
}

fn events(body: impl Into<Body>) -> Response {
    let mut answer = Response::new(body.into());
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    answer
}

/// Only the event that answers is another; comments, other messages and what comes after keep their bytes.
#[tokio::test]
async fn as_events_too() {
    let (gateway, upstream) = before_an_upstream(Listing::Hide).await;
    let before = ": hello\n\nid: 1\ndata: {\"method\":\"notifications/progress\", \"params\":{\"tools\":[{\"name\":\"debug\"}]}}\n\n";
    let after = "data: {\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{\"tools\":[{\"name\":\"debug\"}]}}\n\n:\n";
    // The list itself, in two lines, cut at an unlucky place.
    let (head, tail) = list("tools", "name")
        .split_once("\"nextCursor\"")
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .unwrap();
    let list = format!("id: 2\r\nevent: message\r\ndata: {head}\r\ndata: \"nextCursor\"{tail}\r\n\r\n");
    let all = format!("{before}{list}{after}");
    let chunks: Vec<_> =
        all.as_bytes().chunks(17).map(|chunk| Ok::<_, std::io::Error>(chunk.to_vec())).collect();
    upstream.answer(events(Body::from_stream(futures_util::stream::iter(chunks))));
    let answer = text(gateway.post(LIST).await).await;
    let rest = answer.strip_prefix(before).unwrap().strip_suffix(after).unwrap();
    let data = rest.strip_prefix("id: 2\nevent: message\ndata: ").unwrap().strip_suffix("\n\n").unwrap();
    let seen: Vec<_> = names(data, "tools", "name").into_iter().map(|(name, _)| name).collect();
    assert_eq!(seen, ["list", "write_note"]);
}

/// An answer to something else is nobody's business, whatever it looks like.
#[tokio::test]
async fn what_is_not_a_list_keeps_its_bytes() {
    let (gateway, upstream) = before_an_upstream(Listing::Hide).await;
    let looks_like_one = format!(" {} ", list("tools", "name"));
    for (ask, answer) in [
        (
            r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"list"}}"#,
            looks_like_one.as_str(),
        ),
        (LIST, r#"{ "jsonrpc":"2.0","id":8,"result":{"tools":[{"name":"debug"}]}}"#),
        (LIST, r#"{ "jsonrpc":"2.0","id":7,"error":{"code":1,"message":"tools"}}"#),
        (LIST, "no json"),
    ] {
        upstream.answer(plain(StatusCode::OK, answer.to_owned()));
        assert_eq!(text(gateway.post(ask).await).await, answer, "{ask}");
    }
    let (gateway, upstream) = before_an_upstream(Listing::Leave).await;
    upstream.answer(plain(StatusCode::OK, list("tools", "name")));
    assert_eq!(text(gateway.post(LIST).await).await, list("tools", "name"));
}

/// What cannot be read is passed on where nothing is hidden, and refused where something is.
#[tokio::test]
async fn what_is_too_long_or_encoded() {
    let long = format!("{{\"x\":\"{}\"}}", "y".repeat(5 * 1024 * 1024));
    for (listing, status) in [(Listing::Annotate, StatusCode::OK), (Listing::Hide, StatusCode::BAD_GATEWAY)] {
        let (gateway, upstream) = before_an_upstream(listing).await;
        upstream.answer(plain(StatusCode::OK, long.clone()));
        let response = gateway.post(LIST).await;
        assert_eq!(response.status(), status, "{listing:?}");
        if status == StatusCode::OK {
            assert_eq!(text(response).await.len(), long.len());
        }
        let mut zipped = plain(StatusCode::OK, "zipped");
        zipped.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        upstream.answer(zipped);
        assert_eq!(gateway.post(LIST).await.status(), status, "{listing:?}");
    }
}

/// Whatever a client can read, however odd, is judged before it gets there.
#[tokio::test]
async fn an_answer_in_an_odd_spelling_is_judged_too() {
    let (gateway, upstream) = before_an_upstream(Listing::Hide).await;
    let list = list("tools", "name");
    let mark = |text: &str| [b"\xef\xbb\xbf", text.as_bytes()].concat();
    let [head, tail] = ["\"nextCursor\":\"", "x\"}}"].map(str::as_bytes);
    let no_utf8 =
        [list.as_bytes().strip_suffix(&[head, tail].concat()[..]).unwrap(), head, b"\xff", tail].concat();
    let other = plain(StatusCode::OK, Vec::new()).headers().clone();
    for (stream, body) in [
        (false, mark(&list)),
        (false, no_utf8.clone()),
        (true, mark(&format!("data: {list}\n\n"))),
        (true, [b"data: ", no_utf8.as_slice(), b"\n\n"].concat()),
        (true, format!("data: {list}\r\r").into_bytes()),
        (true, format!("data: {{\"id\":7}}\n\ndata: {list}\n\n").into_bytes()),
    ] {
        let mut answer = events(body.clone());
        if !stream {
            *answer.headers_mut() = other.clone();
        }
        upstream.answer(answer);
        let bytes = axum::body::to_bytes(gateway.post(LIST).await.into_body(), usize::MAX).await.unwrap();
        let seen = String::from_utf8_lossy(&bytes);
        assert!(seen.contains("write_note") && !seen.contains("debug"), "{}: {seen}", body.escape_ascii());
    }
}

#[tokio::test]
async fn a_batch_item_by_item() {
    let (gateway, upstream) = before_an_upstream(Listing::Hide).await;
    let batch =
        r#"[{"jsonrpc":"2.0","id":7,"method":"tools/list"},{"jsonrpc":"2.0","id":"a","method":"ping"}]"#;
    upstream.answer(plain(
        StatusCode::OK,
        format!("[{{\"id\":\"a\",\"result\":{{ }}}},{}]", list("tools", "name")),
    ));
    let answer = text(gateway.post(batch).await).await;
    assert!(answer.starts_with("[{\"id\":\"a\",\"result\":{ }},") && !answer.contains("debug"), "{answer}");
}
