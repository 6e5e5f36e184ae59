//! The way of a request.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use hallpass_resource_server::{FrontDoor, Permitted, ResourceServer, cors};
use http::header::ALLOW;
use http::{Method, StatusCode};

use crate::listen::Draining;
use crate::listing::{Listing, Lists};
use crate::upstream::Upstream;

/// What an operator decides about a gateway, beside what the resource server knows.
#[derive(Clone, Debug)]
pub struct Settings {
    /// By which names the server is called, and whose pages may call.
    pub front_door: FrontDoor,
    /// What is done with lists of tools, prompts and resources.
    pub listing: Listing,
}

/// One protected server: its resource, and what stands behind it.
/// Clones share everything.
#[derive(Clone, Debug)]
pub struct Gateway(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    resource_server: ResourceServer,
    upstream: Upstream,
    front_door: FrontDoor,
    listing: Listing,
}

impl Gateway {
    /// Puts the resource server in front of the upstream.
    #[must_use]
    pub fn new(resource_server: ResourceServer, upstream: Upstream, settings: Settings) -> Self {
        let Settings { front_door, listing } = settings;
        Self(Arc::new(Inner { resource_server, upstream, front_door, listing }))
    }

    /// The MCP endpoint, at the path of the resource identifier and at no other, and the resource's
    /// metadata. Read from the outside in.
    pub fn router(&self) -> Router {
        self.router_with(Router::new())
    }

    /// The same, with what else this listener serves behind the same front door: pages of login
    /// are no less worth rebinding to than the endpoint.
    pub fn router_with(&self, others: Router) -> Router {
        let endpoint = Router::new()
            .route(self.0.resource_server.resource().url().path(), axum::routing::any(endpoint))
            .with_state(self.clone())
            // Browsers' preflight requests carry no token and are answered here.
            .layer(cors::endpoint())
            .layer(from_fn_with_state(self.clone(), check_origin));
        endpoint
            .merge(self.0.resource_server.metadata_router())
            .merge(others)
            .layer(from_fn_with_state(self.clone(), check_host))
    }

    /// Upstream's answer, in which lists say what policy says.
    async fn forward(&self, permitted: Permitted<Request<Body>>) -> Response {
        let Some(lists) = Lists::of(permitted.lists(), self.0.listing) else {
            return self.0.upstream.forward(permitted).await;
        };
        let caller = permitted.caller().clone();
        let response = self.0.upstream.forward(permitted.map_headers(Lists::prepare)).await;
        lists.apply(response, &self.0.resource_server, &caller).await
    }

    /// Ends every session and every process, and waits for them.
    pub async fn close(&self) {
        self.0.upstream.close().await;
    }
}

async fn check_host(State(gateway): State<Gateway>, request: Request, next: Next) -> Response {
    match gateway.0.front_door.check_host(&request) {
        Ok(()) => next.run(request).await,
        Err(refusal) => gateway.0.resource_server.refuse(&refusal),
    }
}

async fn check_origin(State(gateway): State<Gateway>, request: Request, next: Next) -> Response {
    match gateway.0.front_door.check_origin(request.headers()) {
        Ok(()) => next.run(request).await,
        Err(refusal) => gateway.0.resource_server.refuse(&refusal),
    }
}

/// Until a request is permitted, nothing of its body is read.
async fn endpoint(State(gateway): State<Gateway>, request: Request<Body>) -> Response {
    let draining = request.extensions().get::<Draining>().cloned();
    match gateway.0.resource_server.admit(request).await {
        Ok(permitted) if is_mcp(permitted.get().method()) => {
            let listening = permitted.get().method() == Method::GET;
            let verified = permitted.verified().clone();
            let response = gateway.forward(permitted).await;
            let response = gateway.0.resource_server.ends_with_the_login(response, verified, listening);
            match draining {
                Some(draining) if listening => ends_with(response, draining),
                _ => response,
            }
        }
        Ok(_) => (StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, "GET, POST, DELETE")]).into_response(),
        Err(refusal) => gateway.0.resource_server.refuse(&refusal),
    }
}

/// The stream that answers a GET has no end of its own; nothing is under way on it. Without this,
/// every shutdown would wait for as long as it may.
fn ends_with(response: Response, Draining(draining): Draining) -> Response {
    response.map(|body| {
        let left = draining.cancelled_owned();
        Body::from_stream(body.into_data_stream().take_until(Box::pin(left)))
    })
}

/// The methods of streamable HTTP. Others are not forwarded: some servers take a PUT for a POST.
fn is_mcp(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::POST | Method::DELETE)
}
