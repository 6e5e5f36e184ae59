//! How a request's length goes on to upstream. Simple HTTP servers read so many bytes as `Content-Length` says, and know
//! nothing of chunks.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // Tests fail by panicking.

mod support;

use std::net::SocketAddr;

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use hallpass_gateway::Upstream;
use hallpass_gateway::listen::{Connections, serve};
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use support::{Protected, protect, soon, text};

const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"list_notes"}}"#;
const ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";

/// Writes down what comes, byte by byte, and answers once `end` has come.
async fn recorder(end: &'static str, answer: &'static [u8]) -> (SocketAddr, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (said, heard) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
            while !String::from_utf8_lossy(&bytes).ends_with(end) {
                match stream.read(&mut buffer).await {
                    Ok(read) if read > 0 => bytes.extend_from_slice(&buffer[..read]),
                    _ => break,
                }
            }
            said.send(String::from_utf8(bytes).unwrap()).unwrap();
            drop(stream.write_all(answer).await);
        }
    });
    (address, heard)
}

/// A gateway before that upstream, on a port.
async fn gateway(upstream: SocketAddr, rules: bool) -> (SocketAddr, Protected) {
    let upstream = Upstream::http(&format!("http://{upstream}/inner").parse().unwrap()).unwrap();
    let protected = protect(upstream, rules);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = protected.router.clone();
    tokio::spawn(serve(listener, router, Connections::default(), std::future::pending()));
    (address, protected)
}

fn head(recorded: &str) -> String {
    recorded.split("\r\n\r\n").next().unwrap().to_ascii_lowercase()
}

/// Whether rules read the body or not, over HTTP/1.1 and HTTP/2.
#[tokio::test]
async fn a_length_that_the_client_says_is_the_one_that_upstream_hears() {
    for rules in [false, true] {
        let (upstream, mut heard) = recorder("}}", ANSWER).await;
        let (address, protected) = gateway(upstream, rules).await;
        let token = protected.token("notes:read");

        let mut stream = TcpStream::connect(address).await.unwrap();
        let length = CALL.len();
        let request = format!(
            "POST /mcp HTTP/1.1\r\nhost: localhost:8080\r\nauthorization: Bearer {token}\r\n\
             content-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{CALL}"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let recorded = soon(heard.recv()).await.unwrap();
        assert!(recorded.ends_with(&format!("\r\n\r\n{CALL}")), "{recorded}");
        let lines = head(&recorded);
        assert_eq!(lines.matches("content-length: ").count(), 1, "{lines}");
        assert!(lines.contains(&format!("content-length: {length}")), "{lines}");
        assert!(!lines.contains("transfer-encoding"), "{lines}");

        let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
        let (mut client, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await.unwrap();
        tokio::spawn(connection);
        let request = protected.request_as(&token, "POST").uri("http://localhost:8080/mcp");
        let request = request.body(Full::new(Bytes::from_static(CALL.as_bytes()))).unwrap();
        let response = soon(client.send_request(request)).await.unwrap();
        assert_eq!(response.status(), 200);
        let lines = head(&soon(heard.recv()).await.unwrap());
        assert!(lines.contains(&format!("content-length: {length}")), "{lines}");
        assert!(!lines.contains("transfer-encoding"), "{lines}");
    }
}

/// A length that nobody said is none to be made up, and two ways of saying it are never passed on.
#[tokio::test]
async fn a_body_without_a_length_goes_on_in_chunks() {
    let (upstream, mut heard) = recorder("\r\n0\r\n\r\n", ANSWER).await;
    let (address, protected) = gateway(upstream, false).await;
    let token = protected.token("notes:read");
    let head_of = |framing: &str| {
        format!(
            "POST /mcp HTTP/1.1\r\nhost: localhost:8080\r\nauthorization: Bearer {token}\r\n\
             content-type: application/json\r\n{framing}\r\nconnection: close\r\n\r\n"
        )
    };
    let mut stream = TcpStream::connect(address).await.unwrap();
    let chunked = format!("{}{:x}\r\n{CALL}\r\n0\r\n\r\n", head_of("transfer-encoding: chunked"), CALL.len());
    stream.write_all(chunked.as_bytes()).await.unwrap();
    let lines = head(&soon(heard.recv()).await.unwrap());
    assert!(lines.contains("transfer-encoding: chunked") && !lines.contains("content-length"), "{lines}");

    let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let (mut client, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await.unwrap();
    tokio::spawn(connection);
    let body =
        stream::iter([Ok::<_, std::convert::Infallible>(Frame::data(Bytes::from_static(CALL.as_bytes())))]);
    let request = protected.request_as(&token, "POST").uri("http://localhost:8080/mcp");
    let request = request.body(StreamBody::new(body).boxed()).unwrap();
    assert_eq!(soon(client.send_request(request)).await.unwrap().status(), 200);
    let lines = head(&soon(heard.recv()).await.unwrap());
    assert!(lines.contains("transfer-encoding: chunked") && !lines.contains("content-length"), "{lines}");

    // RFC 9112 §6.3: whoever says both is up to something, or broken. One of them goes on, never both.
    let mut stream = TcpStream::connect(address).await.unwrap();
    let both = head_of("content-length: 3\r\ntransfer-encoding: chunked");
    stream.write_all(format!("{both}{:x}\r\n{CALL}\r\n0\r\n\r\n", CALL.len()).as_bytes()).await.unwrap();
    let mut answer = String::new();
    soon(stream.read_to_string(&mut answer)).await.unwrap();
    if let Ok(recorded) = heard.try_recv() {
        let lines = head(&recorded);
        assert!(!lines.contains("content-length") && recorded.contains(CALL), "{recorded}");
    } else {
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    }
}

/// It was reached, and took the request.
#[tokio::test]
async fn an_upstream_that_hangs_up_is_told_from_one_that_is_not_there() {
    let (upstream, _heard) = recorder("}}", b"").await;
    let (_, protected) = gateway(upstream, false).await;
    let response = soon(protected.post(Body::from(CALL))).await;
    assert_eq!(response.status(), 502);
    let said = text(response).await;
    assert!(said.contains("closed the connection without an answer"), "{said}");
    let (upstream, _heard) = recorder("}}", b"SSH-2.0-OpenSSH_9.9\r\n").await;
    let (_, protected) = gateway(upstream, false).await;
    let said = text(soon(protected.post(Body::from(CALL))).await).await;
    assert!(said.contains("not HTTP"), "{said}");
}

/// A body behind an answer that can have none would be taken for the answer to the next request.
#[tokio::test]
async fn what_comes_behind_an_answer_without_a_body_answers_nobody() {
    const LATE: &str =
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 8\r\n\r\n\"stolen\"";
    for (status, said) in [
        ("204 No Content", format!("content-length: {}", LATE.len())),
        ("204 No Content", "transfer-encoding: chunked".to_owned()),
        ("304 Not Modified", format!("content-length: {}", LATE.len())),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let upstream = listener.local_addr().unwrap();
        let first = format!("HTTP/1.1 {status}\r\n{said}\r\n\r\n");
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut buffer = [0; 4096];
            assert!(stream.read(&mut buffer).await.unwrap() > 0);
            stream.write_all(first.as_bytes()).await.unwrap();
            // Whoever uses this connection again hears the body.
            tokio::spawn(async move {
                if stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {
                    drop(stream.write_all(LATE.as_bytes()).await);
                }
            });
            let (mut stream, _) = listener.accept().await.unwrap();
            assert!(stream.read(&mut [0; 4096]).await.unwrap() > 0);
            stream.write_all(ANSWER).await.unwrap();
        });
        let (_, protected) = gateway(upstream, false).await;
        let response = soon(protected.post(Body::from(CALL))).await;
        assert_eq!(response.status().as_str(), &status[..3]);
        assert!(!response.headers().contains_key("content-length"), "{status} {said}");
        assert_eq!(text(response).await, "");
        assert_eq!(text(soon(protected.post(Body::from(CALL))).await).await, "{}", "{status} {said}");
    }
}
