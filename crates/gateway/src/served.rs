//! All that one listener serves: which server a request means.

use std::convert::Infallible;
use std::future::ready;
use std::sync::Arc;
use std::task::{Context, Poll};

use arc_swap::ArcSwap;
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use hallpass_resource_server::{FrontDoor, NamedHost, Refusal, metadata};
use http::StatusCode;
use tower::{Service, ServiceExt};

use crate::edge::observed::Observed;
use crate::gateway::{Answering, Gateway};

/// One origin of a listener: the servers that are there, each at its own path, and what stands beside them.
#[derive(Clone, Debug)]
pub struct Site {
    door: FrontDoor,
    /// By path, for a binary search.
    gateways: Box<[Gateway]>,
    others: Router,
    /// Whose origin it is, for the log.
    tenant: Option<Arc<str>>,
}

impl Site {
    /// The servers at one origin, whose door lets in what is meant for it. The first one's metadata is that of the origin
    /// itself. Of two servers at one path the first is served.
    #[must_use]
    pub fn new(door: FrontDoor, gateways: Vec<Gateway>, others: Router) -> Self {
        let metadata = metadata::router(gateways.iter().map(Gateway::resource_server));
        Self::of(door, gateways, metadata.merge(others))
    }

    /// The same, where the origin itself is none of theirs: nothing is said at its root.
    #[must_use]
    pub fn below(door: FrontDoor, gateways: Vec<Gateway>, others: Router) -> Self {
        let metadata = metadata::router_below(gateways.iter().map(Gateway::resource_server));
        Self::of(door, gateways, metadata.merge(others))
    }

    fn of(door: FrontDoor, mut gateways: Vec<Gateway>, others: Router) -> Self {
        gateways.sort_by(|one, other| one.path().cmp(other.path()));
        gateways.dedup_by(|later, first| later.path() == first.path());
        Self { door, gateways: gateways.into(), others, tenant: None }
    }

    /// The same, where all that is there is one tenant's: the log says so of its pages, too.
    #[must_use]
    pub fn of_tenant(self, name: &str) -> Self {
        Self { tenant: Some(name.into()), ..self }
    }

    /// The server at exactly this path.
    fn at(&self, path: &str) -> Option<&Gateway> {
        let place = self.gateways.binary_search_by(|gateway| gateway.path().cmp(path)).ok()?;
        self.gateways.get(place)
    }
}

/// All that one listener serves. The endpoints' requests are many, so nothing stands between them and their gateway but a
/// look at host and path. Clones share what is served, and see it exchanged.
#[derive(Clone, Debug)]
pub struct Served(Arc<ArcSwap<Vec<Site>>>);

impl Served {
    /// Serves these; a request means the first whose door lets it in.
    #[must_use]
    pub fn new(sites: Vec<Site>) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(sites)))
    }

    /// Serves these from now on, in one step: every request that comes meets either all of what was or all of what is.
    /// Requests under way are answered by what they began with.
    pub fn exchange(&self, sites: Vec<Site>) {
        self.0.store(Arc::new(sites));
    }
}

impl Service<Request<Body>> for Served {
    type Response = Response;
    type Error = Infallible;
    type Future = Answering;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let sites = self.0.load();
        let named = match NamedHost::of(&request) {
            Ok(named) => named,
            Err(refusal) => return refused(&sites, &refusal),
        };
        let known = sites.iter().find(|site| site.door.is_known(&named));
        let Some(site) = known.or_else(|| sites.iter().find(|site| site.door.is_for(&named))) else {
            return refused(&sites, &Refusal::ForeignHost);
        };
        match site.at(request.uri().path()) {
            Some(gateway) => gateway.answer(request),
            None => {
                if let Some((observed, tenant)) = Observed::of(request.extensions()).zip(site.tenant.as_ref())
                {
                    observed.note(|details| details.tenant = Some(Arc::clone(tenant)));
                }
                Box::pin(site.others.clone().oneshot(request))
            }
        }
    }
}

/// In the words that any of the servers has for it: whose it would have been is what nobody knows.
fn refused(sites: &[Site], refusal: &Refusal) -> Answering {
    let mut gateways = sites.iter().flat_map(|site| &site.gateways);
    let answer = match gateways.next() {
        Some(gateway) => gateway.resource_server().refuse(refusal),
        None => StatusCode::NOT_FOUND.into_response(),
    };
    Box::pin(ready(Ok(answer)))
}
