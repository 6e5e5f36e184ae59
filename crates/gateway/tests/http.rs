//! A gateway before an HTTP upstream.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // Tests fail by panicking.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use hallpass_gateway::Upstream;
use hallpass_testkit::forgeries::{Forgery, Good, faults, forgeries};
use hallpass_testkit::upstream::{self, plain};
use http::{HeaderValue, Request, StatusCode};
use http_body_util::BodyExt;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tower::Service;

use support::{OTHER, Protected, protect, soon, text};

const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"list_notes"}}"#;

async fn before_an_upstream(tools: bool) -> (Protected, upstream::Upstream) {
    let upstream = upstream::Upstream::start().await;
    let http = Upstream::http(&upstream.url("/inner")).unwrap();
    (protect(http, tools), upstream)
}

#[tokio::test]
async fn a_permitted_request_arrives_as_it_was() {
    let (gateway, upstream) = before_an_upstream(false).await;
    let request = gateway.request("POST").uri("/mcp?x=%2F1").header("mcp-unknown", "kept");
    let response = gateway.send(request.body(CALL.into()).unwrap()).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(text(response).await, r#"{"jsonrpc":"2.0","id":1,"result":{}}"#);

    let received = upstream.received().remove(0);
    assert_eq!(received.body, CALL);
    assert_eq!(received.target, "/inner?x=%2F1");
    assert_eq!(received.headers["mcp-unknown"], "kept");
    let host = upstream.url("/");
    assert_eq!(received.headers["host"], format!("127.0.0.1:{}", host.port().unwrap()));
    assert_eq!(received.headers["x-hallpass-subject"], "alice");
    assert_eq!(received.headers["x-hallpass-client"], "test-client");
    assert_eq!(received.headers["x-hallpass-scope"], "notes:read");
}

/// What answers a request is moved several times before it stands in its place: each KiB of it costs every request. What is not done
/// for nearly all of them belongs in a box.
#[tokio::test]
async fn what_answers_a_request_is_small() {
    let (gateway, _upstream) = before_an_upstream(true).await;
    let request = gateway.request("POST").body(CALL.into()).unwrap();
    let answering = gateway.gateway.served_with(Router::new()).call(request);
    let size = std::mem::size_of_val(&*answering);
    assert!(size <= 2048, "{size} bytes");
}

/// Two issuers may know two people by one name.
#[tokio::test]
async fn people_of_two_issuers_are_never_the_same_upstream() {
    let (gateway, upstream) = before_an_upstream(false).await;
    let tokens = [gateway.token("notes:read"), gateway.token_of_the_other("alice")];
    let issuers = [gateway.issuer.issuer.as_str(), OTHER];
    for ((token, issuer), subject) in
        tokens.iter().zip(issuers).zip(["alice", "https://login.example.com#alice"])
    {
        let request = gateway.request_as(token, "POST").header("x_hallpass_issuer", "https://evil.example");
        gateway.send(request.body(CALL.into()).unwrap()).await;
        let headers = upstream.received().pop().unwrap().headers;
        assert_eq!(headers["x-hallpass-subject"], subject);
        assert_eq!(headers["x-hallpass-issuer"], issuer);
        assert!(!headers.contains_key("x_hallpass_issuer"));
    }
}

/// A parameter of the operator's cannot be said again by a client.
#[tokio::test]
async fn an_operators_query_is_the_only_one() {
    let upstream = upstream::Upstream::start().await;
    let gateway = protect(Upstream::http(&upstream.url("/inner?tenant=1")).unwrap(), false);
    for uri in ["/mcp?tenant=2", "/mcp?", "/mcp"] {
        gateway.send(gateway.request("POST").uri(uri).body(CALL.into()).unwrap()).await;
        assert_eq!(upstream.received().pop().unwrap().target, "/inner?tenant=1", "{uri}");
    }
}

#[test]
fn an_upstream_url_holds_no_credentials_and_no_error_repeats_it() {
    for url in
        ["http://user@host/", "http://user:secret@host/", "http://:secret@host/", "ftp://host/?key=secret"]
    {
        let error = Upstream::http(&url.parse().unwrap()).unwrap_err().to_string();
        assert!(!error.contains("secret") && !error.contains("user@"), "{error}");
    }
}

/// Row 34, and the caller's own credentials.
#[tokio::test]
async fn upstream_hears_nothing_that_a_client_says_about_itself() {
    let (gateway, upstream) = before_an_upstream(false).await;
    let request = gateway
        .request("POST")
        .header("X_Hallpass_Subject", "admin")
        .header("x-hallpass-subject", "admin")
        .header("X-Hallpass_Client", "admin")
        .header("x-hallpass-groups", "admin")
        .header("cookie", "session=1")
        .header("dpop", "proof")
        .header("connection", "close, X-Hallpass-Scope, x-secret-hop")
        .header("x-secret-hop", "admin");
    gateway.send(request.body(CALL.into()).unwrap()).await;
    let received = upstream.received().remove(0);
    let dump = format!("{:?}", received.headers);
    assert!(!dump.contains("admin") && !dump.contains("session"), "{dump}");
    assert!(!received.headers.contains_key("authorization"), "{dump}");
    assert!(!received.headers.contains_key("dpop"), "{dump}");
    assert_eq!(received.headers["x-hallpass-scope"], "notes:read");
}

/// Rows 35 and 38: nothing but a good token opens, whoever says to be asking.
#[tokio::test]
async fn without_a_good_token_nothing_arrives() {
    let (gateway, upstream) = before_an_upstream(true).await;
    for agent in ["GoogleHC/1.0", "kube-probe/1.30", "ELB-HealthChecker/2.0", "Googlebot"] {
        for credential in
            [None, Some("Bearer x"), Some("Bearer eyJhbGciOiJub25lIn0.e30."), Some("Basic YTpi")]
        {
            let mut request =
                Request::post("/mcp").header("host", "localhost:8080").header("user-agent", agent);
            for forwarding in
                ["x-forwarded-uri", "x-original-url", "x-rewrite-url", "x-forwarded-for", "forwarded"]
            {
                request = request.header(forwarding, "/.well-known/oauth-protected-resource");
            }
            if let Some(credential) = credential {
                request = request.header("authorization", credential);
            }
            let response = gateway.send(request.body(CALL.into()).unwrap()).await;
            assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{agent} {credential:?}");
        }
    }
    assert!(upstream.received().is_empty());
}

/// Rows 16 to 23: the table of forgeries, at the gateway.
#[tokio::test]
async fn no_forged_token_leads_upstream() {
    let (gateway, upstream) = before_an_upstream(true).await;
    let good = gateway.token("notes:read");
    let claims = gateway.issuer.claims(support::RESOURCE, "notes:read", support::NOW);
    let key = &gateway.issuer.key;
    let mut table =
        forgeries(&Good { token: &good, public: key.public_jwk(), key: Some(key), huge: 1 << 20 });
    let faults = faults(&claims, &["iss", "sub", "aud", "exp", "iat", "jti", "client_id"]).into_iter();
    table.extend(faults.map(|fault| Forgery {
        row: fault.row,
        what: fault.what,
        is: gateway.issuer.sign(&fault.is),
    }));
    for Forgery { row, what, is: token } in table {
        let request = gateway.request_as(&token, "POST").body(CALL.into()).unwrap();
        assert_eq!(gateway.send(request).await.status(), StatusCode::UNAUTHORIZED, "row {row}: {what}");
    }
    assert!(upstream.received().is_empty());
    let request = gateway.request_as(&good, "POST").body(CALL.into()).unwrap();
    assert_eq!(gateway.send(request).await.status(), StatusCode::OK);
}

/// Row 37: only the path of the resource, byte by byte, leads upstream.
#[tokio::test]
async fn only_the_exact_path_leads_upstream() {
    let (gateway, upstream) = before_an_upstream(false).await;
    for path in [
        "//mcp",
        "/mcp/",
        "/mcp//",
        "/./mcp",
        "/x/../mcp",
        "/mcp/.",
        "/mcp/..",
        "/mcp/../mcp",
        "/mcp;x",
        "/mcp/..;x",
        "/mcp/..;/mcp",
        "/;/mcp",
        "/%6dcp",
        "/mc%70",
        "/%2fmcp",
        "/mcp%2f",
        "/mcp%00",
        "/mcp%20",
        "/mcp%2e",
        "/mcp/%2e%2e/mcp",
        "/%2e/mcp",
        "/MCP",
        "/Mcp",
        "/mcp%3Fx",
        "/mcp%23",
        "\\mcp",
        "/\\mcp",
        "/mcp\\",
        "/mcpx",
        "/mc",
        "/",
        "/mcp/admin",
        "/admin",
        "/mcp.json",
    ] {
        let Ok(request) = gateway.request("POST").uri(path).body(Body::from(CALL)) else { continue };
        let response = gateway.send(request).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
    }
    assert!(upstream.received().is_empty());
}

fn with_session(id: &'static str) -> axum::response::Response {
    let mut answer = plain(StatusCode::OK, "{}");
    answer.headers_mut().insert("mcp-session-id", HeaderValue::from_static(id));
    answer
}

/// An upstream that knows of no logins would let anybody in who knows the id.
#[tokio::test]
async fn a_session_id_leads_only_whom_it_was_given_to() {
    let (gateway, upstream) = before_an_upstream(false).await;
    upstream.answer(with_session("s1"));
    gateway.post(CALL).await;
    let mut other_client = gateway.issuer.claims(support::RESOURCE, "notes:read", support::NOW);
    other_client["client_id"] = "other".into();
    for (token, ids, status) in [
        (gateway.token("notes:read"), &["s1"][..], StatusCode::OK),
        (gateway.token_for("mallory", "notes:read"), &["s1"], StatusCode::NOT_FOUND),
        (gateway.token_for("mallory", "notes:read"), &["s0", "s1"], StatusCode::NOT_FOUND),
        (gateway.issuer.sign(&other_client), &["s1"], StatusCode::NOT_FOUND),
        // After a restart of the gateway, upstream knows more than the gateway does.
        (gateway.token_for("bob", "notes:read"), &["from-before"], StatusCode::OK),
    ] {
        for method in ["POST", "GET", "DELETE"] {
            let before = upstream.received().len();
            let mut request = gateway.request_as(&token, method);
            for id in ids {
                request = request.header("mcp-session-id", *id);
            }
            let response = gateway.send(request.body(CALL.into()).unwrap()).await;
            assert_eq!(response.status(), status, "{method} {ids:?}");
            let arrived = upstream.received().len() - before;
            assert_eq!(arrived, usize::from(status == StatusCode::OK), "{method} {ids:?}");
        }
    }
}

/// Some servers have one session for all, and say its id to each.
#[tokio::test]
async fn an_id_that_upstream_gives_to_several_leads_them_all() {
    let (gateway, upstream) = before_an_upstream(false).await;
    for subject in ["alice", "bob"] {
        upstream.answer(with_session("the-one"));
        let token = gateway.token_for(subject, "notes:read");
        gateway.send(gateway.request_as(&token, "POST").body(CALL.into()).unwrap()).await;
    }
    for subject in ["alice", "bob"] {
        let token = gateway.token_for(subject, "notes:read");
        let request = gateway.request_as(&token, "POST").header("mcp-session-id", "the-one");
        assert_eq!(
            gateway.send(request.body(CALL.into()).unwrap()).await.status(),
            StatusCode::OK,
            "{subject}"
        );
    }
}

/// Whoever was logged out hears nothing more. What was asked for in time is answered.
#[tokio::test(start_paused = true)]
async fn a_stream_ends_with_its_login() {
    for (method, revoked, ends) in
        [("GET", true, true), ("POST", true, true), ("GET", false, true), ("POST", false, false)]
    {
        let upstream = Upstream::service(axum::Router::new().route(
            "/mcp",
            axum::routing::any(async || {
                let endless = stream::pending::<Result<Bytes, std::io::Error>>();
                ([("content-type", "text/event-stream")], Body::from_stream(endless))
            }),
        ));
        let gateway = protect(upstream, false);
        let mut body = gateway.send(gateway.request(method).body(Body::empty()).unwrap()).await.into_body();
        let hour = std::time::Duration::from_secs(3600);
        assert!(tokio::time::timeout(hour, body.frame()).await.is_err(), "{method}");
        if revoked {
            gateway.revoked.store(true, Ordering::SeqCst);
        } else {
            gateway.clock.advance(hour);
        }
        assert_eq!(tokio::time::timeout(hour, body.frame()).await.is_ok(), ends, "{method} {revoked}");
    }
}

/// Within a session of one's own, upstream's words make nobody else's session common.
#[tokio::test]
async fn an_id_that_is_said_within_another_session_stays_whose_it_was() {
    let (gateway, upstream) = before_an_upstream(false).await;
    upstream.answer(with_session("s1"));
    gateway.post(CALL).await;
    let mallory = gateway.token_for("mallory", "notes:read");
    upstream.answer(with_session("s1"));
    for (id, status) in [("from-before", StatusCode::OK), ("s1", StatusCode::NOT_FOUND)] {
        let request = gateway.request_as(&mallory, "POST").header("mcp-session-id", id);
        assert_eq!(gateway.send(request.body(CALL.into()).unwrap()).await.status(), status, "{id}");
    }
}

/// A server may repeat in an error what it was sent, or would have given.
#[tokio::test]
async fn an_id_in_an_error_is_given_to_nobody() {
    let (gateway, upstream) = before_an_upstream(false).await;
    let mut answer = with_session("s1");
    *answer.status_mut() = StatusCode::BAD_REQUEST;
    upstream.answer(answer);
    let mallory = gateway.token_for("mallory", "notes:read");
    gateway.send(gateway.request_as(&mallory, "POST").body(CALL.into()).unwrap()).await;
    let request = gateway.request("POST").header("mcp-session-id", "s1");
    assert_eq!(gateway.send(request.body(CALL.into()).unwrap()).await.status(), StatusCode::OK);
}

/// Events are known in any spelling; what is no stream of events is let through to its end.
#[tokio::test(start_paused = true)]
async fn only_events_end_with_their_login() {
    for (media, ends) in [("Text/Event-Stream; charset=utf-8", true), ("application/json", false)] {
        let upstream = Upstream::service(axum::Router::new().route(
            "/mcp",
            axum::routing::any(async move || {
                let endless = stream::pending::<Result<Bytes, std::io::Error>>();
                ([("content-type", media)], Body::from_stream(endless))
            }),
        ));
        let gateway = protect(upstream, false);
        let mut body = gateway.post(CALL).await.into_body();
        gateway.revoked.store(true, Ordering::SeqCst);
        let hour = std::time::Duration::from_secs(3600);
        assert_eq!(tokio::time::timeout(hour, body.frame()).await.is_ok(), ends, "{media}");
    }
}

/// The path and the query of the operator's URL, and of where it redirects, may hold a key.
#[tokio::test]
async fn the_log_names_upstreams_by_their_origin() {
    let (log, _guard) = support::logged();
    let gone = "http://127.0.0.1:1/secret-path?key=secret".parse().unwrap();
    protect(Upstream::http(&gone).unwrap(), false).post(CALL).await;
    let (gateway, upstream) = before_an_upstream(false).await;
    for location in ["https://elsewhere.example/secret?key=secret", "/secret"] {
        let mut answer = plain(StatusCode::FOUND, "");
        answer.headers_mut().insert("location", HeaderValue::from_static(location));
        upstream.answer(answer);
        gateway.post(CALL).await;
    }
    let log = log.lock().unwrap();
    for said in ["http://127.0.0.1:1", "https://elsewhere.example", "another path"] {
        assert!(log.contains(said), "{said}: {log}");
    }
    assert!(!log.contains("secret"), "{log}");
}

#[tokio::test]
async fn other_methods_stay_here() {
    let (gateway, upstream) = before_an_upstream(false).await;
    for method in ["PUT", "PATCH", "HEAD", "TRACE", "CONNECT", "PROPFIND"] {
        let response = gateway.send(gateway.request(method).body(Body::empty()).unwrap()).await;
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED, "{method}");
    }
    assert!(upstream.received().is_empty());
}

#[tokio::test]
async fn a_tool_needs_its_scope_and_the_judged_bytes_are_forwarded() {
    let (gateway, upstream) = before_an_upstream(true).await;
    let write = r#" { "id":1, "method":"tools/call","params":{"name":"write_note"} } "#;
    let response = gateway.post(write).await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert!(upstream.received().is_empty());
    let token = gateway.token("notes:read notes:write");
    gateway.send(gateway.request_as(&token, "POST").body(write.into()).unwrap()).await;
    assert_eq!(upstream.received().remove(0).body, write);
}

/// Before anybody is known, not one byte of a body is taken.
#[tokio::test]
async fn an_unauthenticated_body_is_not_read() {
    let (gateway, _upstream) = before_an_upstream(true).await;
    let body =
        Body::from_stream(stream::poll_fn(|_| -> std::task::Poll<Option<Result<Bytes, std::io::Error>>> {
            panic!("the body was read")
        }));
    let request = Request::post("/mcp").header("host", "localhost:8080").body(body).unwrap();
    assert_eq!(gateway.send(request).await.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn events_arrive_one_by_one() {
    let (gateway, upstream) = before_an_upstream(false).await;
    let events = upstream.answer_with_events();
    let mut body = gateway.post(CALL).await.into_body();
    for event in ["data: 1\n\n", "data: 2\n", "\ndata: 3\n\n"] {
        events.release(event);
        // The next one is released only after this one came.
        let frame = soon(body.frame()).await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), event);
    }
    drop(events);
    assert!(soon(body.frame()).await.is_none());
}

#[tokio::test]
async fn a_client_that_leaves_ends_the_upstream_request() {
    let (gateway, upstream) = before_an_upstream(false).await;
    let events = upstream.answer_with_events();
    let response = gateway.post(CALL).await;
    drop(response);
    soon(events.until_abandoned()).await;
}

#[tokio::test]
async fn an_unreachable_upstream_is_a_502_that_says_so() {
    let gateway = protect(Upstream::http(&"http://127.0.0.1:1/mcp".parse().unwrap()).unwrap(), false);
    let response = gateway.post(CALL).await;
    assert_eq!(response.status(), StatusCode::BAD_GATEWAY);
    let body = text(response).await;
    assert!(body.contains("cannot be reached") && !body.contains("127.0.0.1"), "{body}");
}

/// A client that saw them would log in for ever, or walk around the gateway.
#[tokio::test]
async fn upstreams_401_and_redirects_are_the_operators_trouble() {
    let (gateway, upstream) = before_an_upstream(false).await;
    for (status, field) in
        [(401, "www-authenticate"), (407, "proxy-authenticate"), (307, "location"), (302, "location")]
    {
        let mut answer = plain(StatusCode::from_u16(status).unwrap(), "{}");
        answer.headers_mut().insert(field, HeaderValue::from_static("Bearer"));
        upstream.answer(answer);
        let response = gateway.post(CALL).await;
        assert_eq!(response.status(), StatusCode::BAD_GATEWAY, "{status}");
        assert!(!response.headers().contains_key(field), "{status}");
    }
}

#[tokio::test]
async fn upstream_speaks_neither_for_hallpass_nor_for_the_connection() {
    let (gateway, upstream) = before_an_upstream(false).await;
    // Only a page has to know whether it may read the answer.
    for (page, told) in [(Some("http://localhost:8080"), Some("*")), (None, None)] {
        let mut answer = plain(StatusCode::FORBIDDEN, "{}");
        for (name, value) in [
            ("www-authenticate", "Bearer"),
            ("set-cookie", "a=b"),
            ("access-control-allow-origin", "https://evil.example"),
            ("access-control-allow-credentials", "true"),
            ("alt-svc", "h3=\":1\""),
            ("mcp-session-id", "s1"),
            ("x-other", "kept"),
        ] {
            answer.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        upstream.answer(answer);
        let mut request = gateway.request("POST");
        if let Some(page) = page {
            request = request.header("origin", page);
        }
        let response = gateway.send(request.body(CALL.into()).unwrap()).await;
        assert_eq!(response.status(), StatusCode::FORBIDDEN);
        let headers = response.headers();
        for gone in ["www-authenticate", "set-cookie", "access-control-allow-credentials", "alt-svc"] {
            assert!(!headers.contains_key(gone), "{gone}");
        }
        assert_eq!(
            headers.get("access-control-allow-origin").map(HeaderValue::as_bytes),
            told.map(str::as_bytes)
        );
        assert_eq!(headers["mcp-session-id"], "s1");
        assert_eq!(headers["x-other"], "kept");
    }
}

/// On a connection that was good before, the upstream reads the POST and hangs up. It may have acted
/// upon it, so nobody but the client sends it again.
#[tokio::test]
async fn a_post_is_never_sent_twice() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let posts = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&posts);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut seen = Vec::new();
            while stream.read_buf(&mut seen).await.is_ok_and(|read| read > 0) {
                if !seen.ends_with(CALL.as_bytes()) {
                    continue;
                }
                seen.clear();
                if counted.fetch_add(1, Ordering::SeqCst) > 0 {
                    break;
                }
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
            }
        }
    });
    let gateway = protect(Upstream::http(&url.parse().unwrap()).unwrap(), false);
    let response = gateway.post(CALL).await;
    assert_eq!(response.status(), StatusCode::OK);
    text(response).await;
    assert_eq!(gateway.post(CALL).await.status(), StatusCode::BAD_GATEWAY);
    assert_eq!(posts.load(Ordering::SeqCst), 2);
}

/// The way of a browser page on another port of the same machine (Inspector).
#[tokio::test]
async fn preflight_is_answered_without_a_token() {
    let (gateway, upstream) = before_an_upstream(false).await;
    let preflight = |origin: &str| {
        Request::options("/mcp")
            .header("host", "localhost:8080")
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header(
                "access-control-request-headers",
                "authorization,content-type,mcp-protocol-version,mcp-param-region",
            )
            .body(Body::empty())
            .unwrap()
    };
    let response = gateway.send(preflight("http://localhost:6274")).await;
    assert_eq!(response.status(), StatusCode::OK);
    let allowed = response.headers()["access-control-allow-headers"].to_str().unwrap();
    assert!(allowed.contains("mcp-param-region"), "{allowed}");
    assert_eq!(gateway.send(preflight("https://evil.example")).await.status(), StatusCode::FORBIDDEN);
    assert!(upstream.received().is_empty());
}

/// Row 42.
#[tokio::test]
async fn strangers_stay_outside() {
    let (gateway, upstream) = before_an_upstream(false).await;
    for (name, value) in [
        ("host", "evil.example:8080"),
        ("host", "localhost:1"),
        ("origin", "https://evil.example"),
        ("origin", "null"),
    ] {
        let mut request = gateway.request("POST").body(Body::from(CALL)).unwrap();
        request.headers_mut().insert(name, HeaderValue::from_static(value));
        let response = gateway.send(request).await;
        assert_eq!(response.status(), StatusCode::FORBIDDEN, "{name}: {value}");
        assert!(text(response).await.contains("jsonrpc"));
    }
    assert!(upstream.received().is_empty());
}

/// A service in the same process is an upstream like any other.
#[tokio::test]
async fn a_service_in_the_same_process() {
    let inner = axum::Router::new().route(
        "/mcp",
        axum::routing::post(
            async |caller: hallpass_resource_server::Caller, headers: http::HeaderMap, body: String| {
                assert!(!headers.contains_key("authorization"));
                format!("{} {} {body}", caller.subject(), headers["host"].to_str().unwrap())
            },
        ),
    );
    let gateway = protect(Upstream::service(inner), false);
    assert_eq!(text(gateway.post("hello").await).await, "alice localhost hello");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// However the bytes are cut, the same bytes arrive, in both directions.
    #[test]
    fn chunking_changes_no_byte(request: Vec<Vec<u8>>, events in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..64), 0..8)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (gateway, upstream) = before_an_upstream(false).await;
            let sender = upstream.answer_with_events();
            for event in &events {
                sender.release(event.clone());
            }
            drop(sender);
            let chunks = request.clone().into_iter().map(|chunk| Ok::<_, std::io::Error>(Bytes::from(chunk)));
            let response = gateway.post(Body::from_stream(stream::iter(chunks))).await;
            let body = response.into_body().collect().await.unwrap().to_bytes();
            prop_assert_eq!(&body[..], &events.concat()[..]);
            prop_assert_eq!(&upstream.received()[0].body[..], &request.concat()[..]);
            Ok(())
        })?;
    }
}
