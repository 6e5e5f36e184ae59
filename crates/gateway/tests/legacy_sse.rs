//! A gateway before a server that speaks HTTP+SSE (MCP 2024-11-05), for clients that speak it too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // Tests fail by panicking.

mod support;

use axum::body::Body;
use axum::response::Response;
use hallpass_gateway::Upstream;
use hallpass_gateway::upstream::{HttpOptions, Transport};
use hallpass_testkit::upstream::{Events, Upstream as Server, plain};
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use support::{Protected, protect, soon, text};
use url::Url;

const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"write_note"}}"#;

fn sse(url: &Url) -> Upstream {
    let options = HttpOptions { transport: Transport::Sse, ..HttpOptions::default() };
    Upstream::http_with(url, &options).unwrap()
}

/// A gateway, the server behind it, and its stream as a client reads it.
struct Rig {
    gateway: Protected,
    server: Server,
    says: Events,
    stream: Response,
}

impl Rig {
    async fn open(tools: bool) -> Self {
        let server = Server::start().await;
        let gateway = protect(sse(&server.url("/sse?key=k")), tools);
        let says = server.answer_with_events();
        let stream = gateway.send(gateway.request("GET").body(Body::empty()).unwrap()).await;
        assert_eq!(stream.status(), StatusCode::OK);
        assert_eq!(stream.headers()["content-type"], "text/event-stream");
        Self { gateway, server, says, stream }
    }

    /// What the client reads next; `None` where the stream broke off.
    async fn hears(&mut self) -> Option<String> {
        let frame = soon(self.stream.body_mut().frame()).await?;
        let bytes = frame.ok()?.into_data().unwrap();
        Some(String::from_utf8(bytes.to_vec()).unwrap())
    }

    /// Where the client is told to post.
    async fn endpoint(&mut self, said: &str) -> String {
        self.says.release(format!("event: endpoint\ndata: {said}\n\n"));
        let event = self.hears().await.unwrap();
        let data = event.strip_prefix("event: endpoint\ndata: ").unwrap().strip_suffix("\n\n").unwrap();
        data.to_owned()
    }

    async fn post_as(&self, token: &str, to: &str, body: &str) -> Response {
        let mut request: Request<Body> =
            self.gateway.request_as(token, "POST").body(body.to_owned().into()).unwrap();
        *request.uri_mut() = to.parse().unwrap();
        self.gateway.send(request).await
    }

    async fn post(&self, to: &str, body: &str) -> Response {
        self.post_as(&self.gateway.token("notes:read"), to, body).await
    }
}

#[tokio::test]
async fn messages_go_where_the_server_says_and_answers_come_on_the_stream() {
    for said in ["/messages/?session_id=abc", "messages/?session_id=abc"] {
        let mut rig = Rig::open(false).await;
        let to = rig.endpoint(said).await;
        assert!(to.starts_with("/mcp?sessionId=") && !to.contains("session_id"), "{to}");
        rig.server.answer(plain(StatusCode::ACCEPTED, "Accepted"));
        let response = rig.post(&to, CALL).await;
        assert_eq!(response.status(), StatusCode::ACCEPTED);
        let received = rig.server.received();
        // The operator's own query is for the stream's URL.
        assert_eq!(received[0].target.to_string(), "/sse?key=k");
        assert_eq!(received[1].target.to_string(), "/messages/?session_id=abc");
        assert_eq!(received[1].body, CALL);
        assert!(!received[1].headers.contains_key("authorization"));
        assert_eq!(received[1].headers["x-hallpass-subject"], "alice");
        let answer = "event: message\r\nid: 7\r\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\r\n\r\n";
        rig.says.release(answer);
        assert_eq!(rig.hears().await.unwrap(), answer);
    }
}

/// Whatever way it comes in, an event is told whole and as it was; only `endpoint` is told otherwise.
#[tokio::test]
async fn the_endpoint_is_found_however_it_comes() {
    let mut rig = Rig::open(false).await;
    for part in ["\u{feff}: hello\n\nev", "ent:endpoint\r", "\ndata:/mess", "ages?s=1\r\n\r", "\ndata: x\n\n"]
    {
        rig.says.release(part);
    }
    assert_eq!(rig.hears().await.unwrap(), "\u{feff}: hello\n\n");
    let first = rig.hears().await.unwrap();
    assert!(first.starts_with("event: endpoint\ndata: /mcp?sessionId="), "{first}");
    assert_eq!(rig.hears().await.unwrap(), "data: x\n\n");
    // Said again, it is still the gateway's.
    assert!(rig.endpoint("/messages?s=2").await.starts_with("/mcp?sessionId="));
}

/// What is posted says who calls: it goes nowhere else.
#[tokio::test]
async fn an_endpoint_of_another_origin_is_refused() {
    let elsewhere = Server::start().await;
    let foreign = elsewhere.url("/messages").to_string();
    let scheme = |server: &Server| server.url("/messages").to_string().replace("http:", "https:");
    for said in
        [foreign.as_str(), "//evil.example/messages", "http://u:p@evil.example/", "ftp://x/", "http://["]
    {
        let mut rig = Rig::open(false).await;
        rig.says.release(format!("event: endpoint\ndata: {said}\n\n"));
        assert_eq!(rig.hears().await, None, "{said}");
    }
    let mut rig = Rig::open(false).await;
    let other_scheme = scheme(&rig.server);
    rig.says.release(format!("event: endpoint\ndata: {other_scheme}\n\n"));
    assert_eq!(rig.hears().await, None);
    assert!(elsewhere.received().is_empty());
}

/// What cannot be read may name any endpoint: it is not passed on, and nobody asks for it.
#[tokio::test]
async fn a_stream_that_cannot_be_read_is_refused() {
    for (name, value) in [
        ("content-encoding", "gzip"),
        ("content-encoding", "identity, br"),
        ("content-type", "application/octet-stream"),
    ] {
        let server = Server::start().await;
        let gateway = protect(sse(&server.url("/sse")), false);
        let says = server.answer_with_events_and((name, value));
        says.release("event: endpoint\ndata: http://evil.example/\n\n");
        let get = gateway.request("GET").header("accept-encoding", "gzip").body(Body::empty()).unwrap();
        let response = soon(gateway.send(get)).await;
        assert_eq!(response.status(), StatusCode::BAD_GATEWAY, "{name}: {value}");
        assert!(!text(response).await.contains("evil"), "{name}: {value}");
        assert!(!server.received()[0].headers.contains_key("accept-encoding"));
        soon(says.until_abandoned()).await;
    }
    // No coding at all may be said, too.
    let server = Server::start().await;
    let gateway = protect(sse(&server.url("/sse")), false);
    let _says = server.answer_with_events_and(("content-encoding", "identity"));
    let get = gateway.request("GET").body(Body::empty()).unwrap();
    assert_eq!(soon(gateway.send(get)).await.status(), StatusCode::OK);
}

/// An event is kept until its end is there, but not without end.
#[tokio::test]
async fn an_event_without_end_ends_the_stream() {
    const PART: usize = 1024 * 1024;
    let mut rig = Rig::open(false).await;
    // The largest passes whole.
    let event = format!("data: {}\n\n", "x".repeat(16 * PART - 100));
    rig.says.release(event.clone());
    assert!(rig.hears().await.unwrap() == event);
    rig.says.release("data: ");
    for _ in 0..17 {
        rig.says.release("x".repeat(PART));
    }
    assert_eq!(rig.hears().await, None);
}

#[tokio::test]
async fn a_stream_is_its_owners() {
    let mut rig = Rig::open(false).await;
    let to = rig.endpoint("/messages?s=1").await;
    let mut claims = rig.gateway.issuer.claims(support::RESOURCE, "notes:read", support::NOW);
    claims["client_id"] = "other-client".into();
    for token in [rig.gateway.token_for("mallory", "notes:read"), rig.gateway.issuer.sign(&claims)] {
        assert_eq!(rig.post_as(&token, &to, CALL).await.status(), StatusCode::NOT_FOUND);
    }
    let twice = format!("{to}&sessionId=x");
    for (to, status) in [
        ("/mcp?sessionId=0000", StatusCode::NOT_FOUND),
        ("/mcp", StatusCode::METHOD_NOT_ALLOWED),
        (&twice, StatusCode::METHOD_NOT_ALLOWED),
    ] {
        assert_eq!(rig.post(to, CALL).await.status(), status, "{to}");
    }
    assert_eq!(rig.server.received().len(), 1);
    assert_eq!(rig.post(&to, CALL).await.status(), StatusCode::OK);
    // Over when the client has left.
    let Rig { gateway, stream, .. } = rig;
    drop(stream);
    let request = gateway.request("POST").uri(&to).body(CALL.into()).unwrap();
    assert_eq!(gateway.send(request).await.status(), StatusCode::NOT_FOUND);
}

/// Before the server has said where, there is nowhere.
#[tokio::test]
async fn nothing_is_posted_before_the_endpoint_is_known() {
    let server = Server::start().await;
    let gateway = protect(sse(&server.url("/sse")), false);
    let delete = gateway.request("DELETE").body(Body::empty()).unwrap();
    assert_eq!(gateway.send(delete).await.status(), StatusCode::METHOD_NOT_ALLOWED);
    server.answer(plain(StatusCode::NOT_FOUND, "{}"));
    let get = gateway.request("GET").body(Body::empty()).unwrap();
    assert_eq!(gateway.send(get).await.status(), StatusCode::NOT_FOUND);
}

/// Each message is judged as on any other way.
#[tokio::test]
async fn every_message_is_authorized() {
    let mut rig = Rig::open(true).await;
    let to = rig.endpoint("/messages?s=1").await;
    assert_eq!(rig.post(&to, CALL).await.status(), StatusCode::FORBIDDEN);
    let batch = format!("[{{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"ping\"}},{CALL}]");
    assert_eq!(rig.post(&to, &batch).await.status(), StatusCode::FORBIDDEN);
    assert_eq!(rig.post_as("made-up", &to, CALL).await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(rig.server.received().len(), 1);
    let token = rig.gateway.token("notes:read notes:write");
    assert_eq!(rig.post_as(&token, &to, CALL).await.status(), StatusCode::OK);
    text(rig.post(&to, r#"{"jsonrpc":"2.0","id":3,"method":"ping"}"#).await).await;
    assert_eq!(rig.server.received().len(), 3);
}
