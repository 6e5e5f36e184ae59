//! An upstream that speaks streamable HTTP.

use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use http::header::{CONTENT_LENGTH, HOST};
use http::uri::PathAndQuery;
use http::{HeaderValue, Request, Uri, Version};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use url::Url;

use super::answer;

/// Under the five seconds after which Node closes a connection that waits: a request is not sent on
/// a connection that is being closed.
const IDLE: Duration = Duration::from_secs(4);
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
}

#[derive(Clone, Debug)]
pub(super) struct HttpUpstream {
    client: Client<HttpsConnector<HttpConnector>, Body>,
    target: Uri,
    host: HeaderValue,
    /// For the log: path and query are the operator's, and may hold a key.
    origin: String,
}

impl HttpUpstream {
    pub(super) fn new(url: &Url) -> Result<Self, HttpUpstreamError> {
        let not_http = || HttpUpstreamError::NotHttp(url.scheme().to_owned());
        let mut plain = url.clone();
        plain.set_fragment(None);
        if !url.username().is_empty() || url.password().is_some() {
            return Err(HttpUpstreamError::Credentials);
        }
        if !matches!(url.scheme(), "http" | "https") {
            return Err(not_http());
        }
        let target: Uri = plain.as_str().parse().map_err(|_| not_http())?;
        let authority = target.authority().ok_or_else(not_http)?;
        let host = HeaderValue::try_from(authority.as_str()).map_err(|_| not_http())?;
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT));
        let connector = HttpsConnectorBuilder::new()
            .with_native_roots()?
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            // A POST may have been acted upon: it is the client's to decide whether to send it again.
            .retry_canceled_requests(false)
            .build(connector);
        Ok(Self { client, target, host, origin: url.origin().ascii_serialization() })
    }

    pub(super) async fn forward(&self, mut request: Request<Body>) -> Response {
        let Some(uri) = self.uri(request.uri().query()) else {
            return answer::bad_gateway("the query of the request cannot be carried on");
        };
        *request.uri_mut() = uri;
        *request.version_mut() = Version::HTTP_11;
        request.headers_mut().insert(HOST, self.host.clone());
        // Framing is hyper's; a length that it did not count is none to be passed on.
        if let Some(length) = http_body::Body::size_hint(request.body()).exact() {
            if length > 0 || request.headers().contains_key(CONTENT_LENGTH) {
                request.headers_mut().insert(CONTENT_LENGTH, length.into());
            }
        } else {
            request.headers_mut().remove(CONTENT_LENGTH);
        }
        match self.client.request(request).await {
            Ok(response) => answer::clean(response.map(Body::new)),
            Err(error) => {
                let (fault, error) = (fault(&error), chain(&error));
                tracing::error!(upstream = self.origin, %error, "no answer of the upstream server");
                answer::bad_gateway(fault)
            }
        }
    }

    /// The endpoint maps to exactly one URL. A client's query is carried on only where the operator set
    /// none: added to the operator's, it could say one of its parameters again, and of two parameters
    /// with one name many servers take the last.
    fn uri(&self, query: Option<&str>) -> Option<Uri> {
        let query = query.filter(|_| self.target.query().is_none());
        let Some(query) = query else { return Some(self.target.clone()) };
        let path = self.target.path();
        let mut parts = self.target.clone().into_parts();
        parts.path_and_query = Some(PathAndQuery::try_from(format!("{path}?{query}")).ok()?);
        Uri::from_parts(parts).ok()
    }
}

/// What became of a request without an answer, for whoever sent it.
fn fault(error: &hyper_util::client::legacy::Error) -> &'static str {
    if error.is_connect() {
        return "the MCP server behind this gateway cannot be reached";
    }
    let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<hyper::Error>());
    match cause {
        Some(cause) if cause.is_incomplete_message() => {
            "the MCP server behind this gateway took the request, and closed the connection without an answer"
        }
        Some(cause) if cause.is_parse() => {
            "the MCP server behind this gateway answered with something that is not HTTP"
        }
        Some(cause) if cause.is_user() => "the body of the request broke off",
        _ => "the connection to the MCP server behind this gateway broke off before there was an answer",
    }
}

/// An error with all its causes: hyper's own text names none of them.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
