use std::convert::Infallible;
use std::future::pending;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderMap, HeaderValue, Method};
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use super::*;
use crate::upstream::onward::Onward;

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";

fn post(body: Body) -> Message {
    let host = HeaderValue::from_static("inner");
    let to = Target { path: "/mcp", host: &host };
    Message::new(&Method::POST, to, Onward::new(HeaderMap::new(), Vec::new()), body)
}

/// An upstream that says this when it was told anything.
async fn answered(request: Message, says: &[u8], idle: &Idle<DuplexStream>) -> Result<Response, Fault> {
    let (near, mut far) = duplex(64 * 1024);
    let upstream = async {
        drop(far.read(&mut [0; 1024]).await);
        drop(far.write_all(says).await);
        pending::<()>().await;
    };
    tokio::select! {
        response = exchange(near, request, idle) => response,
        () = upstream => unreachable!(),
    }
}

async fn read(response: Response) -> Bytes {
    response.into_body().collect().await.unwrap().to_bytes()
}

/// The map of the request's fields becomes that of the answer's: nothing of whoever asked is in it, and a stream, which may last,
/// keeps no more room than it needs.
#[tokio::test]
async fn an_answer_has_its_own_fields_alone() {
    let chunked = b"HTTP/1.1 200 OK\r\nu-b: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n";
    for (says, has, keeps_room) in [
        (ANSWER, vec![("content-length", "2")], true),
        (chunked, vec![("u-b", "2"), ("transfer-encoding", "chunked")], false),
    ] {
        let mut fields = HeaderMap::new();
        for name in ["authorization", "cookie", "u-a", "u-b", "u-c", "u-d", "u-e"] {
            fields.append(name, HeaderValue::from_static("mine"));
        }
        let room = fields.capacity();
        let host = HeaderValue::from_static("inner");
        let to = Target { path: "/mcp", host: &host };
        let asks = Message::new(&Method::POST, to, Onward::new(fields, Vec::new()), Body::empty());
        let response = answered(asks, says, &Idle::default()).await.unwrap();
        let fields: Vec<_> = response.headers().iter().collect();
        let has: Vec<_> = has.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let fields: Vec<_> = fields
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect();
        assert_eq!(fields, has);
        assert_eq!(response.headers().capacity() == room, keeps_room);
    }
}

/// A body that says how long it is, and may be wrong.
struct Says {
    length: u64,
    parts: Vec<&'static str>,
}

impl http_body::Body for Says {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let part = (!self.parts.is_empty()).then(|| self.parts.remove(0));
        Poll::Ready(part.map(|part| Ok(Frame::data(Bytes::from_static(part.as_bytes())))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.length)
    }
}

/// What is longer would be the next request on the connection.
#[tokio::test]
async fn a_body_is_as_long_as_it_says() {
    for (length, parts, sent) in [
        (4, vec!["ab", "cd"], true),
        (4, vec!["ab", "cde"], false),
        (4, vec!["abcde"], false),
        (4, vec!["ab"], false),
        (4, vec![], false),
    ] {
        let body = Body::new(Says { length, parts: parts.clone() });
        let answer = answered(post(body), ANSWER, &Idle::default()).await;
        assert_eq!(answer.is_ok(), sent, "{parts:?}");
        assert!(sent || matches!(answer, Err(Fault::RequestBody(_))), "{parts:?}");
    }
}

/// What is said unasked would be taken for the answer to the next request.
#[tokio::test]
async fn a_connection_on_which_something_happened_is_not_used_again() {
    for (said, closed, stays) in [("", false, true), ("H", false, false), ("", true, false)] {
        let idle = Idle::default();
        let (near, mut far) = duplex(1024);
        idle.put(near);
        far.write_all(said.as_bytes()).await.unwrap();
        let far = (!closed).then_some(far);
        assert_eq!(idle.take().is_some(), stays, "{said} {closed}");
        drop(far);
    }
}

/// Nor is one that has said more than its answer.
#[tokio::test]
async fn what_follows_an_answer_belongs_to_no_other() {
    let chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n";
    for answer in [ANSWER, chunked] {
        for (more, stays) in [(b"".as_slice(), true), (b"HTTP/1.1 200 OK\r\n", false)] {
            let idle = Idle::default();
            let says = [answer, more].concat();
            let (near, mut far) = duplex(1024);
            far.write_all(&says).await.unwrap();
            let response = exchange(near, post(Body::empty()), &idle).await.unwrap();
            assert_eq!(read(response).await, "{}");
            assert_eq!(idle.take().is_some(), stays, "{}", String::from_utf8_lossy(&says));
        }
    }
}

/// What was not told yet would be read as part of the next request.
#[tokio::test]
async fn a_connection_that_was_not_told_all_is_not_used_again() {
    let endless = Body::from_stream(futures_util::stream::pending::<Result<Bytes, Infallible>>());
    for (body, stays) in [(Body::from("all of it"), true), (endless, false)] {
        let idle = Idle::default();
        let (near, mut far) = duplex(1024);
        far.write_all(ANSWER).await.unwrap();
        let response = exchange(near, post(body), &idle).await.unwrap();
        assert_eq!(read(response).await, "{}");
        assert_eq!(idle.take().is_some(), stays);
        assert!(far.read(&mut [0; 16]).now_or_never().is_some());
    }
}
