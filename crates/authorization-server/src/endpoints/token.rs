//! `/token`: grants for tokens (OAuth 2.1 §3.2).

use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use hallpass_protocol::oauth_error::{ErrorCode, OAuthError};
use http::{HeaderMap, StatusCode};

use super::Server;
use super::oauth_answer::{client, error, form, json};
use crate::clients::{AUTHORIZATION_CODE, REFRESH_TOKEN};
use crate::grants::{redeem, refresh};

pub(super) async fn post(State(server): State<Server>, headers: HeaderMap, body: Bytes) -> Response {
    let form = match form(&headers, &body) {
        Ok(form) => form,
        Err(refused) => return error(&refused),
    };
    let client = match client(&server, &headers, &form).await {
        Ok(client) => client,
        Err(refused) => return refused,
    };
    // A client's registered grant types need no check of their own: a code is issued to no client without the first,
    // and a refresh token to none without the second.
    let answer = match form.get("grant_type").ok().flatten() {
        Some(AUTHORIZATION_CODE) => redeem(&server, &client, &form).await,
        Some(REFRESH_TOKEN) => refresh(&server, &client, &form).await,
        Some(_) => {
            return error(&OAuthError::new(
                ErrorCode::UnsupportedGrantType,
                "grant_type is 'authorization_code' or 'refresh_token'",
            ));
        }
        None => {
            return error(&OAuthError::new(ErrorCode::InvalidRequest, "grant_type is missing"));
        }
    };
    match answer {
        Ok(tokens) => json(StatusCode::OK, &tokens),
        Err(refusal) => error(&refusal.to_oauth()),
    }
}
