//! `/jwks`: the public keys (RFC 7517 §5).

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use http::header::CACHE_CONTROL;

use super::Server;

pub(super) async fn get(State(server): State<Server>) -> impl IntoResponse {
    ([(CACHE_CONTROL, "public, max-age=300")], Json(server.keys.published()))
}
