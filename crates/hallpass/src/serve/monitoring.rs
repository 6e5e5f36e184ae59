//! `/healthz` and `/readyz`, on a listener of their own: for orchestrators and load balancers. Nothing that is said there is
//! about people.

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use hallpass_authorization_server::Store;
use hallpass_gateway::listen::{self, Connections};
use http::StatusCode;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// The listener that is asked how the program is. It is there until the last request has ended, so that whoever asks hears of
/// the end.
pub(super) struct Monitoring {
    ended: CancellationToken,
    serving: JoinSet<()>,
}

#[derive(Clone)]
struct Watched {
    store: Store,
    stop: CancellationToken,
}

impl Monitoring {
    /// Answers from now on.
    pub(super) fn start(listeners: Vec<TcpListener>, store: Store, stop: CancellationToken) -> Self {
        let router = Router::new()
            .route("/healthz", get(async || "ok\n"))
            .route("/readyz", get(readyz))
            .with_state(Watched { store, stop });
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

/// Whether to send requests here: not while it drains, and not while the database is away.
async fn readyz(State(watched): State<Watched>) -> (StatusCode, &'static str) {
    if watched.stop.is_cancelled() {
        return (
            StatusCode::SERVICE_UNAVAILABLE,
            "draining: requests under way end, no new ones are taken\n",
        );
    }
    match watched.store.answers().await {
        true => (StatusCode::OK, "ready\n"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n"),
    }
}
