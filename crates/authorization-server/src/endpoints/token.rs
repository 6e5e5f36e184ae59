//! `/token`: grants for tokens (OAuth 2.1 §3.2).

use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use hallpass_protocol::form::Parameters;
use hallpass_protocol::oauth_error::{ErrorCode, OAuthError};
use http::StatusCode;

use super::asked::Asked;
use super::oauth_answer::{believed, client_by, error, error_of, form, json};
use super::{Server, dpop};
use crate::clients::{
    AUTHORIZATION_CODE, CLIENT_CREDENTIALS, DEVICE_CODE, JWT_BEARER, LookUp, Presented, REFRESH_TOKEN,
    TOKEN_EXCHANGE,
};
use crate::grants::{
    Sender, client_of_workload, exchange_assertion, exchange_token, issue_to_client, redeem, redeem_device,
    refresh,
};
use crate::settings::Settings;

pub(super) const PATH: &str = "/token";

/// The grants that there are, as `grant_types_supported` says.
pub(super) fn grant_types(settings: &Settings) -> Vec<&'static str> {
    // What a provider's token is exchanged for has to come from there.
    if settings.proxied.is_some() {
        return vec![AUTHORIZATION_CODE, REFRESH_TOKEN];
    }
    let mut all = vec![AUTHORIZATION_CODE, REFRESH_TOKEN, CLIENT_CREDENTIALS, DEVICE_CODE];
    all.extend((!settings.trusted_issuers.is_empty()).then_some(JWT_BEARER));
    all.extend((!settings.exchange.is_empty()).then_some(TOKEN_EXCHANGE));
    all
}

pub(super) async fn post(State(server): State<Server>, asked: Asked, body: Bytes) -> Response {
    let mut response = answer(&server, &asked, &body).await.unwrap_or_else(|refused| refused);
    dpop::with_nonce(&server, &asked.headers, response.headers_mut());
    response
}

/// Form → client → key → grant.
async fn answer(server: &Server, asked: &Asked, body: &[u8]) -> Result<Response, Response> {
    let form = form(&asked.headers, body).map_err(|refused| error(&refused))?;
    let grant_type = grant_type(server, &form).map_err(|refused| error(&refused))?;
    let workload = match grant_type {
        JWT_BEARER => client_of_workload(server, &asked.headers, &form).map_err(|refused| error(&refused))?,
        _ => None,
    };
    let client = match workload {
        Some(id) => believed(server, asked, &Presented::named(id), look_up(grant_type)).await?,
        None => client_by(server, asked, &form, look_up(grant_type)).await?,
    };
    let proof = dpop::proof(server, &asked.headers, PATH).map_err(|refused| error(&refused))?;
    let sender = Sender { client: &client, proof, certificate: asked.thumbprint() };
    let answer = match grant_type {
        AUTHORIZATION_CODE => redeem(server, &sender, &form).await,
        REFRESH_TOKEN => refresh(server, &sender, &form).await,
        DEVICE_CODE => redeem_device(server, &sender, &form).await,
        JWT_BEARER => exchange_assertion(server, &sender, &form).await,
        TOKEN_EXCHANGE => exchange_token(server, &sender, &form).await,
        _ => issue_to_client(server, &sender, &form).await,
    };
    let tokens = answer.map_err(|refusal| error_of(client.id(), &refusal.to_oauth()))?;
    Ok(json(StatusCode::OK, &tokens))
}

/// Tokens of these grants hang on the client's own grant, and end with it.
fn look_up(grant_type: &str) -> LookUp {
    match grant_type {
        CLIENT_CREDENTIALS | JWT_BEARER | TOKEN_EXCHANGE => LookUp::WithinThisSecond,
        _ => LookUp::Now,
    }
}

fn grant_type<'a>(server: &Server, form: &'a Parameters) -> Result<&'a str, OAuthError> {
    let asked = form.get("grant_type").ok().flatten();
    let asked = asked.ok_or_else(|| OAuthError::new(ErrorCode::InvalidRequest, "grant_type is missing"))?;
    let known = grant_types(&server.settings);
    match known.contains(&asked) {
        true => Ok(asked),
        false => Err(OAuthError::new(
            ErrorCode::UnsupportedGrantType,
            format!("grant_type is one of {}", known.join(", ")),
        )),
    }
}
