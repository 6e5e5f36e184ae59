//! `/admin/clients`: clients that are stored here. Those that are metadata documents are not.

use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode};

use super::super::Server;
use super::super::account;
use super::super::member::{Administrator, Away, Recent};
use super::super::question::{Question, is_confirmed};
use super::super::redirect::see_other;
use super::administrator;
use crate::pages::{AdminClients, ClientLine, FormTarget, ago, answer, shown};
use crate::store::{ClientOrigin, StoreError};

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
    act(&server, &headers, &body).await.unwrap_or_else(|away| away.into_response(&server))
}

async fn show(server: &Server, headers: &HeaderMap) -> Result<Response, Away> {
    let admin = administrator(server, headers, PATH).await?;
    let now = server.store.now();
    let clients = server.store.clients().list().await?.into_iter().take(MOST).map(|client| ClientLine {
        name: client.name.unwrap_or_else(|| shown(&client.id)),
        origin: if client.dynamic { "Registered itself" } else { "Added by hand" },
        confidential: client.confidential,
        disabled: client.disabled,
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

async fn act(server: &Server, headers: &HeaderMap, body: &[u8]) -> Result<Response, Away> {
    let (member, form) = Recent::of_form(server, headers, body, PATH).await?;
    let admin = member.administrator()?;
    let field = |name| form.get(name).ok().flatten().unwrap_or_default();
    let (action, client) = (field("action"), field("client"));
    if ASKED.contains(&action) && !is_confirmed(&form) {
        return Ok(match question(server, action, client).await? {
            Some(question) => question.ask(server, &admin, &form, PATH, PATH),
            None => see_other(&server.path(PATH)),
        });
    }
    if change(server, &admin, action, client).await? {
        tracing::info!(
            admin = admin.session.user_name,
            action,
            client = shown(client),
            "an administrator acts"
        );
    }
    Ok(see_other(&server.path(PATH)))
}

/// False where nothing was changed.
async fn change(server: &Server, admin: &Administrator, action: &str, id: &str) -> Result<bool, StoreError> {
    let clients = server.store.clients().by_admin(&admin.session.user_id);
    match action {
        "remove" => clients.remove(id).await,
        "disable" => clients.disable(id).await,
        "enable" => clients.enable(id).await,
        _ => Ok(false),
    }
}

/// What ends something is asked about first.
const ASKED: [&str; 2] = ["disable", "remove"];

/// Nothing about clients that nobody knows.
async fn question(server: &Server, action: &str, id: &str) -> Result<Option<Question>, Away> {
    let Some(client) = server.store.find_client(id).await? else { return Ok(None) };
    let name = client.name.as_deref().map(shown).filter(|name| !name.is_empty());
    let name = name.unwrap_or_else(|| shown(&client.id));
    let question = match action {
        "disable" => Question::ending(
            format!("Disable {name}?"),
            "It gets no more tokens, and all that people have granted to it ends at once. You can enable it again; people \
             then connect it anew.",
            "Disable",
        ),
        "remove" => Question::ending(
            format!("Remove {name}?"),
            match client.origin {
                ClientOrigin::Dynamic => {
                    "All that people have granted to it ends at once, and its registration is gone. The app has to \
                     register again, which many do by themselves; to keep it out, disable it instead."
                }
                ClientOrigin::Configured => {
                    "All that people have granted to it ends at once, and its secret or keys are gone. It works again only \
                     when it is added anew on the command line (hallpass client add)."
                }
            },
            "Remove",
        ),
        _ => return Ok(None),
    };
    Ok(Some(question))
}
