//! `/healthz`, `/readyz` and `/metrics`, on a listener of their own: for orchestrators, load balancers and Prometheus. Nothing that is said there is
//! about people.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hallpass_gateway::edge::Metrics;
use hallpass_gateway::edge::metrics::process;
use hallpass_gateway::edge::metrics::text::Text;
use hallpass_gateway::listen::{self, Connections};
use hallpass_resource_server::{FrontDoor, Verifications};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::audited::Audited;
use super::edge::{EdgeAtWork, EdgePlan};
use super::ground::Stores;
use crate::config::{PublicUrl, TenantName};

/// The listener that is asked how the program is. It is there until the last request has ended, so that whoever asks hears of
/// the end.
pub(super) struct Monitoring {
    ended: CancellationToken,
    serving: JoinSet<()>,
}

#[derive(Clone)]
struct Watched {
    stores: Stores,
    stop: CancellationToken,
    counted: Option<Counted>,
}

/// What `/metrics` says.
#[derive(Clone)]
pub(super) struct Counted {
    metrics: Arc<Metrics>,
    verifications: Option<Arc<Verifications>>,
    audited: Arc<Audited>,
}

impl Counted {
    /// Nothing, where nothing is counted.
    pub(super) fn of(edge: &EdgeAtWork, plan: &EdgePlan) -> Option<Self> {
        let metrics = edge.metrics.clone()?;
        let (verifications, audited) = (plan.verifications.clone(), Arc::clone(&edge.audited));
        Some(Self { metrics, verifications, audited })
    }

    fn text(&self) -> String {
        let mut text = Text::default();
        text.family("hallpass_build_info", "gauge", "Which hallpass this is.");
        text.sample("hallpass_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
        self.metrics.write(&mut text);
        if let Some(verifications) = &self.verifications {
            let name = "hallpass_tokens_verified_total";
            text.family(name, "counter", "JWTs that were found good: by memory, or by their signature.");
            for (by, count) in [("memory", verifications.remembered()), ("signature", verifications.fresh())]
            {
                text.sample(name, &[("by", by)], count);
            }
        }
        self.audited.write(&mut text);
        process::write(&mut text);
        text.into_string()
    }
}

impl Monitoring {
    /// Answers from now on.
    pub(super) fn start(
        listeners: Vec<TcpListener>,
        stores: Stores,
        counted: Option<Counted>,
        stop: CancellationToken,
    ) -> Self {
        let router = Router::new()
            .route("/healthz", get(async || "ok\n"))
            .route("/readyz", get(readyz))
            .route("/metrics", get(metrics))
            .with_state(Watched { stores, stop, counted })
            .layer(from_fn_with_state(own_names(&listeners), for_this_machine));
        let ended = CancellationToken::new();
        let mut serving = JoinSet::new();
        for listener in listeners {
            let connections =
                Connections { drain: Duration::from_secs(1), connections: 100, ..Connections::default() };
            serving.spawn(listen::serve(
                listener,
                router.clone(),
                connections,
                ended.clone().cancelled_owned(),
            ));
        }
        Self { ended, serving }
    }

    /// Ends it.
    pub(super) async fn end(mut self) {
        self.ended.cancel();
        while self.serving.join_next().await.is_some() {}
    }
}

/// What a listener that this machine alone reaches is called; `None` where others reach it, by whatever name.
fn own_names(listeners: &[TcpListener]) -> Option<FrontDoor> {
    let address = |listener: &TcpListener| listener.local_addr().ok();
    let is_here = |listener| address(listener).is_some_and(|address| address.ip().is_loopback());
    let port = listeners.first().filter(|_| listeners.iter().all(is_here)).and_then(address)?.port();
    Some(FrontDoor::new(PublicUrl::loopback(port).ok()?.url(), &[]))
}

/// Never-again 42: a page whose name leads to this machine by now reads nothing here.
async fn for_this_machine(State(door): State<Option<FrontDoor>>, request: Request, next: Next) -> Response {
    match door.is_some_and(|door| door.check_host(&request).is_err()) {
        true => (StatusCode::FORBIDDEN, "this is for this machine alone: ask localhost\n").into_response(),
        false => next.run(request).await,
    }
}

/// Whether to send requests here: not while it drains, and not while its database is away. While that of one tenant among
/// several is, the others are served.
async fn readyz(State(watched): State<Watched>) -> (StatusCode, String) {
    if watched.stop.is_cancelled() {
        let draining = "draining: requests under way end, no new ones are taken\n".to_owned();
        return (StatusCode::SERVICE_UNAVAILABLE, draining);
    }
    let (all, silent) = watched.stores.silent().await;
    let names: Vec<_> =
        silent.iter().map(|tenant| tenant.as_ref().map_or("no tenant", TenantName::as_str)).collect();
    match (all, silent.len()) {
        (_, 0) => (StatusCode::OK, "ready\n".to_owned()),
        (all, away) if away < all => {
            (StatusCode::OK, format!("ready, without the database of {}\n", names.join(", ")))
        }
        _ => (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n".to_owned()),
    }
}

async fn metrics(State(watched): State<Watched>) -> Response {
    match &watched.counted {
        Some(counted) => ([(CONTENT_TYPE, Text::MEDIA_TYPE)], counted.text()).into_response(),
        None => (StatusCode::NOT_FOUND, "nothing is counted: monitoring.metrics is false\n").into_response(),
    }
}
