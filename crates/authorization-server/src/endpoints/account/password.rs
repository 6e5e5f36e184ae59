//! `/account/password`: another password.

use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use hallpass_protocol::secret::Secret;
use http::{HeaderMap, StatusCode};

use super::super::Server;
use super::super::member::{Away, Member, Recent};
use super::super::redirect::see_other;
use crate::audit::{AuditKind, NewEvent};
use crate::login::check_strength;
use crate::pages::{FormTarget, PasswordPage, Problem, answer, sentence};

pub(super) const PATH: &str = "/account/password";

pub(in crate::endpoints) async fn get(State(server): State<Server>, headers: HeaderMap) -> Response {
    show(&server, &headers).await.unwrap_or_else(|away| away.into_response(&server))
}

pub(in crate::endpoints) async fn post(
    State(server): State<Server>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    change(&server, &headers, &body).await.unwrap_or_else(|away| away.into_response(&server))
}

async fn show(server: &Server, headers: &HeaderMap) -> Result<Response, Away> {
    if !server.settings.passwords {
        return Err(Problem::no_passwords().into());
    }
    let member = Member::of(server, headers, PATH).await?.recent(server, PATH)?;
    Ok(page(server, &member, StatusCode::OK, None))
}

/// The recent login has proven who this is, so the old password is not asked for: whoever came with a passkey may have
/// forgotten it.
async fn change(server: &Server, headers: &HeaderMap, body: &[u8]) -> Result<Response, Away> {
    if !server.settings.passwords {
        return Err(Problem::no_passwords().into());
    }
    let (member, form) = Recent::of_form(server, headers, body, PATH).await?;
    let password = Secret::new(form.get("password").ok().flatten().unwrap_or_default());
    if let Err(why) = check_strength(&password) {
        return Ok(page(server, &member, StatusCode::UNPROCESSABLE_ENTITY, Some(sentence(&why))));
    }
    let hash = server.passwords.hash(password).await.map_err(|_| Problem::busy())?;
    server.store.change_password(&member.session.user_id, &hash, &member.session_hash()).await?;
    tracing::info!(user = member.session.user_name, "a password was changed");
    server.store.record(NewEvent::new(AuditKind::PasswordSet).user(&member.session.user_id));
    Ok(see_other(&server.path(super::PATH)))
}

fn page(server: &Server, member: &Recent, status: StatusCode, error: Option<String>) -> Response {
    let page = PasswordPage {
        error,
        action: server.path(PATH),
        account: server.path(super::PATH),
        csrf: member.form_token(PATH),
        username: member.session.user_name.clone(),
    };
    answer(status, &page, &FormTarget::Own)
}
