//! A layer for any HTTP client that is a [`Service`]: hyper-util's, one of tonic's, one that retries or records.
//!
//! What [`Client::send`] does for reqwest, this does for whatever is below it: the token goes along, a 401 or a 403
//! `insufficient_scope` is cured, and the request is sent again. Requests to another server than the client's are
//! refused: the layer is for the one MCP server.
//!
//! ```no_run
//! # async fn example(client: hallpass_client::Client) -> Result<(), Box<dyn std::error::Error>> {
//! use bytes::Bytes;
//! use hallpass_client::tower::AuthorizeLayer;
//! use http_body_util::Full;
//! use hyper_util::{client::legacy, rt::TokioExecutor};
//! use tower::{ServiceBuilder, ServiceExt as _};
//!
//! let http = legacy::Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
//! let service = ServiceBuilder::new().layer(AuthorizeLayer::new(client)).service(http);
//! let request = http::Request::post("http://localhost:8080/mcp").body(Full::from("{}"))?;
//! let response = service.oneshot(request).await?;
//! # drop(response); Ok(()) }
//! ```

use std::{
    borrow::Cow,
    task::{Context, Poll},
};

use ::tower::{Layer, Service, ServiceExt as _};
use futures_util::future::BoxFuture;
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri, request::Parts};
use url::Url;

use crate::{
    Client, Error, Rule, Step,
    client::{Credentials, Exchange},
};

/// Makes a copy of a body for the case that the request has to be sent again; `None` where that cannot be.
type Copy<B> = fn(&B) -> Option<B>;

/// Puts [`Authorize`] around a service.
pub struct AuthorizeLayer<B> {
    client: Client,
    copy: Copy<B>,
}

impl<B: Clone> AuthorizeLayer<B> {
    /// For bodies that can be cloned: each request can be sent again.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { client, copy: |body| Some(body.clone()) }
    }
}

impl<B> AuthorizeLayer<B> {
    /// For other bodies: `copy` makes another of the same, where it can. Without a copy the token is obtained, the
    /// request is not sent twice, and [`Error::NotRepeatable`] says so.
    #[must_use]
    pub fn copying(client: Client, copy: fn(&B) -> Option<B>) -> Self {
        Self { client, copy }
    }
}

impl<B> Clone for AuthorizeLayer<B> {
    fn clone(&self) -> Self {
        Self { client: self.client.clone(), copy: self.copy }
    }
}

impl<S, B> Layer<S> for AuthorizeLayer<B> {
    type Service = Authorize<S, B>;

    fn layer(&self, service: S) -> Self::Service {
        Authorize { client: self.client.clone(), copy: self.copy, service }
    }
}

/// A service that sends every request with a token, and obtains one where the server asks for it.
pub struct Authorize<S, B> {
    client: Client,
    copy: Copy<B>,
    service: S,
}

impl<S: Clone, B> Clone for Authorize<S, B> {
    fn clone(&self) -> Self {
        Self { client: self.client.clone(), copy: self.copy, service: self.service.clone() }
    }
}

/// Why a request through the layer has no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthorizeError<E> {
    /// It could not be authorized.
    #[error(transparent)]
    Authorization(#[from] Error),
    /// The service below failed.
    #[error("the MCP server could not be reached: {0}")]
    Service(#[source] E),
}

impl<S, B, R> Service<Request<B>> for Authorize<S, B>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Send,
    B: Send + 'static,
    R: Send,
{
    type Response = Response<R>;
    type Error = AuthorizeError<S::Error>;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.service.poll_ready(context).map_err(AuthorizeError::Service)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The one that was polled ready is the one to call.
        let clone = self.service.clone();
        let service = std::mem::replace(&mut self.service, clone);
        let (client, copy) = (self.client.clone(), self.copy);
        Box::pin(async move {
            let operation = format!("{} {}", request.method(), request.uri().path());
            let url = absolute(&client, request.uri())?;
            let (head, body) = request.into_parts();
            let next = Some((head, body));
            client.carry(&operation, &mut OverService { service, is_first: true, copy, url, next }).await
        })
    }
}

/// The URL of a request. The one that is almost always meant is recognised without being parsed.
fn absolute<'a>(client: &'a Client, uri: &Uri) -> Result<Cow<'a, Url>, Error> {
    let server = client.server().url();
    if is(server.as_str(), uri) {
        return Ok(Cow::Borrowed(server));
    }
    let url = Url::parse(&uri.to_string()).map_err(|_| Error::Misconfigured {
        step: Step::Send,
        url: uri.to_string(),
        rule: Rule::ForeignRequest(client.server().to_string()),
    })?;
    Ok(Cow::Owned(url))
}

/// Whether a URI is spelled exactly like this.
fn is(text: &str, uri: &Uri) -> bool {
    let (Some(scheme), Some(authority), Some(path)) =
        (uri.scheme_str(), uri.authority(), uri.path_and_query())
    else {
        return false;
    };
    let rest = text.strip_prefix(scheme).and_then(|text| text.strip_prefix("://"));
    rest.and_then(|text| text.strip_prefix(authority.as_str())) == Some(path.as_str())
}

/// A request over a service.
struct OverService<'a, S, B> {
    service: S,
    /// The service was polled ready for the first call.
    is_first: bool,
    copy: Copy<B>,
    url: Cow<'a, Url>,
    /// The next time that it is sent; `None` once it was, and there is no copy of its body.
    next: Option<(Parts, B)>,
}

impl<S, B, R> Exchange for OverService<'_, S, B>
where
    S: Service<Request<B>, Response = Response<R>> + Send,
    S::Future: Send,
    S::Error: Send,
    B: Send,
    R: Send,
{
    type Answer = Response<R>;
    type Error = AuthorizeError<S::Error>;

    fn target(&self) -> Option<(&Method, &Url)> {
        self.next.as_ref().map(|(head, _)| (&head.method, &*self.url))
    }

    async fn send(&mut self, credentials: Option<Credentials>) -> Result<Response<R>, Self::Error> {
        let (mut head, body) = self.next.take().ok_or(Error::NotRepeatable)?;
        self.next = (self.copy)(&body).map(|copy| (head.clone(), copy));
        if let Some(credentials) = credentials {
            credentials.put_into(&mut head.headers);
        }
        if !std::mem::take(&mut self.is_first) {
            self.service.ready().await.map_err(AuthorizeError::Service)?;
        }
        self.service.call(Request::from_parts(head, body)).await.map_err(AuthorizeError::Service)
    }

    fn head(answer: &Response<R>) -> (StatusCode, &HeaderMap) {
        (answer.status(), answer.headers())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_is_recognised_by_its_spelling_alone() {
        let uri = |text: &str| text.parse::<Uri>().unwrap();
        assert!(is("https://mcp.example.com/mcp", &uri("https://mcp.example.com/mcp")));
        assert!(is("http://localhost:8080/", &uri("http://localhost:8080")));
        for other in [
            "https://mcp.example.com/mcp/",
            "https://mcp.example.com/mcp?x=1",
            "https://mcp.example.com/mc",
            "http://mcp.example.com/mcp",
            "https://user@mcp.example.com/mcp",
            "https://mcp.example.com:444/mcp",
            "https://mcp.example.co/mcp",
            "/mcp",
        ] {
            assert!(!is("https://mcp.example.com/mcp", &uri(other)), "{other}");
        }
    }
}
