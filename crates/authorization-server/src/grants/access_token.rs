//! Access tokens: JWTs after RFC 9068.

use hallpass_protocol::form::Parameters;
use hallpass_protocol::jose::AccessTokenClaims;
use hallpass_protocol::scope::ScopeSet;
use hallpass_protocol::secret::Secret;
use hallpass_protocol::time::Timestamp;
use hallpass_protocol::token::TokenResponse;

use super::{Binding, Refusal};
use crate::audit::{AuditKind, NewEvent};
use crate::checks::resource::known_scopes;
use crate::checks::{OFFLINE_ACCESS, Resources};
use crate::revocations::new_token_id;
use crate::server::Inner;
use crate::store::StoreError;

/// What a token is about.
pub(super) struct Subject<'a> {
    pub(super) grant_id: &'a str,
    /// Whom it speaks for: a person, or the client itself (RFC 9068 §2.2).
    pub(super) subject: &'a str,
    pub(super) client_id: &'a str,
    pub(super) resources: &'a Resources,
    pub(super) scopes: &'a ScopeSet,
    pub(super) binding: Option<&'a Binding>,
    /// When the person has logged in (RFC 9068 §2.2.1); of that login, and not of a refresh.
    pub(super) login: Option<Timestamp>,
    /// The client that acts for the subject with a token that another client was given (RFC 8693 §4.1).
    pub(super) actor: Option<&'a str>,
    /// When it ends in any case.
    pub(super) ends: Option<Timestamp>,
}

/// Signs an access token, and puts the answer together (RFC 6749 §5.1).
pub(super) fn respond(
    server: &Inner,
    subject: &Subject<'_>,
    refresh_token: Option<Secret>,
) -> Result<TokenResponse, Refusal> {
    let lifetime = server.settings.lifetimes.access_token;
    let now = server.store.now();
    // RFC 8707 §2.2: a token for some of the resources holds no scope of the others.
    let known = known_scopes(&subject.resources.configured(&server.settings));
    let ends = now.after(lifetime);
    let ends = subject.ends.map_or(ends, |latest| latest.min(ends));
    let mut other = subject.binding.map(Binding::claims).unwrap_or_default();
    if let Some(actor) = subject.actor {
        other.insert("act".to_owned(), serde_json::json!({ "sub": actor }));
    }
    if let Some(login) = subject.login {
        other.insert("auth_time".to_owned(), login.unix().into());
    }
    let claims = AccessTokenClaims {
        iss: server.settings.issuer.as_str().to_owned(),
        sub: subject.subject.to_owned(),
        aud: subject.resources.audience(),
        exp: ends,
        iat: now,
        jti: new_token_id(subject.grant_id),
        client_id: subject.client_id.to_owned(),
        scope: Some(subject.scopes.intersection(&known)),
        other,
    };
    let token = server.keys.signing(now)?.sign(AccessTokenClaims::TYP, &claims)?;
    note(server, subject);
    let offline = subject.scopes.iter().filter(|scope| scope.as_str() == OFFLINE_ACCESS).cloned().collect();
    Ok(TokenResponse {
        token_type: Binding::token_type(subject.binding).to_owned(),
        expires_in: Some(now.until(ends).as_secs()),
        refresh_token,
        scope: Some(subject.scopes.intersection(&known).union(&offline)),
        ..TokenResponse::bearer(Secret::new(token))
    })
}

/// For the audit log.
fn note(server: &Inner, subject: &Subject<'_>) {
    let what = format!("{} for {}", subject.scopes, subject.resources);
    let event = NewEvent::new(AuditKind::TokenIssued).client(subject.client_id).detail(what);
    let event = event.user(subject.subject).grant(subject.grant_id);
    // A robot may ask for its own a thousand times a second, each like the other.
    match subject.subject == subject.client_id {
        true => server.store.record_often(event),
        false => server.store.record(event),
    }
}

/// RFC 8707 §2.2: a token request may name some of the resources again, and no other.
pub(super) fn narrowed_resources(form: &Parameters, granted: &str) -> Result<Resources, Refusal> {
    let granted = Resources::try_from(granted.to_owned())
        .map_err(|_| StoreError::Unreadable { what: "resource identifier" })?;
    granted.narrowed(form).map_err(Refusal::OtherResource)
}

/// Scopes as they were stored.
pub(super) fn stored_scopes(text: &str) -> Result<ScopeSet, Refusal> {
    Ok(ScopeSet::parse(text).map_err(|_| StoreError::Unreadable { what: "scope" })?)
}
