//! `/introspect`: whether a token is good, and for what (RFC 7662). The same truth as a resource server's own: form,
//! signature or hash, times, and every revocation.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use hallpass_protocol::oauth_error::{ErrorCode, OAuthError};
use http::StatusCode;
use serde_json::{Value, json as value};

use super::Server;
use super::asked::Asked;
use super::oauth_answer::{client, error, form, json};
use crate::checks::Resources;
use crate::checks::resource::same_resource;
use crate::clients::{AuthenticatedClient, ClientKind};
use crate::grants::storage;
use crate::issued::{NotIssued, access_token};
use crate::random::digest;
use crate::store::StoreError;

pub(super) const PATH: &str = "/introspect";

pub(super) async fn post(State(server): State<Server>, asked: Asked, body: Bytes) -> Response {
    let form = match form(&asked.headers, &body) {
        Ok(form) => form,
        Err(refused) => return error(&refused),
    };
    let client = match client(&server, &asked, &form).await {
        Ok(client) => client,
        Err(refused) => return refused,
    };
    // RFC 7662 §2.1, §4: authenticated, or whoever finds a token learns what it opens.
    if !client.is_proven() {
        return error(&OAuthError::new(
            ErrorCode::InvalidClient,
            "a client without a secret or key may not ask about tokens",
        ));
    }
    let Some(token) = form.get("token").ok().flatten() else {
        return error(&OAuthError::new(ErrorCode::InvalidRequest, "token is missing"));
    };
    match introspect(&server, &client, token).await {
        Ok(active) => json(StatusCode::OK, &active.unwrap_or_else(|| value!({ "active": false }))),
        Err(failed) => {
            tracing::error!(error = %failed, "the store failed");
            error(&storage())
        }
    }
}

/// `None` is a token that is not good, or not the client's business: the answer is the same (RFC 7662 §2.2).
async fn introspect(
    server: &Server,
    client: &AuthenticatedClient,
    token: &str,
) -> Result<Option<Value>, StoreError> {
    let claims = match access_token(server, token, Duration::ZERO).await {
        Ok(claims) => claims,
        Err(NotIssued::Store(failed)) => return Err(failed),
        Err(_) => return refresh_token(server, client, token).await,
    };
    let audience: Vec<&str> = claims.aud.iter().collect();
    if !may_see(client, &claims.client_id, &audience) || server.store.token_is_revoked(&claims.jti).await? {
        return Ok(None);
    }
    let mut answer = serde_json::to_value(&claims).unwrap_or_default();
    answer["active"] = value!(true);
    let bound = claims.other.get("cnf").is_some_and(|cnf| cnf.get("jkt").is_some());
    answer["token_type"] = value!(if bound { "DPoP" } else { "Bearer" });
    Ok(Some(answer))
}

/// Its client alone may ask. One that was used is not good, although it may be sent again for a minute.
async fn refresh_token(
    server: &Server,
    client: &AuthenticatedClient,
    token: &str,
) -> Result<Option<Value>, StoreError> {
    let Some(row) = server.store.find_refresh_token(&digest(token)).await? else {
        return Ok(None);
    };
    let ends = row.expires_at.min(row.grant.expires_at);
    let dead = row.used_at.is_some() || row.grant.revoked_at.is_some() || ends <= server.store.now();
    if dead || row.grant.client_id != client.id() {
        return Ok(None);
    }
    let audience = Resources::try_from(row.grant.resource).map(|resources| resources.audience());
    let mut answer = value!({
        "active": true,
        "iss": server.settings.issuer,
        "sub": row.grant.user_id,
        "client_id": row.grant.client_id,
        "aud": audience.unwrap_or_default(),
        "exp": ends,
    });
    if !row.grant.scopes.is_empty() {
        answer["scope"] = value!(row.grant.scopes);
    }
    if let Some(login) = row.grant.authenticated_at {
        answer["auth_time"] = value!(login);
    }
    Ok(Some(answer))
}

/// A client may ask about its own tokens; one that the operator has configured also about those that are for a resource
/// of its own. One for which no resource was named has none (RFC 7662 §4: the fewest learn the least).
fn may_see(asks: &AuthenticatedClient, client_id: &str, audience: &[&str]) -> bool {
    let Some(client) = asks.client().filter(|client| client.kind == ClientKind::Configured) else {
        return asks.id() == client_id;
    };
    let resources = client.details.resources.as_deref().unwrap_or_default();
    let own = |audience: &&str| {
        let audience = hallpass_protocol::ResourceIdentifier::parse(audience);
        audience.is_ok_and(|audience| resources.iter().any(|text| same_resource(text, &audience)))
    };
    asks.id() == client_id || audience.iter().any(own)
}
