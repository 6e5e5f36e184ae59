//! Connections over HTTP/2 that upstream gives up, or that are lost, in the middle of what goes over them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // Tests fail by panicking.

mod support;

use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, SendStream};
use hallpass_gateway::Upstream;
use hallpass_gateway::upstream::{HttpOptions, HttpVersion};
use http::StatusCode;
use http_body_util::BodyExt;
use support::{Protected, protect, soon, text};
use tokio::net::TcpListener;
use tokio::sync::broadcast;
use tokio::sync::mpsc::{self, UnboundedReceiver};

const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;

/// What becomes of all connections that there are.
#[derive(Clone, Copy, Debug)]
enum Fate {
    /// RFC 9113 §6.8: GOAWAY at once, for that reason.
    GoAway(Reason),
    /// The connection of TCP ends, without a word.
    Cut,
    /// It stays, and nothing on it is answered any more, not even a ping (§6.7).
    Silence,
}

/// On which connection a request arrived, and what answers it.
type Asked = (usize, SendResponse<Bytes>);

struct Rig {
    gateway: Protected,
    asked: UnboundedReceiver<Asked>,
    fate: broadcast::Sender<Fate>,
}

async fn rig() -> Rig {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap()).parse().unwrap();
    let (said, asked) = mpsc::unbounded_channel();
    let (fate, _) = broadcast::channel(4);
    let fates = fate.clone();
    tokio::spawn(async move {
        for connection in 0.. {
            let (stream, _) = listener.accept().await.unwrap();
            let (said, mut fates) = (said.clone(), fates.subscribe());
            tokio::spawn(async move {
                let mut peer = h2::server::handshake(stream).await.unwrap();
                loop {
                    tokio::select! {
                        next = peer.accept() => match next {
                            Some(Ok((_, respond))) => drop(said.send((connection, respond))),
                            _ => return,
                        },
                        fate = fates.recv() => match fate.unwrap() {
                            Fate::GoAway(reason) => peer.abrupt_shutdown(reason),
                            Fate::Cut => return,
                            Fate::Silence => std::future::pending().await,
                        },
                    }
                }
            });
        }
    });
    let options = HttpOptions { version: HttpVersion::Http2, ..HttpOptions::default() };
    let gateway = protect(Upstream::http_with(&url, &options).unwrap(), false);
    Rig { gateway, asked, fate }
}

impl Rig {
    async fn ask(&mut self) -> (Asked, tokio::task::JoinHandle<Response>) {
        let request = self.gateway.request("POST").body(Body::from(CALL)).unwrap();
        let router = self.gateway.router.clone();
        let answer = tokio::spawn(async move { tower::ServiceExt::oneshot(router, request).await.unwrap() });
        (soon(self.asked.recv()).await.unwrap(), answer)
    }

    /// A call that is answered. Gives the connection that it went over.
    async fn call(&mut self) -> usize {
        let ((connection, mut respond), answer) = self.ask().await;
        let mut stream = respond.send_response(http::Response::new(()), false).unwrap();
        stream.send_data(Bytes::from_static(b"{}"), true).unwrap();
        assert_eq!(text(soon(answer).await.unwrap()).await, "{}");
        connection
    }

    /// A stream that was opened, of which the client has read the first event.
    async fn listens(&mut self) -> (SendStream<Bytes>, Body) {
        let ((_, mut respond), answer) = self.ask().await;
        let mut stream = respond.send_response(http::Response::new(()), false).unwrap();
        stream.send_data(Bytes::from_static(b"data: 1\n\n"), false).unwrap();
        let mut body = soon(answer).await.unwrap().into_body();
        assert_eq!(soon(body.frame()).await.unwrap().unwrap().into_data().unwrap(), "data: 1\n\n");
        (stream, body)
    }
}

/// What breaks off is no end: a client has to see it, and nothing is sent again. The next call has another connection.
#[tokio::test]
async fn what_a_lost_connection_carried_is_told_as_lost() {
    for fate in [Fate::GoAway(Reason::INTERNAL_ERROR), Fate::GoAway(Reason::ENHANCE_YOUR_CALM), Fate::Cut] {
        let mut rig = rig().await;
        let (stream, mut body) = rig.listens().await;
        let ((connection, unanswered), answer) = rig.ask().await;
        assert_eq!(connection, 0);
        rig.fate.send(fate).unwrap();
        assert!(soon(body.frame()).await.unwrap().is_err(), "{fate:?}");
        assert_eq!(soon(answer).await.unwrap().status(), StatusCode::BAD_GATEWAY, "{fate:?}");
        drop((stream, unanswered));
        // The next that arrives is the next call.
        assert_eq!(rig.call().await, 1, "{fate:?}");
    }
}

/// Nothing else would ever say that the other side is gone. (Time goes on by itself here whenever nothing else does.)
#[tokio::test]
async fn a_silent_upstream_is_given_up_and_its_streams_break_off() {
    let mut rig = rig().await;
    let (_stream, mut body) = rig.listens().await;
    rig.fate.send(Fate::Silence).unwrap();
    tokio::time::pause();
    let broken = tokio::time::timeout(Duration::from_secs(35), body.frame()).await;
    assert!(broken.expect("to be noticed").unwrap().is_err());
    tokio::time::resume();
    assert_eq!(rig.call().await, 1);
}

/// A stream on which nothing is said for hours is one that waits: pings keep it, and nobody takes it for unused.
#[tokio::test]
async fn a_stream_that_waits_is_kept() {
    let mut rig = rig().await;
    let (mut stream, mut body) = rig.listens().await;
    tokio::time::pause();
    tokio::time::sleep(Duration::from_secs(3 * 3600)).await;
    tokio::time::resume();
    stream.send_data(Bytes::from_static(b"data: 2\n\n"), true).unwrap();
    assert_eq!(soon(body.frame()).await.unwrap().unwrap().into_data().unwrap(), "data: 2\n\n");
    assert!(soon(body.frame()).await.is_none());
    assert_eq!(rig.call().await, 0, "by the same connection");
}
