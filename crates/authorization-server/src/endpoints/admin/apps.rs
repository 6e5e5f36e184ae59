//! `/admin/apps`: everybody's connected apps.

use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode};

use super::super::Server;
use super::super::account;
use super::super::member::{Away, Recent};
use super::super::question::{Question, is_confirmed};
use super::super::redirect::see_other;
use super::administrator;
use crate::audit::{AuditKind, By, NewEvent};
use crate::pages::{AdminApps, FormTarget, answer};

pub(super) const PATH: &str = "/admin/apps";

pub(in crate::endpoints) async fn get(State(server): State<Server>, headers: HeaderMap) -> Response {
    show(&server, &headers).await.unwrap_or_else(|away| away.into_response(&server))
}

pub(in crate::endpoints) async fn post(
    State(server): State<Server>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    disconnect(&server, &headers, &body).await.unwrap_or_else(|away| away.into_response(&server))
}

async fn show(server: &Server, headers: &HeaderMap) -> Result<Response, Away> {
    let admin = administrator(server, headers, PATH).await?;
    let page = AdminApps {
        admin: server.path(super::PATH),
        account: server.path(account::PATH),
        csrf: admin.form_token(PATH),
        username: admin.session.user_name.clone(),
        apps: account::apps_of(server, "").await?,
    };
    Ok(answer(StatusCode::OK, &page, &FormTarget::Own))
}

async fn disconnect(server: &Server, headers: &HeaderMap, body: &[u8]) -> Result<Response, Away> {
    let (member, form) = Recent::of_form(server, headers, body, PATH).await?;
    let admin = member.administrator()?;
    let grant = form.get("grant").ok().flatten().unwrap_or_default();
    if !is_confirmed(&form) {
        let app = account::apps_of(server, "").await?.into_iter().find(|app| app.id == grant);
        let Some(app) = app else { return Ok(see_other(&server.path(PATH))) };
        let consequence = format!(
            "It can use {} no more, from this moment on, and has to ask {} again when it comes back.",
            app.resource, app.username
        );
        let asks = format!("Disconnect {} of {}?", app.name, app.username);
        let question = Question::ending(asks, consequence, "Disconnect");
        return Ok(question.ask(server, &admin, &form, PATH, PATH));
    }
    server.store.revoke_grant(grant).await?;
    server.store.forget_consent_of_grant(grant).await?;
    tracing::info!(admin = admin.session.user_name, grant, "an app was disconnected");
    let by = By::Admin(admin.session.user_id.clone());
    server.store.record(NewEvent::new(AuditKind::AppDisconnected).by(&by).grant(grant));
    Ok(see_other(&server.path(PATH)))
}
