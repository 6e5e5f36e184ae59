//! Browsers that are logged in, and logging out.

use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;

use super::super::Server;
use super::super::member::{Away, Member};
use super::super::redirect::see_other;
use super::PATH;
use crate::audit::{AuditKind, NewEvent};

pub(in crate::endpoints) async fn end(
    State(server): State<Server>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    run_end(&server, &headers, &body).await.unwrap_or_else(|away| away.into_response(&server))
}

pub(in crate::endpoints) async fn log_out(
    State(server): State<Server>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    run_log_out(&server, &headers, &body).await.unwrap_or_else(|away| away.into_response(&server))
}

async fn run_end(server: &Server, headers: &HeaderMap, body: &[u8]) -> Result<Response, Away> {
    let (member, form) = Member::of_form(server, headers, body, PATH).await?;
    let user_id = &member.session.user_id;
    match form.get("session").ok().flatten() {
        Some("others") => server.store.delete_other_sessions(user_id, &member.session_hash()).await?,
        Some(session) => server.store.delete_session_of(user_id, session).await?,
        None => {}
    }
    Ok(see_other(&server.path(PATH)))
}

async fn run_log_out(server: &Server, headers: &HeaderMap, body: &[u8]) -> Result<Response, Away> {
    let (member, _) = Member::of_form(server, headers, body, PATH).await?;
    server.store.delete_session(&member.session_hash()).await?;
    server.store.record(NewEvent::new(AuditKind::LoggedOut).user(&member.session.user_id));
    let mut response = see_other(&server.path(&format!("/login?then={PATH}")));
    server.cookies.drop_session(response.headers_mut());
    Ok(response)
}
