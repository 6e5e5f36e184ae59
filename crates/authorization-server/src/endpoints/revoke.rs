//! `/revoke`: a client gives a token back (RFC 7009).

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use hallpass_protocol::oauth_error::{ErrorCode, OAuthError};
use hallpass_protocol::secret::Secret;
use http::StatusCode;
use serde_json::json as value;

use super::Server;
use super::asked::Asked;
use super::oauth_answer::{client, error, form, json};
use crate::audit::{AuditKind, NewEvent};
use crate::clients::AuthenticatedClient;
use crate::grants::storage;
use crate::issued::{NotIssued, access_token};
use crate::proxied::{end_at_provider, revoke_access_token};
use crate::random::digest;
use crate::store::StoreError;

/// A refresh token takes its grant along, an access token goes alone. RFC 7009 §2.2: a token that is not known, or not
/// the client's, is answered like one that was revoked, and nothing happens to it.
pub(super) async fn post(State(server): State<Server>, asked: Asked, body: Bytes) -> Response {
    let form = match form(&asked.headers, &body) {
        Ok(form) => form,
        Err(refused) => return error(&refused),
    };
    let client = match client(&server, &asked, &form).await {
        Ok(client) => client,
        Err(refused) => return refused,
    };
    let Some(token) = form.get("token").ok().flatten() else {
        return error(&OAuthError::new(ErrorCode::InvalidRequest, "token is missing"));
    };
    match revoke(&server, &client, token).await {
        Ok(true) => json(StatusCode::OK, &value!({})),
        // RFC 7009 §2.2.1: the client may send it again.
        Ok(false) => error(&OAuthError::new(
            ErrorCode::TemporarilyUnavailable,
            "the token has ended here; the provider behind this server does not answer, and it lives on there: try again",
        )),
        Err(failed) => {
            tracing::error!(error = %failed, "the store failed");
            error(&storage())
        }
    }
}

/// `token_type_hint` is not needed: the two kinds of token cannot be mistaken for each other.
/// False where it lives on with a provider that does not answer.
async fn revoke(server: &Server, client: &AuthenticatedClient, token: &str) -> Result<bool, StoreError> {
    let proxied = server.settings.proxied.as_ref();
    if let Some(row) = server.store.find_refresh_token(&digest(token)).await? {
        if row.grant.client_id != client.id() {
            return Ok(true);
        }
        server.store.revoke_grant(&row.grant.id).await?;
        note(server, client, &row.grant.user_id, "a refresh token, with its grant");
        return match proxied {
            Some(proxied) => end_at_provider(server, proxied, &Secret::new(token)).await,
            None => Ok(true),
        };
    }
    if let Some(proxied) = proxied {
        return revoke_access_token(server, proxied, client.id(), token).await;
    }
    // Resource servers allow for clocks that differ, so a token may be alive elsewhere for a little longer.
    match access_token(server, token, Duration::from_secs(60)).await {
        Ok(claims) if claims.client_id == client.id() => {
            server.store.revoke_access_token(&claims.jti).await?;
            note(server, client, &claims.sub, "an access token");
            Ok(true)
        }
        Err(NotIssued::Store(failed)) => Err(failed),
        // Another client's, or what needs no revocation.
        _ => Ok(true),
    }
}

/// For the audit log.
fn note(server: &Server, client: &AuthenticatedClient, subject: &str, what: &str) {
    let event = NewEvent::new(AuditKind::TokenRevoked).client(client.id()).user(subject);
    server.store.record(event.detail(what));
}
