//! The accept loop. `axum::serve` sets no time limit on a request's head and no limit on how long a
//! shutdown takes, so hallpass has its own.

mod aside;
mod challenges;
mod coding;
mod echo;
mod looks;
mod measured;
mod requests;
mod rest;
mod tls;
mod written;

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::response::Response;
use futures_util::future::{Either, ready};
use hallpass_protocol::certificate::PeerCertificate;
use http::header::EXPECT;
use http::{Method, Version};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, interval_at, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::{Service, ServiceExt};

use self::aside::Aside;
pub use self::challenges::{Answered, Challenges};
use self::echo::Ear;
use self::looks::{LOOKS, Looks, Verdict};
use self::measured::Measured;
use self::requests::{Noted, Requests};
use self::rest::ReadToItsEnd;
pub use self::tls::{ClientCertificates, Tls, TlsError};
use self::written::{Counted, Written};
use crate::edge::Edge;
use crate::edge::overheard::Overheard;
use crate::edge::proxies::told;

/// Among the extensions of a GET: is cancelled when the server has begun to shut down. Answers that have
/// no end of their own end then.
#[derive(Clone, Debug)]
pub struct Draining(pub CancellationToken);

/// How connections are treated.
#[derive(Clone, Debug)]
pub struct Connections {
    /// How long the head of a request may take, counted from the moment that a connection is there or
    /// that the answer before it has ended: 30 seconds. Connections that idle for longer are closed, and so are those of which
    /// the peer takes no KiB of a waiting answer in this time, and again in this time.
    pub head: Duration,
    /// The longest head, in bytes: 64 KiB.
    pub head_bytes: usize,
    /// The most header fields of a request: 100.
    pub head_fields: usize,
    /// How long the next KiB of a request's body may take, or its end: 30 seconds.
    pub body: Duration,
    /// The most connections at once: 10,000. Further ones wait until one ends.
    pub connections: usize,
    /// How long requests may go on after shutdown was asked for: 10 seconds. Streams are ended then.
    pub drain: Duration,
    /// TLS, where it ends here: none.
    pub tls: Option<Tls>,
    /// What is done beside serving: nothing.
    pub edge: Edge,
}

impl Default for Connections {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(30),
            head_bytes: 64 * 1024,
            head_fields: 100,
            body: Duration::from_secs(30),
            connections: 10_000,
            drain: Duration::from_secs(10),
            tls: None,
            edge: Edge::default(),
        }
    }
}

/// What answers requests: an axum router, or [`Served`](crate::Served).
pub trait Answers:
    Service<Request<Body>, Response = Response, Error = Infallible, Future: Send> + Clone + Send + 'static
{
}

impl<S> Answers for S where
    S: Service<Request<Body>, Response = Response, Error = Infallible, Future: Send> + Clone + Send + 'static
{
}

/// Serves until `shutdown` is done, then waits for requests under way, for no longer than
/// [`Connections::drain`]. Handlers find the peer's address as [`ConnectInfo`], and the certificate that it showed as
/// [`PeerCertificate`].
pub async fn serve(
    listener: TcpListener,
    service: impl Answers,
    connections: Connections,
    shutdown: impl Future<Output = ()>,
) {
    let draining = CancellationToken::new();
    let cut = CancellationToken::new();
    let tasks = TaskTracker::new();
    let builder = Arc::new(builder(&connections));
    let places = Arc::new(Semaphore::new(connections.connections));
    let edge = connections.edge.if_any();
    let mut shutdown = pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            () = &mut shutdown => break,
            accepted = accept(&listener, &places) => accepted,
        };
        match accepted {
            Ok((stream, peer, place)) => {
                let connection = Connection {
                    builder: Arc::clone(&builder),
                    service: service.clone(),
                    head: connections.head,
                    body: connections.body,
                    tls: connections.tls.clone(),
                    edge: edge.clone(),
                    draining: draining.clone(),
                    cut: cut.clone(),
                };
                tasks.spawn(async move {
                    connection.run(stream, peer).await;
                    drop(place);
                });
            }
            Err(error) => pause(&error).await,
        }
    }
    drop(listener);
    draining.cancel();
    tasks.close();
    if timeout(connections.drain, tasks.wait()).await.is_err() {
        tracing::info!(open = tasks.len(), "connections were still open and are cut");
        cut.cancel();
        tasks.wait().await;
    }
}

/// Takes a connection once there is a place for it.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    Ok((stream, peer, place))
}

fn builder(connections: &Connections) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        // It would make a timer for each request, where one for a connection will do: `Quiet`.
        .header_read_timeout(None)
        // Head and body of a short answer in one piece cost less than two pieces handed over at once.
        .writev(false)
        .max_buf_size(connections.head_bytes)
        .max_headers(connections.head_fields);
    let header_list = u32::try_from(connections.head_bytes).unwrap_or(u32::MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(header_list)
        .max_concurrent_streams(250)
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(20));
    builder
}

/// A peer that has gone already is no trouble. With no file descriptors left, trying again at once
/// would only burn time.
async fn pause(error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    if !matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset) {
        tracing::warn!(%error, "no connection can be taken");
        sleep(Duration::from_millis(100)).await;
    }
}

/// A proxy says at once whom it speaks for.
const TOLD_WITHIN: Duration = Duration::from_secs(5);

/// What ends the wait for the next look at a connection.
enum News<E> {
    /// It has ended by itself.
    Over(Result<(), E>),
    /// It is time to look.
    Look,
    /// The server begins to shut down.
    Drains,
    /// The server has waited long enough.
    Cut,
}

struct Connection<A> {
    builder: Arc<Builder<TokioExecutor>>,
    service: A,
    head: Duration,
    body: Duration,
    tls: Option<Tls>,
    edge: Option<Arc<Edge>>,
    draining: CancellationToken,
    cut: CancellationToken,
}

impl<A: Answers> Connection<A> {
    async fn run(self, mut stream: TcpStream, mut peer: SocketAddr) {
        // Without it, small events wait for the answer to the one before.
        if stream.set_nodelay(true).is_err() {
            return;
        }
        if self.edge.as_ref().is_some_and(|edge| edge.is_told_of(peer)) {
            let told = tokio::select! {
                told = timeout(self.head.min(TOLD_WITHIN), told(&mut stream)) => told,
                () = self.draining.cancelled() => return,
            };
            match told {
                Ok(Ok(from)) => peer = from.unwrap_or(peer),
                Ok(Err(error)) => {
                    return tracing::warn!(%peer, %error, "a listed proxy does not say whom it speaks for");
                }
                Err(_) => {
                    return tracing::warn!(%peer, "a listed proxy takes too long to say whom it speaks for");
                }
            }
        }
        let written = Written::default();
        let stream = Counted { stream, written: written.clone() };
        let Some(tls) = self.tls.clone() else { return self.speak(stream, written, peer, None).await };
        let shaken = tokio::select! {
            shaken = timeout(self.head, tls.accept(stream)) => shaken,
            () = self.draining.cancelled() => return,
        };
        match shaken {
            Ok(Ok(None)) => tracing::debug!(%peer, "an authority has looked for a name"),
            Ok(Ok(Some((stream, certificate)))) => self.speak(stream, written, peer, certificate).await,
            Ok(Err(error)) => tracing::debug!(%peer, %error, "no TLS came about"),
            Err(_) => tracing::debug!(%peer, "the TLS handshake took too long"),
        }
    }

    /// HTTP, over whatever carries it.
    async fn speak<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
        self,
        stream: S,
        written: Written,
        peer: SocketAddr,
        certificate: Option<PeerCertificate>,
    ) {
        let requests = Requests::default();
        let noting = requests.clone();
        let (answers, draining, body) = (self.service, Draining(self.draining.clone()), self.body);
        let edge = self.edge;
        let service = service_fn(move |request: Request<Incoming>| {
            let is_stream = request.version() == Version::HTTP_2;
            let under_way = noting.begin(is_stream);
            let mut refused = coding::refusal(request.headers());
            let waits = request.headers().contains_key(EXPECT);
            let mut request = request.map(|incoming| match Measured::new(body, incoming, is_stream) {
                body if is_stream => Body::new(ReadToItsEnd::stream(body)),
                body if waits => Body::new(body),
                body => Body::new(ReadToItsEnd::connection(body)),
            });
            request.extensions_mut().insert(ConnectInfo(peer));
            if request.method() == Method::GET {
                request.extensions_mut().insert(draining.clone());
            }
            if let Some(certificate) = &certificate {
                request.extensions_mut().insert(certificate.clone());
            }
            let mut arrival = None;
            if let Some(edge) = &edge {
                let (arrived, answer) = edge.arrive(&mut request, peer);
                if let Some(watched) = &arrived.watched {
                    let (observed, words) = (watched.observed().clone(), watched.wants_words());
                    request = request.map(|body| Body::new(Overheard::new(body, observed, words)));
                }
                (arrival, refused) = (Some(Box::new(arrived)), answer.or(refused));
            }
            let answer = match refused {
                None => Either::Left(answers.clone().oneshot(request)),
                Some(answer) => Either::Right(ready(Ok(answer))),
            };
            async move {
                let response = answer.await?;
                if let Some(arrival) = &mut arrival {
                    arrival.answered(&response);
                }
                Ok::<_, Infallible>(response.map(|body| Noted { body, arrival, under_way, broken: None }))
            }
        });
        let mut connection = pin!(self.builder.serve_connection(TokioIo::new(stream), service));
        let each = (self.head / LOOKS).max(Duration::from_millis(1));
        let mut look = interval_at(Instant::now() + each, each);
        let mut looks = Looks::from(written.so_far());
        let (mut cut, mut drained) = (pin!(self.cut.cancelled()), pin!(self.draining.cancelled()));
        let (mut leaving, aside, mut ear) = (false, Aside::new(), Ear::default());
        loop {
            let news = poll_fn(|context| {
                if let Poll::Ready(result) = connection.as_mut().poll(&mut ear.context(context)) {
                    return Poll::Ready(News::Over(result));
                }
                aside.poll(context, |context| {
                    if cut.as_mut().poll(context).is_ready() {
                        return Poll::Ready(News::Cut);
                    }
                    if !leaving && drained.as_mut().poll(context).is_ready() {
                        return Poll::Ready(News::Drains);
                    }
                    look.poll_tick(context).map(|_| News::Look)
                })
            });
            match news.await {
                News::Over(Ok(())) | News::Cut => return,
                News::Over(Err(error)) => {
                    return tracing::debug!(%peer, error = %error, "a connection ended early");
                }
                News::Drains => {
                    leaving = true;
                    connection.as_mut().graceful_shutdown();
                }
                News::Look => match looks.look(requests.seen(&written), leaving) {
                    Verdict::GoesOn => {}
                    Verdict::Leaves => {
                        leaving = true;
                        connection.as_mut().graceful_shutdown();
                    }
                    Verdict::Idle => return,
                    Verdict::Stuck => return tracing::debug!(%peer, "who takes nothing of an answer is cut"),
                },
            }
        }
    }
}
