//! A request ends, whatever it waits for.
//!
//! A database that is frozen, or a network that swallows packets, answers nothing and closes nothing: without a limit every
//! request would wait as long as that lasts, and its client with it.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::time::timeout;

use super::Server;
use super::oauth_answer::error;
use crate::grants::storage;
use crate::pages::Problem;

/// For clients: 503, and when to come again.
pub(super) async fn api(State(server): State<Server>, request: Request, next: Next) -> Response {
    match timeout(server.settings.patience, next.run(request)).await {
        Ok(response) => response,
        Err(_) => error(&storage()),
    }
}

/// For people: the same as a page.
pub(super) async fn page(State(server): State<Server>, request: Request, next: Next) -> Response {
    match timeout(server.settings.patience, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::storage().into_response(),
    }
}
