//! An upstream that speaks streamable HTTP.

use std::borrow::Cow;
use std::io;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use futures_util::FutureExt;
use futures_util::future::Either;
use http::uri::PathAndQuery;
use http::{HeaderValue, Request, Uri, Version};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tower::ServiceExt;
use url::Url;

use super::answer;
use super::http2::{self, Connections, Place};
use super::onward::Onward;
use super::options::{HttpOptions, HttpVersion};
use super::tls::{UpstreamTls, UpstreamTlsError};
use super::wire::{self, Fault, Idle, Message, Target};
use crate::edge::observed::Observed;

/// How long TCP and TLS may take.
const CONNECT: Duration = Duration::from_secs(10);

/// Why no upstream can be made of a URL.
#[derive(Debug, thiserror::Error)]
pub enum HttpUpstreamError {
    /// Only HTTP is spoken.
    #[error("the upstream URL is not an http or https URL with a host; it begins with {0}:")]
    NotHttp(String),
    /// What stands in a URL is printed, logged and passed on.
    #[error("the upstream URL holds a user name or a password, which would never be sent; take them out")]
    Credentials,
    /// No certificate authority is known.
    #[error(
        "the upstream's certificate could not be checked, since the system's certificates cannot be read: {0}"
    )]
    Certificates(#[from] std::io::Error),
    /// TLS was set for a URL without it.
    #[error("TLS is set for an upstream whose URL is {0}, so nothing would come of it; write https")]
    NotTls(String),
    /// TLS cannot be spoken.
    #[error(transparent)]
    Tls(#[from] UpstreamTlsError),
}

/// In a box: it is handed on with each request, and what TLS keeps is large.
type Alone = Box<TokioIo<MaybeHttpsStream<TokioIo<TcpStream>>>>;

/// Why there is no connection.
type Broken = Box<dyn std::error::Error + Send + Sync>;

/// Why upstream gave no answer.
enum Unanswered {
    /// No connection came about.
    Unreached(Broken),
    /// The exchange went wrong.
    Fault(Fault),
}

impl From<Fault> for Unanswered {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// What a request goes over.
enum Connected {
    /// A connection of its own.
    Alone(Alone),
    /// A place among others, over HTTP/2.
    Among(Place),
}

#[derive(Clone, Debug)]
pub(super) struct HttpUpstream {
    connector: HttpsConnector<HttpConnector>,
    idle: Idle<Alone>,
    version: HttpVersion,
    connections: Connections,
    target: Uri,
    host: HeaderValue,
    /// For the log: path and query are the operator's, and may hold a key.
    origin: String,
}

impl HttpUpstream {
    pub(super) fn new(url: &Url, options: &HttpOptions) -> Result<Self, HttpUpstreamError> {
        let not_http = || HttpUpstreamError::NotHttp(url.scheme().to_owned());
        let tls = options.tls.as_ref();
        let mut plain = url.clone();
        plain.set_fragment(None);
        if !url.username().is_empty() || url.password().is_some() {
            return Err(HttpUpstreamError::Credentials);
        }
        if !matches!(url.scheme(), "http" | "https") {
            return Err(not_http());
        }
        if tls.is_some() && url.scheme() != "https" {
            return Err(HttpUpstreamError::NotTls(format!("{}:…", url.scheme())));
        }
        let target: Uri = plain.as_str().parse().map_err(|_| not_http())?;
        let authority = target.authority().ok_or_else(not_http)?;
        let host = HeaderValue::try_from(authority.as_str()).map_err(|_| not_http())?;
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT));
        let builder = HttpsConnectorBuilder::new()
            .with_tls_config(tls.map_or_else(UpstreamTls::of_the_system, |tls| Ok(tls.clone()))?.config())
            .https_or_http();
        let connector = match options.version {
            HttpVersion::Http1 => builder.enable_http1().wrap_connector(tcp),
            HttpVersion::Http2 => builder.enable_http1().enable_http2().wrap_connector(tcp),
        };
        let origin = url.origin().ascii_serialization();
        let (idle, connections) = (Idle::default(), Connections::default());
        Ok(Self { connector, idle, version: options.version, connections, target, host, origin })
    }

    pub(super) fn forward<'f>(
        &'f self,
        request: Request<Body>,
        fields: Onward<'f>,
    ) -> impl Future<Output = Response> + Send + use<'f> {
        let path = self.path(request.uri().query());
        self.forward_to(&path, request, fields)
    }

    /// The same to that path, and query, of this server's.
    ///
    /// Over HTTP/1.1 the request is written before anybody is waited for: what waits is handed on with every request, so it is
    /// small.
    pub(super) fn forward_to<'f>(
        &'f self,
        path: &str,
        request: Request<Body>,
        fields: Onward<'f>,
    ) -> impl Future<Output = Response> + Send + use<'f> {
        match self.version {
            HttpVersion::Http1 => Either::Left(self.write_to(path, request, fields)),
            HttpVersion::Http2 => {
                let observed = Observed::of(request.extensions());
                let answer = Box::pin(self.send_as_agreed(path.to_owned(), request, fields, observed));
                Either::Right(answer.map(|answer| self.answered(answer)))
            }
        }
    }

    /// Whether every request goes over a connection of its own.
    pub(super) fn speaks_http1_alone(&self) -> bool {
        self.version == HttpVersion::Http1
    }

    /// The same as [`Self::forward`], where [every request](Self::speaks_http1_alone) is written at once: nothing of what is told
    /// is kept for it.
    pub(super) fn write<'h>(
        &'h self,
        request: Request<Body>,
        fields: Onward<'_>,
    ) -> impl Future<Output = Response> + Send + use<'h> {
        let path = self.path(request.uri().query());
        self.write_to(&path, request, fields)
    }

    fn write_to<'h>(
        &'h self,
        path: &str,
        request: Request<Body>,
        fields: Onward<'_>,
    ) -> impl Future<Output = Response> + Send + use<'h> {
        let observed = Observed::of(request.extensions());
        self.send(self.message(path, request, fields), observed).map(|answer| self.answered(answer))
    }

    fn answered(&self, answer: Result<Response, Unanswered>) -> Response {
        answer.map_or_else(|why| self.bad_gateway(why), answer::clean)
    }

    /// Over a connection of its own.
    async fn send(&self, message: Message, observed: Option<Observed>) -> Result<Response, Unanswered> {
        let stream = match self.idle.take() {
            Some(idle) => idle,
            None => Box::pin(in_time(observed, self.connect())).await?,
        };
        // A POST may have been acted upon: it is the client's to decide whether to send it again.
        Ok(wire::exchange(stream, message, &self.idle).await?)
    }

    /// Over HTTP/2, where upstream speaks it.
    async fn send_as_agreed(
        &self,
        path: String,
        request: Request<Body>,
        fields: Onward<'_>,
        observed: Option<Observed>,
    ) -> Result<Response, Unanswered> {
        let there = self.connections.take().map(Connected::Among);
        let connected = match there.or_else(|| self.idle.take().map(Connected::Alone)) {
            Some(there) => there,
            None => in_time(observed, self.agree()).await?,
        };
        Ok(match connected {
            Connected::Alone(stream) => {
                wire::exchange(stream, self.message(&path, request, fields), &self.idle).await?
            }
            Connected::Among(place) => {
                let (head, body) = self.head(&path, request, fields)?;
                http2::exchange(place, head, body).await?
            }
        })
    }

    fn bad_gateway(&self, why: Unanswered) -> Response {
        let (error, said) = match &why {
            Unanswered::Unreached(error) => {
                (chain(&**error), "the MCP server behind this gateway cannot be reached")
            }
            Unanswered::Fault(fault) => (chain(fault), what_became_of_it(fault)),
        };
        tracing::error!(upstream = self.origin, %error, "no answer of the upstream server");
        answer::bad_gateway(said)
    }

    /// What is sent for a request.
    fn message(&self, path: &str, request: Request<Body>, fields: Onward<'_>) -> Message {
        let (parts, body) = request.into_parts();
        Message::new(&parts.method, Target { path, host: &self.host }, fields, body)
    }

    /// The same over HTTP/2. `:scheme`, `:authority` and `:path` are the operator's own (RFC 9113 §8.3.1).
    fn head(
        &self,
        path: &str,
        request: Request<Body>,
        fields: Onward<'_>,
    ) -> Result<(Request<()>, Body), Fault> {
        let (parts, body) = request.into_parts();
        let mut uri = self.target.clone().into_parts();
        let wrong = |_| Fault::Target;
        uri.path_and_query = Some(PathAndQuery::try_from(path).map_err(wrong)?);
        let mut head = Request::new(());
        *head.method_mut() = parts.method;
        *head.uri_mut() = Uri::from_parts(uri).map_err(|_| Fault::Target)?;
        *head.version_mut() = Version::HTTP_2;
        *head.headers_mut() = fields.into_fields();
        Ok((head, body))
    }

    async fn connect(&self) -> Result<Alone, Broken> {
        Ok(Box::new(TokioIo::new(self.connector.clone().oneshot(self.target.clone()).await?)))
    }

    /// A new connection, in the version that upstream has chosen.
    async fn agree(&self) -> Result<Connected, Broken> {
        let stream = self.connect().await?;
        Ok(match has_chosen_http2(stream.inner()) {
            true => Connected::Among(self.connections.open(stream).await?),
            false => Connected::Alone(stream),
        })
    }

    /// The endpoint maps to exactly one URL. A client's query is carried on only where the operator set
    /// none: added to the operator's, it could say one of its parameters again, and of two parameters
    /// with one name many servers take the last.
    fn path(&self, query: Option<&str>) -> Cow<'_, str> {
        let own = self.target.path_and_query().map_or("/", |own| own.as_str());
        match query.filter(|_| self.target.query().is_none()) {
            Some(query) => format!("{own}?{query}").into(),
            None => own.into(),
        }
    }
}

/// A connection that comes about within the time that it has.
async fn in_time<T>(
    observed: Option<Observed>,
    connecting: impl Future<Output = Result<T, Broken>>,
) -> Result<T, Unanswered> {
    let connected = match timeout(CONNECT, connecting).await {
        Ok(connected) => connected,
        Err(_) => Err(io::Error::from(io::ErrorKind::TimedOut).into()),
    };
    if let Some(observed) = observed {
        observed.connected(connected.is_ok());
    }
    connected.map_err(Unanswered::Unreached)
}

/// Whether both sides have agreed on it; without TLS nobody is asked.
fn has_chosen_http2(stream: &MaybeHttpsStream<TokioIo<TcpStream>>) -> bool {
    match stream {
        MaybeHttpsStream::Http(_) => true,
        MaybeHttpsStream::Https(tls) => tls.inner().get_ref().1.alpn_protocol() == Some(b"h2"),
    }
}

/// For whoever sent a request that has no answer.
fn what_became_of_it(fault: &Fault) -> &'static str {
    match fault {
        Fault::Closed => {
            "the MCP server behind this gateway took the request, and closed the connection without an answer"
        }
        Fault::NotHttp(_) => "the MCP server behind this gateway answered with something that is not HTTP",
        Fault::RequestBody(_) => "the body of the request broke off",
        Fault::Target => "the query of the request cannot be carried on",
        Fault::Incomplete | Fault::Connection(_) | Fault::Http2(_) => {
            "the connection to the MCP server behind this gateway broke off before there was an answer"
        }
    }
}

/// An error with all its causes: many an error's own text names none of them.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
