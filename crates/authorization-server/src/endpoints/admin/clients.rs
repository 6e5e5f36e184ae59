//! `/admin/clients`: clients that are stored here. Those that are metadata documents are not.

use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode};

use super::super::Server;
use super::super::account;
use super::super::member::{Away, Member};
use super::super::redirect::see_other;
use super::administrator;
use crate::pages::{AdminClients, ClientLine, FormTarget, ago, answer, shown};

pub(super) const PATH: &str = "/admin/clients";
/// The page shows no more: anyone can register clients. `hallpass client list` shows all.
const MOST: usize = 500;

pub(in crate::endpoints) async fn get(State(server): State<Server>, headers: HeaderMap) -> Response {
    show(&server, &headers).await.unwrap_or_else(|away| away.into_response(&server))
}

pub(in crate::endpoints) async fn post(
    State(server): State<Server>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    remove(&server, &headers, &body).await.unwrap_or_else(|away| away.into_response(&server))
}

async fn show(server: &Server, headers: &HeaderMap) -> Result<Response, Away> {
    let admin = administrator(server, headers, PATH).await?;
    let now = server.store.now();
    let clients = server.store.clients().list().await?.into_iter().take(MOST).map(|client| ClientLine {
        name: client.name.unwrap_or_else(|| shown(&client.id)),
        origin: if client.dynamic { "Registered itself" } else { "Added by hand" },
        confidential: client.confidential,
        redirect_uris: client.redirect_uris,
        since: ago(client.created_at, now),
        id: client.id,
    });
    let page = AdminClients {
        admin: server.path(super::PATH),
        account: server.path(account::PATH),
        csrf: admin.form_token(PATH),
        username: admin.session.user_name.clone(),
        clients: clients.collect(),
    };
    Ok(answer(StatusCode::OK, &page, &FormTarget::Own))
}

async fn remove(server: &Server, headers: &HeaderMap, body: &[u8]) -> Result<Response, Away> {
    let (member, form) = Member::of_form(server, headers, body, PATH).await?;
    let admin = member.recent(server, PATH)?.administrator()?;
    let client = form.get("client").ok().flatten().unwrap_or_default();
    let clients = server.store.clients().by_admin(&admin.session.user_id);
    if clients.remove(client).await? {
        tracing::info!(admin = admin.session.user_name, client = shown(client), "a client was removed");
    }
    Ok(see_other(&server.path(PATH)))
}
