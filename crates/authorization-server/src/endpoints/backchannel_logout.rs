//! `/backchannel_logout`: an issuer says that somebody has logged out there (OpenID Connect Back-Channel Logout 1.0).

use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hallpass_protocol::oauth_error::{ErrorCode, OAuthError};
use http::header::CACHE_CONTROL;
use http::{HeaderMap, StatusCode};

use super::Server;
use super::oauth_answer::{error, form};
use crate::audit::{AuditKind, By, NewEvent};
use crate::grants::storage;
use crate::logout::{LogoutRefused, logged_out};
use crate::signals::NotTold;

pub(super) const PATH: &str = "/backchannel_logout";

/// §2.5, §2.8: 200 where it is done, or there was nobody to log out; 400 where the token breaks a rule.
pub(super) async fn post(State(server): State<Server>, headers: HeaderMap, body: Bytes) -> Response {
    let form = match form(&headers, &body) {
        Ok(form) => form,
        Err(refused) => return error(&refused),
    };
    match logged_out(&server, form.get("logout_token").ok().flatten()).await {
        Ok(ended) => {
            for user_id in &ended.people {
                let event = NewEvent::new(AuditKind::LoggedOut).user(user_id);
                server.store.record(event.by(&By::Issuer(ended.issuer.clone())));
            }
            (StatusCode::OK, [(CACHE_CONTROL, "no-store")]).into_response()
        }
        Err(LogoutRefused::Store(failed) | LogoutRefused::Told(NotTold::Store(failed))) => {
            tracing::error!(error = %failed, "the store failed");
            error(&storage())
        }
        Err(refused) => {
            let code = match refused {
                LogoutRefused::Told(NotTold::Unreachable) => ErrorCode::TemporarilyUnavailable,
                _ => ErrorCode::InvalidRequest,
            };
            error(&OAuthError::new(code, refused.to_string()))
        }
    }
}
