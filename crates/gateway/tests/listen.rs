//! The accept loop, over real connections. Time is tokio's and stands still until everything waits.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // Tests fail by panicking.

mod support;

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::routing::get;
use hallpass_gateway::Upstream;
use hallpass_gateway::edge::{Edge, Limit};
use hallpass_gateway::listen::{Connections, serve};
use support::{protect, soon};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

struct Server {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

async fn start(router: Router, connections: Connections) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let task = tokio::spawn(serve(listener, router, connections, async move { drop(stopped.await) }));
    Server { address, stop, task }
}

fn hello() -> Router {
    Router::new()
        .route("/", get(async |ConnectInfo(peer): ConnectInfo<SocketAddr>| format!("hello {}", peer.ip())))
        .route(
            "/for-ever",
            get(
                async || Body::from_stream(futures_util::stream::pending::<Result<String, std::io::Error>>()),
            ),
        )
}

impl Server {
    async fn send(&self, bytes: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        // A server that has read enough may have hung up.
        drop(stream.write_all(bytes).await);
        stream
    }
}

/// All that comes until the server hangs up.
async fn rest(mut stream: TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return String::from_utf8_lossy(&bytes).into_owned(),
            Ok(read) => bytes.extend_from_slice(&buffer[..read]),
        }
    }
}

/// An hour of paused time is over as soon as nothing else happens.
async fn within_an_hour<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(3600), future).await.expect("to happen within an hour")
}

#[tokio::test]
async fn handlers_know_the_peer() {
    let server = start(hello(), Connections::default()).await;
    let stream = server.send(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    let answer = soon(rest(stream)).await;
    assert!(answer.ends_with("hello 127.0.0.1"), "{answer}");
}

#[tokio::test]
async fn http2_is_spoken_to_those_who_begin_with_it() {
    let server = start(hello(), Connections::default()).await;
    let client = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
    let answer = soon(client.get(format!("http://{}/", server.address)).send()).await.unwrap();
    assert_eq!(answer.version(), http::Version::HTTP_2);
    assert_eq!(soon(answer.text()).await.unwrap(), "hello 127.0.0.1");
}

/// What upstream said before it died: head and events. Nothing but the end is missing.
#[tokio::test]
async fn what_was_said_before_an_answer_broke_off_arrives() {
    let router = Router::new().route(
        "/",
        get(async || {
            let said = [Ok("data: 1\n\n"), Ok("data: 2\n\n"), Err(std::io::Error::other("upstream died"))];
            Body::from_stream(futures_util::stream::iter(said))
        }),
    );
    let server = start(router, Connections::default()).await;
    let answer = soon(rest(server.send(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await)).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer:?}");
    assert!(answer.contains("data: 1") && answer.contains("data: 2"), "{answer:?}");
    assert!(!answer.ends_with("0\r\n\r\n"), "{answer:?}");
}

/// Slow loris: whoever does not finish the head of a request in time is cut, however little was sent.
#[tokio::test(start_paused = true)]
async fn slow_heads_are_cut() {
    let server = start(hello(), Connections::default()).await;
    for sent in ["", "P", "PRI * HTTP/2.0", "GET / HTTP/1.1", "GET / HTTP/1.1\r\nhost: x\r\nx-slow: "] {
        let answer = within_an_hour(rest(server.send(sent.as_bytes()).await)).await;
        assert!(!answer.contains("200 OK"), "{sent:?}: {answer}");
    }
    let after_one = b"GET / HTTP/1.1\r\nhost: x\r\n\r\nGET / HTTP/1.1\r\n";
    let begun = tokio::time::Instant::now();
    let answer = within_an_hour(rest(server.send(after_one).await)).await;
    assert_eq!(answer.matches("200 OK").count(), 1, "{answer}");
    // Looks at the whole connection would come to it in the third half minute.
    assert!(begun.elapsed() < Duration::from_secs(45), "{:?}", begun.elapsed());
}

/// Whoever sends a body drop by drop, or not at all, is not waited for.
#[tokio::test(start_paused = true)]
async fn bodies_that_stand_still_are_given_up() {
    let router = Router::new().route("/", axum::routing::post(async |body: String| body));
    let server = start(router, Connections::default()).await;
    let stream = server.send(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\na").await;
    let answer = within_an_hour(rest(stream)).await;
    assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
}

/// A byte now and then is standing still, too.
#[tokio::test(start_paused = true)]
async fn bodies_that_come_drop_by_drop_are_given_up() {
    let router = Router::new().route("/", axum::routing::post(async |body: String| body.len().to_string()));
    let server = start(router, Connections::default()).await;
    let mut stream = server.send(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5000\r\n\r\n").await;
    let mut sent = 0;
    while stream.write_all(b"x").await.is_ok() && sent < 100 {
        sent += 1;
        tokio::time::sleep(Duration::from_secs(10)).await;
    }
    let answer = within_an_hour(rest(stream)).await;
    assert!(answer.starts_with("HTTP/1.1 4") || answer.is_empty(), "{answer}");
    assert!(sent < 20, "{sent}");
}

/// A KiB in half a minute is slow, and comes to its end.
#[tokio::test(start_paused = true)]
async fn slow_bodies_are_waited_for() {
    let router = Router::new().route("/", axum::routing::post(async |body: String| body.len().to_string()));
    let server = start(router, Connections::default()).await;
    let head = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 12000\r\nconnection: close\r\n\r\n";
    let mut stream = server.send(head).await;
    for _ in 0..20 {
        stream.write_all(&[b'x'; 600]).await.unwrap();
        tokio::time::sleep(Duration::from_secs(10)).await;
    }
    let answer = within_an_hour(rest(stream)).await;
    assert!(answer.ends_with("12000"), "{answer}");
}

/// An answer that has no end of its own, in pieces of 64 KiB.
fn endless() -> Router {
    let pieces = || futures_util::stream::repeat_with(|| Ok::<_, std::io::Error>(vec![b'x'; 64 * 1024]));
    Router::new().route("/", get(async move || Body::from_stream(pieces())))
}

/// The answer is under way, and nobody takes it: its place is for somebody else.
#[tokio::test(start_paused = true)]
async fn who_takes_nothing_of_an_answer_under_way_is_cut() {
    let server = start(endless(), Connections { connections: 1, ..Connections::default() }).await;
    let unread = server.send(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let second = server.send(b"GET /no HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    assert!(within_an_hour(rest(second)).await.contains("404"));
    drop(unread);
}

/// HTTP/2 has a window for each stream: one that is never opened holds its answer, while pings are answered.
#[tokio::test(start_paused = true)]
async fn who_takes_nothing_of_a_stream_is_cut() {
    let server = start(endless(), Connections { connections: 1, ..Connections::default() }).await;
    let client = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
    let unread = client.get(format!("http://{}/", server.address)).send().await.unwrap();
    let second = server.send(b"GET /no HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    assert!(within_an_hour(rest(second)).await.contains("404"));
    drop(unread);
}

#[tokio::test(start_paused = true)]
async fn there_are_only_so_many_connections() {
    let server = start(hello(), Connections { connections: 1, ..Connections::default() }).await;
    let mut first = server.send(b"GET /for-ever HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(first.read(&mut [0; 4096]).await.unwrap() > 0);
    let mut second = server.send(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    let early = tokio::time::timeout(Duration::from_secs(3600), second.read(&mut [0; 4096])).await;
    assert!(early.is_err(), "{early:?}");
    drop(first);
    assert!(soon(rest(second)).await.contains("200 OK"));
}

/// Nothing is asked and nothing is answered: the place is for somebody else.
#[tokio::test(start_paused = true)]
async fn idle_http2_connections_are_closed() {
    let server = start(hello(), Connections { connections: 1, ..Connections::default() }).await;
    let client = reqwest::Client::builder().http2_prior_knowledge().pool_idle_timeout(None).build().unwrap();
    client.get(format!("http://{}/", server.address)).send().await.unwrap().text().await.unwrap();
    let second = server.send(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    assert!(within_an_hour(rest(second)).await.contains("200 OK"));
    drop(client);
}

fn long() -> Router {
    Router::new().route("/", get(async || vec![b'x'; 64 * 1024 * 1024]))
}

/// Its answer lies in buffers, where nobody takes it out.
#[tokio::test(start_paused = true)]
async fn connections_of_those_who_read_nothing_are_closed() {
    let server = start(long(), Connections { connections: 1, ..Connections::default() }).await;
    let unread = server.send(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let second = server.send(b"GET /no HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    assert!(within_an_hour(rest(second)).await.contains("404"));
    drop(unread);
}

/// The answer was handed over whole long ago, and its reader takes it piece by piece.
#[tokio::test(start_paused = true)]
async fn connections_of_those_who_read_slowly_are_kept() {
    let server = start(long(), Connections::default()).await;
    let mut stream = server.send(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    let (mut whole, mut buffer) = (0, vec![0; 4 * 1024 * 1024]);
    loop {
        match stream.read(&mut buffer).await.unwrap() {
            0 => break,
            read => whole += read,
        }
        tokio::time::sleep(Duration::from_secs(10)).await;
    }
    assert!(whole > 64 * 1024 * 1024, "{whole}");
}

/// A request now and then is enough, though none is under way when it is looked.
#[tokio::test(start_paused = true)]
async fn connections_that_are_used_now_and_then_are_kept() {
    let server = start(hello(), Connections::default()).await;
    let mut stream = server.send(b"").await;
    for number in 0..10 {
        stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        let mut buffer = [0; 4096];
        let read = stream.read(&mut buffer).await.unwrap();
        assert!(String::from_utf8_lossy(&buffer[..read]).starts_with("HTTP/1.1 200"), "{number}");
        tokio::time::sleep(Duration::from_secs(20)).await;
    }
}

/// A long answer is no slow head.
#[tokio::test(start_paused = true)]
async fn long_answers_are_not_cut() {
    let server = start(hello(), Connections::default()).await;
    let mut stream = server.send(b"GET /for-ever HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let mut buffer = [0; 4096];
    assert!(stream.read(&mut buffer).await.unwrap() > 0);
    let more = tokio::time::timeout(Duration::from_secs(3600), stream.read(&mut buffer)).await;
    assert!(more.is_err(), "{more:?}");
}

#[tokio::test]
async fn heads_are_bounded() {
    let server = start(hello(), Connections::default()).await;
    let long = format!("GET / HTTP/1.1\r\nhost: x\r\nx-long: {}\r\n\r\n", "a".repeat(100_000));
    let many = format!("GET / HTTP/1.1\r\nhost: x\r\n{}\r\n", "x: y\r\n".repeat(200));
    for head in [long, many] {
        let answer = soon(rest(server.send(head.as_bytes()).await)).await;
        assert!(!answer.contains("200 OK"), "{answer}");
    }
    // Others are unharmed.
    let stream = server.send(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    assert!(soon(rest(stream)).await.contains("200 OK"));
}

/// Requests whose end two servers would see in two places.
#[tokio::test]
async fn smuggled_requests_are_refused() {
    let server = start(hello(), Connections::default()).await;
    for head in [
        "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\ncontent-length: 5\r\n\r\nabcde",
        "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: +4\r\n\r\nabcd",
        "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding : chunked\r\n\r\n0\r\n\r\n",
        "GET / HTTP/1.1\r\n host: x\r\n\r\n",
        "GET /\0 HTTP/1.1\r\nhost: x\r\n\r\n",
    ] {
        let answer = soon(rest(server.send(head.as_bytes()).await)).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{head:?}: {answer}");
    }
}

/// RFC 9112 §6.1: what nobody here undoes goes no further, whatever else is done about requests; nor does what comes behind it.
#[tokio::test]
async fn codings_that_are_not_understood_are_refused() {
    let counting = Edge::default().limiting(Limit { requests: NonZeroU32::new(1000), ..Limit::default() });
    for edge in [Edge::default(), counting] {
        let server = start(hello(), Connections { edge, ..Connections::default() }).await;
        for codings in ["gzip, chunked", "chunked, chunked", "chunked\r\ntransfer-encoding: chunked"] {
            let head = format!("GET / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: {codings}\r\n\r\n0\r\n\r\n");
            let behind = "GET / HTTP/1.1\r\nhost: x\r\n\r\n";
            let answer = soon(rest(server.send(format!("{head}{behind}").as_bytes()).await)).await;
            assert!(answer.starts_with("HTTP/1.1 501"), "{codings}: {answer}");
            assert!(!answer.contains("200 OK"), "{codings}: {answer}");
        }
    }
}

#[tokio::test]
async fn shutdown_waits_for_requests_under_way() {
    let (release, released) = oneshot::channel::<()>();
    let released = std::sync::Arc::new(tokio::sync::Mutex::new(Some(released)));
    let (begun, has_begun) = oneshot::channel::<()>();
    let begun = std::sync::Arc::new(std::sync::Mutex::new(Some(begun)));
    let router = Router::new().route(
        "/",
        get(async move || {
            begun.lock().unwrap().take().unwrap().send(()).unwrap();
            released.lock().await.take().unwrap().await.unwrap();
            "done"
        }),
    );
    let server = start(router, Connections::default()).await;
    let stream = server.send(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    soon(has_begun).await.unwrap();
    server.stop.send(()).unwrap();
    release.send(()).unwrap();
    let answer = soon(rest(stream)).await;
    assert!(answer.ends_with("done"), "{answer}");
    soon(server.task).await.unwrap();
    assert!(TcpStream::connect(server.address).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn shutdown_does_not_wait_for_ever() {
    let server = start(hello(), Connections::default()).await;
    let mut stream = server.send(b"GET /for-ever HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(stream.read(&mut [0; 4096]).await.unwrap() > 0);
    server.stop.send(()).unwrap();
    within_an_hour(server.task).await.unwrap();
    within_an_hour(rest(stream)).await;
}

/// What answers a GET at the endpoint ends with the server, at once: here the time to wait is endless.
#[tokio::test]
async fn streams_of_listening_clients_end_with_the_server() {
    let endless = Upstream::service(Router::new().route(
        "/mcp",
        get(async || Body::from_stream(futures_util::stream::pending::<Result<String, std::io::Error>>())),
    ));
    let protected = protect(endless, false);
    let connections = Connections { drain: Duration::MAX, ..Connections::default() };
    let server = start(protected.router.clone(), connections).await;
    let token = protected.token("notes:read");
    let request =
        format!("GET /mcp HTTP/1.1\r\nhost: localhost:8080\r\nauthorization: Bearer {token}\r\n\r\n");
    let mut stream = server.send(request.as_bytes()).await;
    let mut buffer = [0; 4096];
    let read = soon(stream.read(&mut buffer)).await.unwrap();
    assert!(buffer[..read].starts_with(b"HTTP/1.1 200"));
    server.stop.send(()).unwrap();
    soon(server.task).await.unwrap();
    soon(rest(stream)).await;
}

/// Who refuses before the body is there reads it all the same: a connection that is closed while bytes are on the way is reset,
/// and the client loses the answer.
#[tokio::test]
async fn an_answer_that_comes_before_the_body_arrives() {
    let router = Router::new().route("/", axum::routing::post(async || http::StatusCode::PAYLOAD_TOO_LARGE));
    let server = start(router, Connections::default()).await;
    // More than the buffers of both sides hold.
    let body = vec![b'x'; 32 * 1024 * 1024];
    for framing in ["content-length: 33554432\r\n\r\n", "transfer-encoding: chunked\r\n\r\n2000000\r\n"] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let head = format!("POST / HTTP/1.1\r\nhost: x\r\n{framing}");
        stream.write_all(head.as_bytes()).await.unwrap();
        soon(stream.write_all(&body)).await.unwrap();
        if framing.contains("chunked") {
            stream.write_all(b"\r\n0\r\n\r\n").await.unwrap();
        }
        // The connection goes on.
        stream.write_all(b"GET /no HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
        let answers = soon(rest(stream)).await;
        assert!(answers.starts_with("HTTP/1.1 413") && answers.contains("HTTP/1.1 404"), "{answers}");
    }
}

/// Whoever waits to be asked for the body is not asked by those who throw it away.
#[tokio::test]
async fn a_refused_client_that_waits_for_100_continue_is_not_asked_to_send() {
    let refuse = async || {
        tokio::task::yield_now().await;
        http::StatusCode::PAYLOAD_TOO_LARGE
    };
    let server = start(Router::new().route("/", axum::routing::post(refuse)), Connections::default()).await;
    for _ in 0..20 {
        let head = b"POST / HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 10\r\n\r\n";
        let answer = soon(rest(server.send(head).await)).await;
        assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    }
}

/// What never ends is not read for ever.
#[tokio::test(start_paused = true)]
async fn a_body_without_end_is_given_up() {
    let router = Router::new().route("/", axum::routing::post(async || "enough"));
    let server = start(router, Connections::default()).await;
    let head = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\nx";
    let begun = tokio::time::Instant::now();
    let answer = within_an_hour(rest(server.send(head).await)).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(begun.elapsed() < Duration::from_secs(11), "{:?}", begun.elapsed());
}

/// Of the whole request, and of nothing else: who takes the body wakes nobody when all of it is there.
#[tokio::test]
async fn a_request_is_looked_at_no_more_often_than_something_happens() {
    let polls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&polls);
    let (whole, mut taken) = mpsc::unbounded_channel();
    let service = tower::service_fn(move |request: axum::extract::Request| {
        let (polls, whole) = (Arc::clone(&counted), whole.clone());
        let mut answer = Box::pin(async move {
            let body = axum::body::to_bytes(request.into_body(), usize::MAX).await.unwrap();
            whole.send(body.len()).unwrap();
            std::future::pending::<Result<axum::response::Response, std::convert::Infallible>>().await
        });
        std::future::poll_fn(move |context| {
            polls.fetch_add(1, Ordering::Relaxed);
            answer.as_mut().poll(context)
        })
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve(listener, service, Connections::default(), std::future::pending()));
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\n12345").await.unwrap();
    assert_eq!(soon(taken.recv()).await, Some(5));
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(polls.load(Ordering::Relaxed), 1);
}

/// Reading is what asks it: it is told so, and what it sends then is read.
#[tokio::test]
async fn a_client_that_waits_for_100_continue_is_asked_to_send() {
    let router = Router::new().route("/", axum::routing::post(async |body: String| body));
    let server = start(router, Connections::default()).await;
    let head = b"POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n";
    let mut stream = server.send(head).await;
    let mut asked = [0; 25];
    soon(stream.read_exact(&mut asked)).await.unwrap();
    assert_eq!(&asked, b"HTTP/1.1 100 Continue\r\n\r\n");
    for piece in ["12", "34", "5"] {
        stream.write_all(piece.as_bytes()).await.unwrap();
        tokio::task::yield_now().await;
    }
    let answer = soon(rest(stream)).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("\r\n\r\n12345"), "{answer}");
}
