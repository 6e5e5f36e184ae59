//! Disconnecting an app.

use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;

use super::super::Server;
use super::super::member::{Away, Member};
use super::super::question::{Question, is_confirmed};
use super::super::redirect::see_other;
use super::{APPS, PATH, apps_of};
use crate::audit::{AuditKind, NewEvent};

pub(in crate::endpoints) async fn disconnect(
    State(server): State<Server>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    run(&server, &headers, &body).await.unwrap_or_else(|away| away.into_response(&server))
}

/// Ends this installation's tokens at once, everywhere, and asks anew when its app comes back. Somebody else's is left
/// alone.
async fn run(server: &Server, headers: &HeaderMap, body: &[u8]) -> Result<Response, Away> {
    let (member, form) = Member::of_form(server, headers, body, PATH).await?;
    let grant = form.get("grant").ok().flatten().unwrap_or_default();
    let user_id = &member.session.user_id;
    if !is_confirmed(&form) {
        let app = apps_of(server, user_id).await?.into_iter().find(|app| app.id == grant);
        let Some(app) = app else { return Ok(see_other(&server.path(PATH))) };
        let consequence = format!(
            "It can use {} no more, from this moment on, and has to ask you again when it comes back.",
            app.resource
        );
        let question = Question::ending(format!("Disconnect {}?", app.name), consequence, "Disconnect");
        return Ok(question.ask(server, &member, &form, APPS, PATH));
    }
    if server.store.is_grant_of(grant, user_id).await? {
        server.store.revoke_grant(grant).await?;
        server.store.forget_consent_of_grant(grant).await?;
        tracing::info!(user = member.session.user_name, grant, "an app was disconnected");
        let event = NewEvent::new(AuditKind::AppDisconnected).user(user_id);
        server.store.record(event.grant(grant));
    }
    Ok(see_other(&server.path(PATH)))
}
