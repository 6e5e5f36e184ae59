//! The same as a tower layer.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{Method, Request};
use tower::{Layer, Service};

use crate::cors;
use crate::server::ResourceServer;

impl ResourceServer {
    /// Protects whatever is behind it. Requests arrive there with a [`Caller`](crate::Caller) in
    /// their extensions; preflight requests of browsers are answered before. Streams of events end with the login that
    /// opened them.
    #[must_use]
    pub fn layer(&self) -> Protect {
        Protect { server: self.clone() }
    }
}

/// Made by [`ResourceServer::layer`].
#[derive(Clone, Debug)]
pub struct Protect {
    server: ResourceServer,
}

impl<S> Layer<S> for Protect {
    type Service = cors::Cors<Protected<S>>;

    fn layer(&self, inner: S) -> Self::Service {
        cors::endpoint().layer(Protected { server: self.server.clone(), inner })
    }
}

/// A service that only permitted requests reach.
#[derive(Clone, Debug)]
pub struct Protected<S> {
    server: ResourceServer,
    inner: S,
}

impl<S> Service<Request<Body>> for Protected<S>
where
    S: Service<Request<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Response: IntoResponse,
    S::Future: Send,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        // The one that is ready is used; its clone waits for the next request.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let server = self.server.clone();
        Box::pin(async move {
            match server.admit(request).await {
                Ok(permitted) => {
                    let verified = permitted.verified().clone();
                    let (request, _) = permitted.into_parts();
                    let listening = request.method() == Method::GET;
                    let response = inner.call(request).await?.into_response();
                    Ok(server.ends_with_the_login(response, verified, listening))
                }
                Err(refusal) => Ok(server.refuse(&refusal)),
            }
        })
    }
}
