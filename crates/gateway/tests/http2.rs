//! HTTP/2 towards upstream, before a server that says every frame by itself.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // Tests fail by panicking.

mod support;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::future::poll_fn;
use futures_util::{FutureExt, stream};
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use hallpass_gateway::Upstream;
use hallpass_gateway::upstream::{HttpOptions, HttpVersion};
use http::{HeaderMap, Request, StatusCode, Version};
use http_body_util::BodyExt;
use support::{Protected, protect, soon, text};
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc};

const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
/// How much of an answer comes before anybody takes it.
const WINDOW: usize = 256 * 1024;

/// A request as it arrived, and on which connection.
struct Asked {
    connection: usize,
    request: Request<RecvStream>,
    respond: SendResponse<Bytes>,
}

struct Rig {
    gateway: Protected,
    asked: mpsc::UnboundedReceiver<Asked>,
    /// Each connection is asked to end.
    leave: Arc<Notify>,
    /// The connections that ended.
    ended: mpsc::UnboundedReceiver<usize>,
}

/// A gateway before a server that takes so many streams at once.
async fn rig(streams: u32) -> Rig {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/inner?key=k", listener.local_addr().unwrap()).parse().unwrap();
    let (said, asked) = mpsc::unbounded_channel();
    let (ends, ended) = mpsc::unbounded_channel();
    let leave = Arc::new(Notify::new());
    let leaves = Arc::clone(&leave);
    tokio::spawn(async move {
        for connection in 0.. {
            let (stream, _) = listener.accept().await.unwrap();
            let (said, ends, leaves) = (said.clone(), ends.clone(), Arc::clone(&leaves));
            tokio::spawn(async move {
                let mut builder = h2::server::Builder::new();
                let mut peer = builder.max_concurrent_streams(streams).handshake(stream).await.unwrap();
                loop {
                    tokio::select! {
                        next = peer.accept() => match next {
                            Some(Ok((request, respond))) => drop(said.send(Asked { connection, request, respond })),
                            _ => {
                                let _ = ends.send(connection);
                                return;
                            }
                        },
                        () = leaves.notified() => peer.graceful_shutdown(),
                    }
                }
            });
        }
    });
    let options = HttpOptions { version: HttpVersion::Http2, ..HttpOptions::default() };
    let gateway = protect(Upstream::http_with(&url, &options).unwrap(), false);
    Rig { gateway, asked, leave, ended }
}

impl Rig {
    /// Asks, and gives what arrived at the server, and what answers once it does.
    async fn ask(&mut self) -> (Asked, tokio::task::JoinHandle<Response>) {
        self.ask_with(CALL).await
    }

    async fn ask_with(&mut self, body: impl Into<Body>) -> (Asked, tokio::task::JoinHandle<Response>) {
        let request = self.gateway.request("POST").header("connection", "close").body(body.into()).unwrap();
        let router = self.gateway.router.clone();
        let answer = tokio::spawn(async move { tower::ServiceExt::oneshot(router, request).await.unwrap() });
        (soon(self.asked.recv()).await.unwrap(), answer)
    }

    /// A call that is answered. Gives the connection that it went over.
    async fn call(&mut self) -> usize {
        let (mut asked, answer) = self.ask().await;
        asked.say(b"{}", true);
        assert_eq!(text(soon(answer).await.unwrap()).await, "{}");
        asked.connection
    }
}

impl Asked {
    fn begin(&mut self) -> SendStream<Bytes> {
        self.respond.send_response(http::Response::new(()), false).unwrap()
    }

    fn say(&mut self, body: &'static [u8], is_all: bool) -> SendStream<Bytes> {
        let mut stream = self.begin();
        stream.send_data(Bytes::from_static(body), is_all).unwrap();
        stream
    }

    async fn body(&mut self) -> Vec<u8> {
        let mut whole = Vec::new();
        while let Some(data) = soon(self.request.body_mut().data()).await {
            let data = data.unwrap();
            self.request.body_mut().flow_control().release_capacity(data.len()).unwrap();
            whole.extend_from_slice(&data);
        }
        whole
    }
}

/// What a stream was reset with.
async fn reset(stream: &mut SendStream<Bytes>) -> Reason {
    soon(poll_fn(|context| stream.poll_reset(context))).await.unwrap()
}

#[tokio::test]
async fn what_is_asked_is_what_was_judged() {
    let mut rig = rig(100).await;
    let (mut asked, answer) = rig.ask().await;
    let (head, uri) = (asked.request.headers().clone(), asked.request.uri().clone());
    assert_eq!((asked.request.method().as_str(), asked.request.version()), ("POST", Version::HTTP_2));
    assert_eq!((uri.scheme_str(), uri.path_and_query().unwrap().as_str()), (Some("http"), "/inner?key=k"));
    assert!(uri.authority().unwrap().as_str().starts_with("127.0.0.1:"));
    assert_eq!(
        (&head["x-hallpass-subject"], &head["content-length"]),
        (&"alice".parse().unwrap(), &CALL.len().into())
    );
    assert!(["host", "connection", "authorization"].iter().all(|name| !head.contains_key(*name)), "{head:?}");
    assert_eq!(asked.body().await, CALL.as_bytes());
    let mut stream = asked.say(b"{\"a\":", false);
    stream.send_data(Bytes::from_static(b"1}"), false).unwrap();
    // Fields behind the end are nothing that a client asked for.
    stream.send_trailers(HeaderMap::from_iter([("u-end".parse().unwrap(), "1".parse().unwrap())])).unwrap();
    assert_eq!(text(soon(answer).await.unwrap()).await, r#"{"a":1}"#);
    assert_eq!(rig.call().await, asked.connection, "connections are used again");
}

/// A POST may have been acted upon.
#[tokio::test]
async fn nothing_is_sent_twice() {
    let mut rig = rig(100).await;
    for reason in [Reason::INTERNAL_ERROR, Reason::CANCEL, Reason::REFUSED_STREAM, Reason::HTTP_1_1_REQUIRED]
    {
        let (mut asked, answer) = rig.ask().await;
        asked.respond.send_reset(reason);
        assert_eq!(soon(answer).await.unwrap().status(), StatusCode::BAD_GATEWAY, "{reason}");
        // The next that arrives is the next call.
        rig.call().await;
    }
}

/// A body is as long as it says, or upstream does not take it for whole.
#[tokio::test]
async fn a_body_that_breaks_off_is_told_as_such() {
    let mut rig = rig(100).await;
    let part = stream::iter([Ok(Bytes::from_static(b"{")), Err(std::io::Error::other("gone"))]);
    let (mut asked, answer) = rig.ask_with(Body::from_stream(part)).await;
    let mut body = asked.request.into_body();
    while let Some(Ok(_)) = soon(body.data()).await {}
    assert!(!body.is_end_stream());
    assert_eq!(soon(poll_fn(|context| asked.respond.poll_reset(context))).await.unwrap(), Reason::CANCEL);
    assert_eq!(soon(answer).await.unwrap().status(), StatusCode::BAD_GATEWAY);
}

#[tokio::test]
async fn who_leaves_is_missed_on_the_other_side() {
    let mut rig = rig(100).await;
    // Before there is an answer.
    let (mut asked, answer) = rig.ask().await;
    answer.abort();
    assert_eq!(soon(poll_fn(|context| asked.respond.poll_reset(context))).await.unwrap(), Reason::CANCEL);
    // Within it.
    let (mut asked, answer) = rig.ask().await;
    let mut stream = asked.say(b"data: 1\n\n", false);
    drop(soon(answer).await.unwrap());
    assert_eq!(reset(&mut stream).await, Reason::CANCEL);
    // And the other way round.
    let (mut asked, answer) = rig.ask().await;
    let mut stream = asked.say(b"data: 1\n\n", false);
    let mut body = soon(answer).await.unwrap().into_body();
    assert_eq!(soon(body.frame()).await.unwrap().unwrap().into_data().unwrap(), "data: 1\n\n");
    stream.send_reset(Reason::INTERNAL_ERROR);
    assert!(soon(body.frame()).await.unwrap().is_err());
    assert_eq!(rig.call().await, 0, "all of that was about streams");
}

/// Sends so many bytes, no faster than they are taken.
async fn pour(stream: &mut SendStream<Bytes>, length: usize) {
    let mut left = length;
    while left > 0 {
        stream.reserve_capacity(left);
        let given = poll_fn(|context| stream.poll_capacity(context)).await.unwrap().unwrap().min(left);
        stream.send_data(vec![b'x'; given].into(), false).unwrap();
        left -= given;
    }
}

/// Twenty answers of which nobody takes anything: together far more than one connection's window usually is.
#[tokio::test]
async fn what_nobody_takes_holds_up_nobody() {
    let mut rig = rig(100).await;
    let mut held = Vec::new();
    for _ in 0..20 {
        let (mut asked, answer) = rig.ask().await;
        let mut stream = asked.begin();
        let answer = soon(answer).await.unwrap();
        soon(pour(&mut stream, WINDOW)).await;
        held.push((stream, answer));
    }
    assert_eq!(rig.call().await, 0);
    for (stream, _) in &mut held {
        stream.reserve_capacity(1);
        assert_eq!(stream.capacity(), 0, "nobody has taken anything");
    }
    let (mut stream, answer) = held.pop().unwrap();
    let taken = tokio::spawn(async move { answer.into_body().collect().await.unwrap().to_bytes().len() });
    soon(pour(&mut stream, WINDOW)).await;
    stream.send_data(Bytes::new(), true).unwrap();
    assert_eq!(soon(taken).await.unwrap(), 2 * WINDOW);
}

/// Streams that stay open take no place of others.
#[tokio::test]
async fn a_full_connection_has_a_second_beside_it() {
    let mut rig = rig(2).await;
    assert_eq!(rig.call().await, 0);
    let mut open = Vec::new();
    for connection in [0, 0, 1] {
        let (mut asked, answer) = rig.ask().await;
        assert_eq!(asked.connection, connection);
        open.push((asked.begin(), soon(answer).await.unwrap()));
    }
}

/// RFC 9113 §6.8: what is under way goes on, what is new goes elsewhere.
#[tokio::test]
async fn a_connection_that_ends_takes_nothing_new() {
    let mut rig = rig(100).await;
    let (mut asked, answer) = rig.ask().await;
    let mut stream = asked.say(b"1", false);
    let answer = soon(answer).await.unwrap();
    rig.leave.notify_one();
    while rig.call().await == 0 {}
    stream.send_data(Bytes::from_static(b"2"), true).unwrap();
    assert_eq!(text(answer).await, "12");
}

/// One that nobody uses is closed, and the next call has a new one. (Time goes on by itself here whenever nothing else does.)
#[tokio::test]
async fn a_connection_that_nobody_uses_is_closed() {
    let mut rig = rig(100).await;
    assert_eq!(rig.call().await, 0);
    tokio::time::pause();
    let ended = tokio::time::timeout(Duration::from_secs(3600), rig.ended.recv()).await;
    assert_eq!(ended.expect("to be closed"), Some(0));
    tokio::time::resume();
    assert_eq!(rig.call().await, 1);
}

/// Upstream answers while it is still being told.
#[tokio::test]
async fn an_answer_may_come_before_the_end_of_the_question() {
    let mut rig = rig(100).await;
    let (more, parts) = mpsc::unbounded_channel::<Bytes>();
    let parts =
        stream::unfold(parts, async |mut parts| Some((Ok::<_, Infallible>(parts.recv().await?), parts)));
    let (mut asked, answer) = rig.ask_with(Body::from_stream(parts)).await;
    let mut stream = asked.say(b"a", false);
    let mut body = soon(answer).await.unwrap().into_body();
    more.send(Bytes::from_static(b"still")).unwrap();
    assert_eq!(soon(body.frame()).await.unwrap().unwrap().into_data().unwrap(), "a");
    // Who reads the answer goes on telling.
    let mut next = Box::pin(body.frame());
    assert!(next.as_mut().now_or_never().is_none());
    assert_eq!(soon(asked.request.body_mut().data()).await.unwrap().unwrap(), "still");
    stream.send_data(Bytes::from_static(b"b"), true).unwrap();
    assert_eq!(soon(next).await.unwrap().unwrap().into_data().unwrap(), "b");
}

/// A server that speaks something else.
#[tokio::test]
async fn who_does_not_speak_it_cannot_be_reached() {
    let options = HttpOptions { version: HttpVersion::Http2, ..HttpOptions::default() };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        drop(tokio::io::AsyncWriteExt::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n").await);
    });
    let gateway = protect(Upstream::http_with(&url, &options).unwrap(), false);
    assert_eq!(soon(gateway.post(CALL)).await.status(), StatusCode::BAD_GATEWAY);
}
