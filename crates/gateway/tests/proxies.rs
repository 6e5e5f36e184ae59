//! Listed proxies and limits, over real connections.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // Tests fail by panicking.

mod support;

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::routing::any;
use axum::{Json, Router};
use hallpass_gateway::edge::{Edge, Limit, Proxies};
use hallpass_gateway::listen::{Connections, serve};
use hallpass_gateway::{ServerLimits, Upstream};
use hallpass_protocol::forwarded::ClientAddress;
use serde_json::{Value, json};
use support::{protect_limited, soon, text};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Says what is known of where a request comes from.
fn mirror() -> Router {
    Router::new().fallback(any(async |request: Request| {
        let ConnectInfo(peer) = request.extensions().get::<ConnectInfo<SocketAddr>>().unwrap();
        let client = request.extensions().get::<ClientAddress>().map(|ClientAddress(address)| *address);
        let host = request.headers().get("host").map(|host| host.to_str().unwrap().to_owned());
        Json(json!({ "peer": peer.ip(), "client": client, "host": host }))
    }))
}

async fn start(edge: Edge) -> SocketAddr {
    serving(mirror(), edge).await
}

async fn serving(router: Router, edge: Edge) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Connections { edge, ..Connections::default() };
    tokio::spawn(serve(listener, router, connections, std::future::pending()));
    address
}

fn listing(network: &str) -> Proxies {
    Proxies { listed: vec![network.parse().unwrap()], ..Proxies::default() }
}

/// All that comes until the server hangs up.
async fn answer_to(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    drop(stream.write_all(bytes).await);
    rest(stream).await
}

async fn rest(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    drop(stream.read_to_end(&mut answer).await);
    String::from_utf8_lossy(&answer).into_owned()
}

fn said(answer: &str) -> Value {
    let body = answer.split("\r\n\r\n").nth(1).unwrap_or_else(|| panic!("{answer}"));
    serde_json::from_str(body).unwrap_or_else(|_| panic!("{answer}"))
}

const SPOOFED: &str = "GET / HTTP/1.1\r\nhost: inner\r\nx-forwarded-for: 203.0.113.9\r\nforwarded: for=203.0.113.9\r\n\
                       x-forwarded-host: outer\r\nx-forwarded-proto: http\r\nx-real-ip: 203.0.113.9\r\nconnection: close\r\n\r\n";

/// Row 33.
#[tokio::test]
async fn what_a_peer_says_counts_only_where_it_is_listed() {
    let (host, https) = (true, true);
    let unlisted = start(Edge::default().behind(Proxies { host, https, ..listing("10.0.0.0/8") })).await;
    let own = json!({ "peer": "127.0.0.1", "client": null, "host": "inner" });
    assert_eq!(said(&soon(answer_to(unlisted, SPOOFED.as_bytes())).await), own);
    let listed = start(Edge::default().behind(Proxies { host, ..listing("127.0.0.0/8") })).await;
    let told = json!({ "peer": "127.0.0.1", "client": "203.0.113.9", "host": "outer" });
    assert_eq!(said(&soon(answer_to(listed, SPOOFED.as_bytes())).await), told);
    let strict = start(Edge::default().behind(Proxies { https, ..listing("127.0.0.0/8") })).await;
    let kept_out = soon(answer_to(strict, SPOOFED.as_bytes())).await;
    assert!(kept_out.starts_with("HTTP/1.1 403") && kept_out.contains("plain_http"), "{kept_out}");
}

const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
const V1: &[u8] = b"PROXY TCP4 203.0.113.9 10.0.0.1 51000 443\r\n";
const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xcb\0\x71\x09\x0a\0\0\x01\xc7\x38\x01\xbb";
const LOCAL: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\x00\0\0";

#[tokio::test]
async fn a_connection_is_from_whom_a_listed_proxy_says() {
    let proxies = Proxies { protocol: true, ..listing("127.0.0.0/8") };
    let server = start(Edge::default().behind(proxies)).await;
    for (header, from) in
        [(V1, "203.0.113.9"), (V2, "203.0.113.9"), (LOCAL, "127.0.0.1"), (b"PROXY UNKNOWN\r\n", "127.0.0.1")]
    {
        let answer = soon(answer_to(server, &[header, GET].concat())).await;
        assert_eq!(said(&answer)["peer"], from, "{answer}");
    }
    // What the client sends within is the client's.
    let lie =
        [V1, b"GET / HTTP/1.1\r\nhost: x\r\nx-forwarded-for: 6.6.6.6\r\nconnection: close\r\n\r\n"].concat();
    assert_eq!(said(&soon(answer_to(server, &lie)).await)["client"], Value::Null);
}

#[tokio::test]
async fn a_listed_proxy_without_its_header_is_hung_up_on() {
    let proxies = Proxies { protocol: true, ..listing("127.0.0.0/8") };
    let server = start(Edge::default().behind(proxies)).await;
    let v1 = std::str::from_utf8(V1).unwrap();
    for bytes in [
        GET.to_vec(),
        [b"PROXY TCP4 203.0.113.9\r\n", GET].concat(),
        [v1.replace("TCP4", "TCP6").as_bytes(), GET].concat(),
        [&V2[..12], b"\x31\x11\0\x0c", &V2[16..], GET].concat(),
        [&V2[..14], b"\xff\xff", &V2[16..], GET].concat(),
    ] {
        let answer = soon(answer_to(server, &bytes)).await;
        assert_eq!(answer, "", "{}", String::from_utf8_lossy(&bytes));
    }
    // Others are unharmed.
    assert!(soon(answer_to(server, &[V1, GET].concat())).await.starts_with("HTTP/1.1 200"));
}

/// From anybody else it is no header, but bytes that are no request.
#[tokio::test]
async fn the_header_of_an_unlisted_peer_is_nothing() {
    let proxies = Proxies { protocol: true, ..listing("10.0.0.0/8") };
    let server = start(Edge::default().behind(proxies)).await;
    assert_eq!(said(&soon(answer_to(server, GET)).await)["peer"], "127.0.0.1");
    for header in [V1, V2] {
        let answer = soon(answer_to(server, &[header, GET].concat())).await;
        assert!(!answer.contains("200 OK"), "{answer}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_header_is_not_waited_for() {
    let proxies = Proxies { protocol: true, ..listing("127.0.0.0/8") };
    let server = start(Edge::default().behind(proxies)).await;
    for sent in [b"".as_slice(), &V1[..10], &V2[..15], &V1[..40]] {
        let begun = tokio::time::Instant::now();
        let hour = Duration::from_secs(3600);
        let answer = tokio::time::timeout(hour, answer_to(server, sent)).await.unwrap();
        assert_eq!(answer, "");
        assert!(begun.elapsed() < Duration::from_secs(6), "{:?}", begun.elapsed());
    }
}

fn number(number: u32) -> Option<NonZeroU32> {
    NonZeroU32::new(number)
}

#[tokio::test(start_paused = true)]
async fn an_address_that_asks_too_much_is_told_when_to_come_again() {
    let limit = Limit { rate: number(1), burst: number(2), ..Limit::default() };
    let server = start(Edge::default().behind(listing("127.0.0.0/8")).limiting(limit)).await;
    let ask = async |from: &str| {
        let request =
            format!("GET / HTTP/1.1\r\nhost: x\r\nx-forwarded-for: {from}\r\nconnection: close\r\n\r\n");
        answer_to(server, request.as_bytes()).await
    };
    assert!(ask("203.0.113.9").await.contains("200 OK"));
    assert!(ask("203.0.113.9").await.contains("200 OK"));
    let refused = ask("203.0.113.9").await;
    assert!(refused.starts_with("HTTP/1.1 429") && refused.contains("retry-after: 1\r\n"), "{refused}");
    assert_eq!(said(&refused)["error"]["data"]["rule"], "address_rate");
    assert!(ask("203.0.113.10").await.contains("200 OK"), "another address");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(ask("203.0.113.9").await.contains("200 OK"), "later");
}

#[tokio::test]
async fn an_address_has_so_many_requests_at_once() {
    let limit = Limit { requests: number(1), ..Limit::default() };
    let endless = || Body::from_stream(futures_util::stream::pending::<Result<String, std::io::Error>>());
    let router =
        Router::new().route("/for-ever", any(async move || endless())).route("/", any(async || "hello"));
    let server = serving(router, Edge::default().limiting(limit)).await;
    let mut first = TcpStream::connect(server).await.unwrap();
    first.write_all(b"GET /for-ever HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    assert!(first.read(&mut [0; 4096]).await.unwrap() > 0);
    let refused = soon(answer_to(server, GET)).await;
    assert!(refused.starts_with("HTTP/1.1 429") && refused.contains("address_requests"), "{refused}");
    drop(first);
    // It takes a moment until the server hears that the first has gone.
    while !soon(answer_to(server, GET)).await.contains("200 OK") {
        tokio::task::yield_now().await;
    }
}

/// A stream is counted however it came about, and refused where it is asked for.
#[tokio::test]
async fn an_address_has_so_many_streams() {
    let limit = Limit { streams: number(1), ..Limit::default() };
    let endless = || Body::from_stream(futures_util::stream::pending::<Result<String, std::io::Error>>());
    let events = any(async move || ([("content-type", "text/event-stream")], endless()));
    let router = Router::new().route("/events", events).route("/", any(async || "hello"));
    let server = serving(router, Edge::default().limiting(limit)).await;
    let mut first = TcpStream::connect(server).await.unwrap();
    first.write_all(b"POST /events HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n").await.unwrap();
    assert!(first.read(&mut [0; 4096]).await.unwrap() > 0);
    let post = |fields: &str| format!("POST / HTTP/1.1\r\nhost: x\r\n{fields}connection: close\r\n\r\n");
    for asks in [str::from_utf8(GET).unwrap(), &post("mcp-method: subscriptions/listen\r\n")] {
        let refused = soon(answer_to(server, asks.as_bytes())).await;
        assert!(refused.starts_with("HTTP/1.1 429") && refused.contains("address_streams"), "{refused}");
    }
    let acted_upon = soon(answer_to(server, post("mcp-method: tools/call\r\n").as_bytes())).await;
    assert!(acted_upon.contains("200 OK"), "{acted_upon}");
}

/// One user, however many tokens and clients; others have their own.
#[tokio::test]
async fn a_subject_and_a_server_have_so_much() {
    let behind =
        Router::new().fallback(any(async || ([("content-type", "text/event-stream")], "data: 1\n\n")));
    let subject = Limit { requests: number(1), ..Limit::default() };
    let server = Limit { streams: number(2), ..Limit::default() };
    let protected = protect_limited(Upstream::service(behind), ServerLimits { subject, server });
    let ask = async |subject: &str, method: &str| {
        let token = protected.token_for(subject, "notes:read");
        protected.send(protected.request_as(&token, method).body(Body::empty()).unwrap()).await
    };
    let held = [ask("alice", "GET").await, ask("bob", "POST").await];
    assert!(held.iter().all(|answer| answer.status() == 200));
    let refused = ask("alice", "POST").await;
    assert_eq!((refused.status().as_u16(), refused.headers()["retry-after"].to_str().unwrap()), (429, "1"));
    let refused: Value = serde_json::from_str(&text(refused).await).unwrap();
    assert_eq!(refused["error"]["data"]["rule"], "subject_requests");
    let refused: Value = serde_json::from_str(&text(ask("carol", "GET").await).await).unwrap();
    assert_eq!(
        refused["error"]["data"]["rule"], "server_streams",
        "two are open: one by a GET, one by a POST"
    );
    assert_eq!(
        ask("carol", "POST").await.status(),
        200,
        "what has been acted upon is not refused for its stream"
    );
    drop(held);
    assert_eq!(ask("alice", "GET").await.status(), 200);
    // Who is not let in takes no place.
    assert_eq!(
        protected
            .send(http::Request::get("/mcp").header("host", "localhost:8080").body(Body::empty()).unwrap())
            .await
            .status(),
        401
    );
}
