//! `/account/passkeys`: adding and removing passkeys.

use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode};

use super::super::Server;
use super::super::member::{Away, Member, Recent};
use super::super::question::{Question, is_confirmed};
use super::super::redirect::see_other;
use crate::audit::{AuditKind, NewEvent};
use crate::login::device;
use crate::login::passkeys::{
    ALGORITHMS, Attested, Ceremony, RegistrationRefused, RelyingParty, issue_challenge, register_passkey,
};
use crate::pages::{FormTarget, NewPasskeyPage, Problem, answer_with_script, sentence, shown};

pub(super) const PATH: &str = "/account/passkeys";
pub(super) const REMOVE: &str = "/account/passkeys/remove";

pub(in crate::endpoints) async fn get(State(server): State<Server>, headers: HeaderMap) -> Response {
    show(&server, &headers).await.unwrap_or_else(|away| away.into_response(&server))
}

pub(in crate::endpoints) async fn post(
    State(server): State<Server>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    add(&server, &headers, &body).await.unwrap_or_else(|away| away.into_response(&server))
}

pub(in crate::endpoints) async fn remove(
    State(server): State<Server>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    run_remove(&server, &headers, &body).await.unwrap_or_else(|away| away.into_response(&server))
}

async fn show(server: &Server, headers: &HeaderMap) -> Result<Response, Away> {
    let member = Member::of(server, headers, PATH).await?.recent(server, PATH)?;
    let name = device(headers).unwrap_or_else(|| "Passkey".to_owned());
    page(server, &member, StatusCode::OK, name, None).await
}

async fn add(server: &Server, headers: &HeaderMap, body: &[u8]) -> Result<Response, Away> {
    let (member, form) = Recent::of_form(server, headers, body, PATH).await?;
    let party = party(server)?;
    let field = |name| form.get(name).ok().flatten().unwrap_or_default();
    let name = match shown(field("name")) {
        name if name.is_empty() => "Passkey".to_owned(),
        name => name,
    };
    let attested = Attested {
        client_data: field("client_data"),
        authenticator_data: field("authenticator_data"),
        public_key: field("public_key"),
        algorithm: field("algorithm"),
    };
    let user_id = &member.session.user_id;
    match register_passkey(server, &party, &member.browser, user_id, &name, attested).await {
        Ok(()) => {
            tracing::info!(user = member.session.user_name, "a passkey was added");
            server.store.record(NewEvent::new(AuditKind::PasskeyAdded).user(user_id));
            Ok(see_other(&server.path(super::PATH)))
        }
        Err(RegistrationRefused::Store(error)) => Err(error.into()),
        Err(refused) => {
            let error = sentence(&refused);
            page(server, &member, StatusCode::UNPROCESSABLE_ENTITY, name, Some(error)).await
        }
    }
}

async fn run_remove(server: &Server, headers: &HeaderMap, body: &[u8]) -> Result<Response, Away> {
    let (member, form) = Recent::of_form(server, headers, body, super::PATH).await?;
    let passkey = form.get("passkey").ok().flatten().unwrap_or_default();
    if !is_confirmed(&form) {
        let passkeys = server.store.list_passkeys(&member.session.user_id).await?;
        let known = passkeys.into_iter().find(|known| known.credential_id == passkey);
        let Some(known) = known else { return Ok(see_other(&server.path(super::PATH))) };
        let question = Question::ending(
            format!("Remove the passkey {}?", known.name),
            "It signs you in here no more. Your device keeps its half until you delete it there.",
            "Remove",
        );
        return Ok(question.ask(server, &member, &form, REMOVE, super::PATH));
    }
    if server.store.delete_passkey(&member.session.user_id, passkey).await? {
        tracing::info!(user = member.session.user_name, "a passkey was removed");
        server.store.record(NewEvent::new(AuditKind::PasskeyRemoved).user(&member.session.user_id));
    }
    Ok(see_other(&server.path(super::PATH)))
}

fn party(server: &Server) -> Result<RelyingParty, Problem> {
    RelyingParty::of(&server.settings.issuer).ok_or_else(Problem::no_passkeys)
}

async fn page(
    server: &Server,
    member: &Recent,
    status: StatusCode,
    name: String,
    error: Option<String>,
) -> Result<Response, Away> {
    let party = party(server)?;
    let session = &member.session;
    let known = server.store.list_passkeys(&session.user_id).await?;
    let known: Vec<String> = known.into_iter().map(|passkey| passkey.credential_id).collect();
    let (key, now) = (server.store.key(), server.store.now());
    let page = NewPasskeyPage {
        error,
        action: server.path(PATH),
        account: server.path(super::PATH),
        csrf: member.form_token(PATH),
        challenge: issue_challenge(key, &member.browser, Ceremony::Registration, now)?,
        party: party.id,
        user_id: session.user_id.clone(),
        username: session.user_name.clone(),
        algorithms: ALGORITHMS.map(|number| number.to_string()).join(" "),
        known: known.join(" "),
        name,
        script: server.path("/passkeys.js"),
    };
    Ok(answer_with_script(status, &page, &FormTarget::Own))
}
