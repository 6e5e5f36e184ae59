//! `/account/providers`: who a person is at somebody else's, linked and unlinked.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::Response;
use http::HeaderMap;

use super::super::Server;
use super::super::login::through::{link_at, way};
use super::super::member::{Away, Recent};
use super::super::question::{Question, is_confirmed};
use super::super::redirect::see_other;
use super::PATH;
use crate::audit::{AuditKind, NewEvent};
use crate::login::{SignIn, current_session};
use crate::pages::{Problem, ProviderLine, ago};
use crate::provider::Identity;
use crate::random::id;
use crate::store::StoreError;

pub(super) const REMOVE: &str = "/account/providers/remove";

/// To the provider, by the form of the account page alone: whoever is sent there unasked might be signed in there as somebody
/// else, who would then be in here.
pub(in crate::endpoints) async fn connect(
    State(server): State<Server>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    begin(&server, &name, &headers, &body).await.unwrap_or_else(|away| away.into_response(&server))
}

pub(in crate::endpoints) async fn remove(
    State(server): State<Server>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    run_remove(&server, &headers, &body).await.unwrap_or_else(|away| away.into_response(&server))
}

async fn begin(server: &Server, name: &str, headers: &HeaderMap, body: &[u8]) -> Result<Response, Away> {
    let way = way(server, name)?;
    let (member, _) = Recent::of_form(server, headers, body, PATH).await?;
    Ok(link_at(server, way, &member.browser, &member.session.user_id).await?)
}

/// Links whoever came back to the account that sent them: the same person has to be logged in still.
pub(in crate::endpoints) async fn link(
    server: &Server,
    headers: &HeaderMap,
    way: &SignIn,
    identity: &Identity,
    user_id: &str,
) -> Result<Response, Problem> {
    let session = current_session(server, headers).await?;
    let session = session.filter(|session| session.user_id == user_id).ok_or_else(Problem::lost_leg)?;
    let (issuer, subject) = (identity.issuer(), identity.subject());
    if server.store.link_identity(&id(), issuer, subject, user_id).await? {
        tracing::info!(
            user = session.user_name,
            provider = way.name,
            "an account was linked to a provider's"
        );
        let event = NewEvent::new(AuditKind::IdentityLinked).user(user_id).detail(&way.name);
        server.store.record(event);
        return Ok(see_other(&server.path(PATH)));
    }
    let owner = server.store.find_identity(issuer, subject).await?;
    match owner.is_some_and(|owner| owner.user_id == user_id) {
        true => Ok(see_other(&server.path(PATH))),
        false => Err(Problem::anothers_identity(&way.shown)),
    }
}

async fn run_remove(server: &Server, headers: &HeaderMap, body: &[u8]) -> Result<Response, Away> {
    let (member, form) = Recent::of_form(server, headers, body, PATH).await?;
    let identity = form.get("identity").ok().flatten().unwrap_or_default();
    if !is_confirmed(&form) {
        let question = Question::ending(
            "Unlink this account?".to_owned(),
            "It signs you in here no more. Make sure that you have another way to sign in.",
            "Unlink",
        );
        return Ok(question.ask(server, &member, &form, REMOVE, PATH));
    }
    if server.store.delete_identity(&member.session.user_id, identity).await? {
        tracing::info!(user = member.session.user_name, "an account was unlinked from a provider's");
        server.store.record(NewEvent::new(AuditKind::IdentityUnlinked).user(&member.session.user_id));
    }
    Ok(see_other(&server.path(PATH)))
}

/// Each provider, with what is linked there.
pub(super) async fn lines(server: &Server, user_id: &str) -> Result<Vec<ProviderLine>, StoreError> {
    let ways = &server.settings.sign_in;
    if ways.is_empty() {
        return Ok(Vec::new());
    }
    let (linked, now) = (server.store.list_identities(user_id).await?, server.store.now());
    let shown = |issuer: &str| {
        let way = ways.iter().find(|way| way.provider.settings().issuer.as_str() == issuer);
        way.map_or_else(|| issuer.to_owned(), |way| way.shown.clone())
    };
    let mut lines: Vec<ProviderLine> = linked
        .iter()
        .map(|one| ProviderLine {
            name: shown(&one.issuer),
            id: Some(one.id.clone()),
            since: ago(one.linked_at, now),
            used: one.used_at.map(|at| ago(at, now)),
            connect: String::new(),
        })
        .collect();
    let is_linked = |way: &SignIn| lines.iter().any(|line| line.name == way.shown);
    let open: Vec<_> = ways.iter().filter(|way| !is_linked(way)).collect();
    lines.extend(open.into_iter().map(|way| ProviderLine {
        name: way.shown.clone(),
        id: None,
        since: String::new(),
        used: None,
        connect: server.path(&format!("/account/providers/{}/link", way.name)),
    }));
    Ok(lines)
}
