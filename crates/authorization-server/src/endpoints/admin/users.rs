//! `/admin`: users.

use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode};

use super::super::Server;
use super::super::account;
use super::super::member::{Administrator, Away, Recent};
use super::super::question::{Question, is_confirmed};
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
    let (member, form) = Recent::of_form(server, headers, body, PATH).await?;
    let admin = member.administrator()?;
    let field = |name| form.get(name).ok().flatten().unwrap_or_default();
    let (action, name) = (field("action"), field("user"));
    if ASKED.contains(&action) && !is_confirmed(&form) {
        return Ok(match question(server, action, name).await? {
            Some(question) => question.ask(server, &admin, &form, PATH, PATH),
            None => see_other(&server.path(PATH)),
        });
    }
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

/// What ends something for a person, and what gives everything away, is asked about first.
const ASKED: [&str; 4] = ["disable", "reset", "no-admin", "admin"];

/// Nothing about people that nobody knows.
async fn question(server: &Server, action: &str, name: &str) -> Result<Option<Question>, Away> {
    let found =
        server.store.users().list().await?.into_iter().find(|user| user.name.eq_ignore_ascii_case(name));
    let Some(name) = found.map(|user| user.name) else { return Ok(None) };
    let question = match action {
        "disable" => Question::ending(
            format!("Disable {name}?"),
            format!(
                "{name} is signed out everywhere and cannot sign in again until an administrator enables the account. \
                 Every app that {name} has connected stops working at once, and has to be connected anew afterwards."
            ),
            "Disable",
        ),
        "reset" => Question::ending(
            format!("Reset the one-time codes of {name}?"),
            format!(
                "The password alone is enough to sign in until {name} sets up new codes; recovery codes end as well. \
                 Be sure that it is {name} who asks for this."
            ),
            "Reset codes",
        ),
        "no-admin" => Question::ending(
            format!("Is {name} no longer an administrator?"),
            format!("{name} keeps the account and its apps, and does not see these pages any more."),
            "Remove administrator",
        ),
        "admin" => Question {
            asks: format!("Make {name} an administrator?"),
            consequence: format!(
                "{name} can then do all that you can do here: add and disable people, make a link that sets anyone's \
                 password, and take these rights from you."
            ),
            yes: "Make administrator",
            ends: false,
        },
        _ => return Ok(None),
    };
    Ok(Some(question))
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
