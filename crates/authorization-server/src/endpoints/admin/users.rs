//! `/admin`: users.

use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode};

use super::super::Server;
use super::super::account;
use super::super::member::{Administrator, Away, Member};
use super::super::redirect::see_other;
use super::{PATH, administrator};
use crate::login::LinkError;
use crate::pages::{AdminUsers, FormTarget, LinkMadePage, UserLine, ago, answer, sentence, shown};

pub(in crate::endpoints) async fn get(State(server): State<Server>, headers: HeaderMap) -> Response {
    show(&server, &headers).await.unwrap_or_else(|away| away.into_response(&server))
}

pub(in crate::endpoints) async fn post(
    State(server): State<Server>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    act(&server, &headers, &body).await.unwrap_or_else(|away| away.into_response(&server))
}

async fn show(server: &Server, headers: &HeaderMap) -> Result<Response, Away> {
    let admin = administrator(server, headers, PATH).await?;
    page(server, &admin, StatusCode::OK, None).await
}

async fn act(server: &Server, headers: &HeaderMap, body: &[u8]) -> Result<Response, Away> {
    let (member, form) = Member::of_form(server, headers, body, PATH).await?;
    let admin = member.recent(server, PATH)?.administrator()?;
    let field = |name| form.get(name).ok().flatten().unwrap_or_default();
    let (action, name) = (field("action"), field("user"));
    let users = server.store.users().by_admin(&admin.session.user_id);
    tracing::info!(admin = admin.session.user_name, action, user = shown(name), "an administrator acts");
    let own = &admin.session.user_id;
    match action {
        "add" => {
            if let Err(refused) = users.add_without_password(name).await {
                let error = sentence(&refused);
                return page(server, &admin, StatusCode::UNPROCESSABLE_ENTITY, Some(error)).await;
            }
            return link(server, &admin, name).await;
        }
        "link" => return link(server, &admin, name).await,
        "enable" => drop(users.enable(name).await?),
        "reset" => drop(users.reset_second_factor(name).await?),
        // Not to themselves: they would be outside, with nobody left to let them in.
        "disable" => drop(users.disable_as(own, name).await?),
        "admin" => drop(users.set_admin(name, true).await?),
        "no-admin" => drop(users.dismiss_admin_as(own, name).await?),
        _ => {}
    }
    Ok(see_other(&server.path(PATH)))
}

/// The link is shown once; only its hash is kept.
async fn link(server: &Server, admin: &Administrator, name: &str) -> Result<Response, Away> {
    match server.store.users().by_admin(&admin.session.user_id).link(name).await {
        Ok(link) => {
            let page = LinkMadePage { admin: server.path(PATH), username: shown(name), link: link.into() };
            Ok(answer(StatusCode::OK, &page, &FormTarget::None))
        }
        Err(LinkError::Store(error)) => Err(error.into()),
        Err(refused) => page(server, admin, StatusCode::UNPROCESSABLE_ENTITY, Some(sentence(&refused))).await,
    }
}

async fn page(
    server: &Server,
    admin: &Administrator,
    status: StatusCode,
    error: Option<String>,
) -> Result<Response, Away> {
    let now = server.store.now();
    let users = server.store.users().list().await?.into_iter().map(|user| UserLine {
        is_self: user.id == admin.session.user_id,
        name: user.name,
        since: ago(user.created_at, now),
        is_admin: user.admin,
        disabled: user.disabled_at.is_some(),
        second_factor: user.second_factor,
        passkeys: user.passkeys,
    });
    let page = AdminUsers {
        admin: server.path(PATH),
        account: server.path(account::PATH),
        csrf: admin.form_token(PATH),
        username: admin.session.user_name.clone(),
        error,
        users: users.collect(),
    };
    Ok(answer(status, &page, &FormTarget::Own))
}
