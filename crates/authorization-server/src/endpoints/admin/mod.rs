//! `/admin`: for those who run the server. What is done here is done by the same rooms as on the command line.

mod apps;
mod audit;
mod clients;
mod keys;
mod users;

use axum::Router;
use axum::routing::get;
use http::HeaderMap;

use super::Server;
use super::member::{Administrator, Away, Member};

pub(super) const PATH: &str = "/admin";

pub(super) fn router() -> Router<Server> {
    Router::new()
        .route(PATH, get(users::get).post(users::post))
        .route(clients::PATH, get(clients::get).post(clients::post))
        .route(apps::PATH, get(apps::get).post(apps::post))
        .route(keys::PATH, get(keys::get))
        .route(audit::PATH, get(audit::get))
}

/// Whoever opens a page of this path: logged in a moment ago, and allowed to be here.
async fn administrator(server: &Server, headers: &HeaderMap, path: &str) -> Result<Administrator, Away> {
    Member::of(server, headers, path).await?.recent(server, path)?.administrator()
}
