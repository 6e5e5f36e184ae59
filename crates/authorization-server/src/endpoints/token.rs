//! `/token`: grants for tokens (OAuth 2.1 §3.2).

use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use hallpass_protocol::form::Parameters;
use hallpass_protocol::oauth_error::{ErrorCode, OAuthError};
use http::{HeaderMap, StatusCode};

use super::oauth_answer::{client, error, form, json};
use super::{Server, dpop};
use crate::clients::{AUTHORIZATION_CODE, CLIENT_CREDENTIALS, REFRESH_TOKEN};
use crate::grants::{Binding, Sender, issue_to_client, redeem, refresh};

pub(super) const PATH: &str = "/token";

/// The grants that there are, as `grant_types_supported` says.
pub(super) fn grant_types() -> Vec<&'static str> {
    vec![AUTHORIZATION_CODE, REFRESH_TOKEN, CLIENT_CREDENTIALS]
}

pub(super) async fn post(State(server): State<Server>, headers: HeaderMap, body: Bytes) -> Response {
    let mut response = answer(&server, &headers, &body).await.unwrap_or_else(|refused| refused);
    dpop::with_nonce(&server, &headers, response.headers_mut());
    response
}

/// Form → client → key → grant.
async fn answer(server: &Server, headers: &HeaderMap, body: &[u8]) -> Result<Response, Response> {
    let form = form(headers, body).map_err(|refused| error(&refused))?;
    let grant_type = grant_type(&form).map_err(|refused| error(&refused))?;
    let client = client(server, headers, &form).await?;
    let proof = dpop::proof(server, headers, PATH).await.map_err(|refused| error(&refused))?;
    let binding = proof.map(|proof| Binding::Key(proof.thumbprint().to_owned()));
    let sender = Sender { client: &client, binding };
    // A client's registered grant types need no check for the first two: a code is issued to no client without the one,
    // and a refresh token to none without the other.
    let answer = match grant_type {
        AUTHORIZATION_CODE => redeem(server, &sender, &form).await,
        REFRESH_TOKEN => refresh(server, &sender, &form).await,
        _ => issue_to_client(server, &sender, &form),
    };
    let tokens = answer.map_err(|refusal| error(&refusal.to_oauth()))?;
    Ok(json(StatusCode::OK, &tokens))
}

fn grant_type(form: &Parameters) -> Result<&str, OAuthError> {
    let asked = form.get("grant_type").ok().flatten();
    let asked = asked.ok_or_else(|| OAuthError::new(ErrorCode::InvalidRequest, "grant_type is missing"))?;
    let known = grant_types();
    match known.contains(&asked) {
        true => Ok(asked),
        false => Err(OAuthError::new(
            ErrorCode::UnsupportedGrantType,
            format!("grant_type is one of {}", known.join(", ")),
        )),
    }
}
