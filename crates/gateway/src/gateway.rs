//! The way of a request.

use std::convert::Infallible;
use std::future::ready;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use futures_util::future::{Either, select};
use futures_util::{FutureExt, StreamExt};
use hallpass_resource_server::{Caller, FrontDoor, Permitted, Refusal, ResourceServer, cors};
use http::header::{ALLOW, ORIGIN};
use http::{Method, StatusCode};
use tokio_util::sync::CancellationToken;
use tower::{Layer, ServiceExt, service_fn};

use crate::choice::Choice;
use crate::edge::Limit;
use crate::edge::limits::{self, ALL, Limits, Of, Places, TooMuch, asks_for_stream};
use crate::edge::metrics::ServerCounts;
use crate::edge::observed::{Observed, Waiting};
use crate::listen::Draining;
use crate::listing::{Listing, Lists};
use crate::served::{Served, Site};
use crate::upstream::Upstream;

/// What an operator decides about a gateway, beside what the resource server knows.
#[derive(Clone, Debug)]
pub struct Settings {
    /// By which names the server is called, and whose pages may call.
    pub front_door: FrontDoor,
    /// What is done with lists of tools, prompts and resources.
    pub listing: Listing,
    /// How much one subject may have, and all together.
    pub limits: ServerLimits,
}

/// How much of one server there is, after it is known who asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ServerLimits {
    /// For each user, through whatever client ([`Caller::principal`]).
    pub subject: Limit,
    /// For all together.
    pub server: Limit,
}

/// One protected server: its resource, and what stands behind it.
/// Clones share everything.
#[derive(Clone, Debug)]
pub struct Gateway(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    resource_server: ResourceServer,
    behind: Choice,
    front_door: FrontDoor,
    listing: Listing,
    subjects: Option<Limits>,
    all: Option<Limits>,
    /// Is cancelled when another takes its place.
    retired: CancellationToken,
    counts: OnceLock<Arc<ServerCounts>>,
    tenant: Option<Arc<str>>,
}

impl Gateway {
    /// Puts the resource server in front of the upstream.
    #[must_use]
    pub fn new(resource_server: ResourceServer, behind: impl Into<Choice>, settings: Settings) -> Self {
        let Settings { front_door, listing, limits } = settings;
        let subjects = Limits::of(Of::Subject, limits.subject);
        let all = Limits::of(Of::Server, limits.server);
        let (retired, counts) = (CancellationToken::new(), OnceLock::new());
        let server = Arc::from(resource_server.resource().as_str());
        let tenant = resource_server.tenant().map(Arc::from);
        Self(Arc::new(Inner {
            resource_server,
            behind: behind.into().behind(&server),
            front_door,
            listing,
            subjects,
            all,
            retired,
            counts,
            tenant,
        }))
    }

    /// The MCP endpoint, at the path of the resource identifier and at no other, and the resource's
    /// metadata.
    pub fn router(&self) -> Router {
        Router::new().fallback_service(self.served_with(Router::new()))
    }

    /// The same, with what else this listener serves behind the same front door: pages of login
    /// are no less worth rebinding to than the endpoint.
    #[must_use]
    pub fn served_with(&self, others: Router) -> Served {
        Served::new(vec![Site::new(self.0.front_door.clone(), vec![self.clone()], others)])
    }

    pub(crate) fn resource_server(&self) -> &ResourceServer {
        &self.0.resource_server
    }

    /// The endpoint's path.
    pub(crate) fn path(&self) -> &str {
        self.0.resource_server.resource().url().path()
    }

    /// Another one takes its place, or none: streams that answer a GET end, so that their clients come back to what there is
    /// now. Requests under way go on.
    pub fn retire(&self) {
        self.0.retired.cancel();
    }

    /// Answers a request to the endpoint that is meant for this host.
    pub(crate) fn answer(&self, request: Request<Body>) -> Answering {
        let Inner { resource_server, front_door, counts, tenant, .. } = &*self.0;
        if let Some(observed) = Observed::of(request.extensions()) {
            observed.is_for(resource_server.resource().as_str(), tenant.as_ref(), counts);
        }
        let gateway = self.clone();
        if !is_asked_by_a_page(&request) {
            return Box::pin(endpoint(gateway, request).map(Ok));
        }
        if let Err(refusal) = front_door.check_origin(request.headers()) {
            return Box::pin(ready(Ok(resource_server.refuse(&refusal))));
        }
        // Browsers' preflight requests carry no token and are answered here.
        let endpoint = service_fn(move |request| endpoint(gateway.clone(), request).map(Ok));
        Box::pin(cors::endpoint().layer(endpoint).oneshot(request))
    }

    /// Upstream's answer, in which lists say what policy says.
    fn forward<'g>(
        &'g self,
        upstream: &'g Upstream,
        permitted: Permitted<Request<Body>>,
    ) -> impl Future<Output = Response> + Send + 'g {
        let answer = match Lists::of(permitted.lists(), self.0.listing) {
            None => Either::Left(upstream.forward(permitted)),
            Some(lists) => Either::Right(Box::pin(self.forward_for(lists, upstream, permitted))),
        };
        answer.map(|answer| answer.unwrap_or_else(|refusal| self.0.resource_server.refuse(&refusal)))
    }

    async fn forward_for(
        &self,
        lists: Lists,
        upstream: &Upstream,
        permitted: Permitted<Request<Body>>,
    ) -> Result<Response, Refusal> {
        let caller = permitted.caller().clone();
        let response = upstream.forward(permitted.map_headers(Lists::prepare)).await?;
        Ok(lists.apply(response, &self.0.resource_server, &caller).await)
    }

    /// Takes a place for a request; nothing, where nothing is limited.
    fn enter(&self, permitted: &Permitted<Request<Body>>) -> Result<Option<Places>, TooMuch> {
        let Inner { subjects, all, .. } = &*self.0;
        if subjects.is_none() && all.is_none() {
            return Ok(None);
        }
        let is_stream = asks_for_stream(permitted.get());
        let of_subject =
            |limits: &Limits| limits.enter(limits.key_of(permitted.caller().principal()), is_stream);
        let subject = subjects.as_ref().map(of_subject).transpose()?;
        let server = all.as_ref().map(|limits| limits.enter(ALL, is_stream)).transpose()?;
        Ok(Some(Places([subject, server])))
    }

    /// Ends every session and every process, and waits for them.
    pub async fn close(&self) {
        self.0.behind.close().await;
    }
}

/// In a box: a connection that waits for its next request needs no room for an answer.
pub(crate) type Answering = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

/// Whether the answer has to say which pages may read it: browsers name the page that asks (Fetch, "`Origin` header").
fn is_asked_by_a_page(request: &Request<Body>) -> bool {
    request.headers().contains_key(ORIGIN) || request.method() == Method::OPTIONS
}

/// Until a request is permitted, nothing of its body is read.
fn endpoint(gateway: Gateway, request: Request<Body>) -> impl Future<Output = Response> + Send + use<> {
    // What ends a stream that nothing else ends; every other request is spared it.
    let listening = request.method() == Method::GET;
    let draining = request.extensions().get::<Draining>().filter(|_| listening).cloned();
    let observed = Observed::of(request.extensions());
    async move {
        let resource_server = gateway.resource_server();
        let tell = |caller: &Caller| observed.iter().for_each(|observed| observed.is_by(caller));
        match resource_server.admit_telling(request, tell).await {
            Ok(permitted) if is_mcp(permitted.get().method()) => {
                let places = match gateway.enter(&permitted) {
                    Ok(places) => places,
                    Err(too_much) => {
                        observed.iter().for_each(|observed| observed.limited(too_much.rule()));
                        return limits::refuse(&too_much);
                    }
                };
                let verified = permitted.verified().clone();
                let Some(upstream) = gateway.0.behind.of(verified.caller()) else {
                    return resource_server.refuse(&Refusal::NothingBehind);
                };
                observed.iter().for_each(Observed::permitted);
                let waiting = observed.as_ref().map(Observed::waits);
                let response = gateway.forward(upstream, permitted).await;
                waiting.into_iter().for_each(Waiting::answered);
                let response = resource_server.ends_with_the_login(response, verified, listening);
                let response = match draining {
                    Some(draining) => ends_with(response, draining, gateway.0.retired.clone()),
                    None => response,
                };
                match places {
                    Some(places) => places.held_by(response),
                    None => response,
                }
            }
            Ok(_) => (StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, "GET, POST, DELETE")]).into_response(),
            Err(refusal) => resource_server.refuse(&refusal),
        }
    }
}

/// The stream that answers a GET has no end of its own; nothing is under way on it. Without this,
/// every shutdown would wait for as long as it may, and who listens to a server that has changed would hear of it no more.
fn ends_with(response: Response, Draining(draining): Draining, retired: CancellationToken) -> Response {
    response.map(|body| {
        let left = Box::pin(draining.cancelled_owned());
        let gone = Box::pin(retired.cancelled_owned());
        Body::from_stream(body.into_data_stream().take_until(select(left, gone)))
    })
}

/// The methods of streamable HTTP. Others are not forwarded: some servers take a PUT for a POST.
fn is_mcp(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::POST | Method::DELETE)
}
