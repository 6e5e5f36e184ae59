//! Who is logged in with this browser.

use http::HeaderMap;

use super::{Authenticated, device};
use crate::audit::{AuditKind, NewEvent};
use crate::random::{digest, token};
use crate::server::Inner;
use crate::store::{Result, SessionRow};

/// The login that a request's cookie stands for, if it is still good.
pub(crate) async fn current_session(server: &Inner, headers: &HeaderMap) -> Result<Option<SessionRow>> {
    match server.cookies.session(headers) {
        Some(token) => server.store.find_session(&digest(&token)).await,
        None => Ok(None),
    }
}

/// Begins a session, and gives its token for the cookie. It is new at each login; the old session, if there is one,
/// ends. None where what the person showed has ceased to count in the meantime.
pub(crate) async fn begin_session(
    server: &Inner,
    headers: &HeaderMap,
    person: &Authenticated,
) -> Result<Option<String>> {
    let session = token();
    let ends = server.store.now().after(server.settings.lifetimes.session);
    let device = device(headers);
    let (user_id, shown) = (person.user_id(), person.shown());
    if !server.store.insert_session(&digest(&session), user_id, shown, device.as_deref(), ends).await? {
        return Ok(None);
    }
    if let Some(old) = server.cookies.session(headers) {
        server.store.delete_session(&digest(&old)).await?;
    }
    server.store.remember_browser(person.known_browser()).await?;
    let with = shown.name();
    let how = device.as_deref().map_or_else(|| with.to_owned(), |device| format!("{with}, in {device}"));
    server.store.record(NewEvent::new(AuditKind::LoggedIn).user(user_id).detail(how));
    Ok(Some(session))
}
