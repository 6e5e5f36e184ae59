//! An upstream that speaks streamable HTTP.

use std::borrow::Cow;
use std::io;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, Request, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tower::ServiceExt;
use url::Url;

use super::answer;
use super::onward::Onward;
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
type Connected = Box<TokioIo<MaybeHttpsStream<TokioIo<TcpStream>>>>;

#[derive(Clone, Debug)]
pub(super) struct HttpUpstream {
    connector: HttpsConnector<HttpConnector>,
    idle: Idle<Connected>,
    target: Uri,
    host: HeaderValue,
    /// For the log: path and query are the operator's, and may hold a key.
    origin: String,
}

impl HttpUpstream {
    pub(super) fn new(url: &Url, tls: Option<&UpstreamTls>) -> Result<Self, HttpUpstreamError> {
        let not_http = || HttpUpstreamError::NotHttp(url.scheme().to_owned());
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
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls.map_or_else(UpstreamTls::of_the_system, |tls| Ok(tls.clone()))?.config())
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        let origin = url.origin().ascii_serialization();
        Ok(Self { connector, idle: Idle::default(), target, host, origin })
    }

    pub(super) async fn forward(&self, request: Request<Body>, fields: Onward<'_>) -> Response {
        let observed = Observed::of(request.extensions());
        let message = self.message(request, &fields);
        drop(fields);
        let (error, said) = match self.connection(observed).await {
            // A POST may have been acted upon: it is the client's to decide whether to send it again.
            Ok(connection) => match wire::exchange(connection, message, &self.idle).await {
                Ok(response) => return answer::clean(response),
                Err(fault) => (chain(&fault), what_became_of_it(&fault)),
            },
            Err(error) => (chain(&*error), "the MCP server behind this gateway cannot be reached"),
        };
        tracing::error!(upstream = self.origin, %error, "no answer of the upstream server");
        answer::bad_gateway(said)
    }

    /// What is sent for a request.
    fn message(&self, request: Request<Body>, fields: &Onward<'_>) -> Message {
        let (parts, body) = request.into_parts();
        let path = self.path(parts.uri.query());
        Message::new(&parts.method, Target { path: &path, host: &self.host }, fields, body)
    }

    /// One that is there already, or a new one.
    async fn connection(
        &self,
        observed: Option<Observed>,
    ) -> Result<Connected, Box<dyn std::error::Error + Send + Sync>> {
        if let Some(idle) = self.idle.take() {
            return Ok(idle);
        }
        let connecting = self.connector.clone().oneshot(self.target.clone());
        let connected = match timeout(CONNECT, connecting).await {
            Ok(connected) => connected.map(|connected| Box::new(TokioIo::new(connected))),
            Err(_) => Err(io::Error::from(io::ErrorKind::TimedOut).into()),
        };
        if let Some(observed) = observed {
            observed.connected(connected.is_ok());
        }
        connected
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

/// For whoever sent a request that has no answer.
fn what_became_of_it(fault: &Fault) -> &'static str {
    match fault {
        Fault::Closed => {
            "the MCP server behind this gateway took the request, and closed the connection without an answer"
        }
        Fault::NotHttp(_) => "the MCP server behind this gateway answered with something that is not HTTP",
        Fault::RequestBody(_) => "the body of the request broke off",
        Fault::Incomplete | Fault::Connection(_) => {
            "the connection to the MCP server behind this gateway broke off before there was an answer"
        }
    }
}

/// An error with all its causes: many an error's own text names none of them.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
