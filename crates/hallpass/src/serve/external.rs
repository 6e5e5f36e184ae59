//! The authorization server is somebody else's. Clients of MCP 2025-03-26 know no protected resource metadata and look for
//! everything at this server's own origin; some later ones build `/authorize` there as well. They find what is true: the
//! issuer's metadata, and the way to its endpoints.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use hallpass_guarded_fetch::Fetcher;
use hallpass_protocol::{AuthorizationServerMetadata, Issuer};
use hallpass_resource_server::cors;
use http::header::{CACHE_CONTROL, LOCATION, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use tokio::sync::Mutex;
use tokio::time::Instant;

/// How long what the issuer said is passed on. An issuer that does not answer is asked again as seldom.
const FRESH: Duration = Duration::from_secs(300);
const AGAIN: Duration = Duration::from_secs(5);

#[derive(Clone)]
struct External(Arc<Inner>);

struct Inner {
    issuer: Issuer,
    fetcher: Fetcher,
    known: Mutex<Option<(Instant, Option<Arc<AuthorizationServerMetadata>>)>>,
}

/// What stands at this server's origin, of the issuer.
pub(super) fn router(issuer: Issuer, fetcher: Fetcher) -> Router {
    let external = External(Arc::new(Inner { issuer, fetcher, known: Mutex::default() }));
    let documents =
        Router::new().route("/.well-known/oauth-authorization-server", get(document)).layer(cors::document());
    // MCP 2025-03-26, "Fallbacks for Servers without Metadata Discovery".
    let endpoints = Router::new()
        .route("/authorize", get(authorize))
        .route("/token", any(token).layer(cors::endpoint()))
        .route("/register", any(register).layer(cors::endpoint()));
    documents.merge(endpoints).with_state(external)
}

impl External {
    /// The issuer's metadata; none where it does not answer.
    async fn metadata(&self) -> Option<Arc<AuthorizationServerMetadata>> {
        let mut known = self.0.known.lock().await;
        if let Some((at, said)) = known.as_ref()
            && at.elapsed() < if said.is_some() { FRESH } else { AGAIN }
        {
            return said.clone();
        }
        let mut said = None;
        for url in self.0.issuer.metadata_urls() {
            let Ok(answer) = self.0.fetcher.get(&url, "application/json").await else { continue };
            let metadata = answer.json::<AuthorizationServerMetadata>().ok();
            said = metadata.filter(|metadata| metadata.check_issuer(&self.0.issuer).is_ok()).map(Arc::new);
            if said.is_some() {
                break;
            }
        }
        if said.is_none() {
            tracing::warn!(issuer = %self.0.issuer, "the issuer's metadata cannot be fetched");
        }
        *known = Some((Instant::now(), said.clone()));
        said
    }
}

async fn document(State(external): State<External>) -> Response {
    match external.metadata().await {
        Some(metadata) => ([(CACHE_CONTROL, "public, max-age=300")], axum::Json(&*metadata)).into_response(),
        None => unavailable(),
    }
}

async fn authorize(State(external): State<External>, RawQuery(query): RawQuery) -> Response {
    let metadata = external.metadata().await;
    let endpoint = metadata.and_then(|metadata| metadata.authorization_endpoint.clone());
    let Some(endpoint) = endpoint else { return unavailable() };
    let separator = if endpoint.contains('?') { '&' } else { '?' };
    let location = query.map_or_else(|| endpoint.clone(), |query| format!("{endpoint}{separator}{query}"));
    to(StatusCode::FOUND, &location)
}

/// 307 keeps method and body.
async fn token(State(external): State<External>) -> Response {
    let metadata = external.metadata().await;
    let endpoint = metadata.and_then(|metadata| metadata.token_endpoint.clone());
    endpoint.map_or_else(unavailable, |endpoint| to(StatusCode::TEMPORARY_REDIRECT, &endpoint))
}

async fn register(State(external): State<External>) -> Response {
    let Some(metadata) = external.metadata().await else { return unavailable() };
    match &metadata.registration_endpoint {
        Some(endpoint) => to(StatusCode::TEMPORARY_REDIRECT, endpoint),
        None => (StatusCode::NOT_FOUND, "the authorization server takes no registrations\n").into_response(),
    }
}

fn to(status: StatusCode, location: &str) -> Response {
    match HeaderValue::try_from(location) {
        Ok(location) => (status, [(LOCATION, location)]).into_response(),
        Err(_) => unavailable(),
    }
}

fn unavailable() -> Response {
    let said = "the authorization server does not answer at this moment\n";
    (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "5")], said).into_response()
}
