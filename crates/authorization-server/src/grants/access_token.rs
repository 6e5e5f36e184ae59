//! Access tokens: JWTs after RFC 9068.

use hallpass_protocol::form::Parameters;
use hallpass_protocol::jose::{AccessTokenClaims, Audience};
use hallpass_protocol::resource::ResourceIdentifier;
use hallpass_protocol::scope::ScopeSet;
use hallpass_protocol::secret::Secret;
use hallpass_protocol::token::TokenResponse;

use super::Refusal;
use crate::checks::{OFFLINE_ACCESS, same_resource};
use crate::revocations::new_token_id;
use crate::server::Inner;
use crate::store::StoreError;

/// What a token is about.
pub(super) struct Subject<'a> {
    pub(super) grant_id: &'a str,
    pub(super) user_id: &'a str,
    pub(super) client_id: &'a str,
    pub(super) resource: &'a str,
    pub(super) scopes: &'a ScopeSet,
}

/// Signs an access token, and puts the answer together (RFC 6749 §5.1).
pub(super) fn respond(
    server: &Inner,
    subject: &Subject<'_>,
    refresh_token: Option<Secret>,
) -> Result<TokenResponse, Refusal> {
    let lifetime = server.settings.lifetimes.access_token;
    let now = server.store.now();
    let scope: ScopeSet =
        subject.scopes.iter().filter(|scope| scope.as_str() != OFFLINE_ACCESS).cloned().collect();
    let claims = AccessTokenClaims {
        iss: server.settings.issuer.as_str().to_owned(),
        sub: subject.user_id.to_owned(),
        aud: Audience::from(subject.resource),
        exp: now.after(lifetime),
        iat: now,
        jti: new_token_id(subject.grant_id),
        client_id: subject.client_id.to_owned(),
        scope: Some(scope),
        other: serde_json::Map::new(),
    };
    let token = server.keys.signing(now)?.sign(AccessTokenClaims::TYP, &claims)?;
    Ok(TokenResponse {
        expires_in: Some(lifetime.as_secs()),
        refresh_token,
        scope: Some(subject.scopes.clone()),
        ..TokenResponse::bearer(Secret::new(token))
    })
}

/// RFC 8707 §2.2: a token request may name the resource again, and no other.
pub(super) fn check_resource(form: &Parameters, granted: &str) -> Result<(), Refusal> {
    let granted = ResourceIdentifier::parse(granted)
        .map_err(|_| StoreError::Unreadable { what: "resource identifier" })?;
    match form.all("resource").find(|asked| !same_resource(asked, &granted)) {
        Some(other) => Err(Refusal::OtherResource(other.to_owned())),
        None => Ok(()),
    }
}

/// Scopes as they were stored.
pub(super) fn stored_scopes(text: &str) -> Result<ScopeSet, Refusal> {
    Ok(ScopeSet::parse(text).map_err(|_| StoreError::Unreadable { what: "scope" })?)
}
