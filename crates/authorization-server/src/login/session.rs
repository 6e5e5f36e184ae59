//! Who is logged in with this browser.

use http::HeaderMap;

use crate::random::digest;
use crate::server::Inner;
use crate::store::{Result, SessionRow};

/// The login that a request's cookie stands for, if it is still good.
pub(crate) async fn current_session(server: &Inner, headers: &HeaderMap) -> Result<Option<SessionRow>> {
    match server.cookies.session(headers) {
        Some(token) => server.store.find_session(&digest(&token)).await,
        None => Ok(None),
    }
}
