//! Access tokens: JWTs after RFC 9068, or opaque ones that the store knows the same of.

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
use crate::issued::opaque_token;
use crate::random::digest;
use crate::revocations::new_token_id;
use crate::server::Inner;
use crate::settings::{Resource, TokenForm};
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
    /// Who acts for the subject, with those who acted before within it (RFC 8693 §4.1).
    pub(super) actor: Option<serde_json::Value>,
    /// When it ends in any case.
    pub(super) ends: Option<Timestamp>,
}

/// An access token that was made, and that nobody has got yet.
pub(super) struct Issued {
    token: Secret,
    ends: Timestamp,
    scope: ScopeSet,
}

/// Makes an access token, before what is shown for it is consumed: where it fails, nothing has happened. An opaque one that
/// nobody gets in the end is a row that opens nothing.
pub(super) async fn issue(server: &Inner, subject: &Subject<'_>) -> Result<Issued, Refusal> {
    let now = server.store.now();
    let claims = claims(server, subject, now);
    check_scope(subject, &claims)?;
    let token = match form(&subject.resources.configured(&server.settings)) {
        TokenForm::Jwt => Secret::new(server.keys.signing(now)?.sign(AccessTokenClaims::TYP, &claims)?),
        TokenForm::Opaque => {
            let token = opaque_token();
            server.store.insert_access_token(&digest(token.expose()), &claims).await?;
            token
        }
    };
    Ok(Issued { token, ends: claims.exp, scope: claims.scope.unwrap_or_default() })
}

/// RFC 6749 §5.1: an answer without `scope` means all that was asked for, and an empty one cannot be said (§3.3). So where
/// something was granted, something is given.
fn check_scope(subject: &Subject<'_>, claims: &AccessTokenClaims) -> Result<(), Refusal> {
    let granted = subject.scopes.iter().any(|scope| scope.as_str() != OFFLINE_ACCESS);
    if granted && claims.scope.is_none() { Err(Refusal::NothingLeft) } else { Ok(()) }
}

/// Opaque where one of the resources wants it so: it would be told to nobody what such a token is good for.
pub(super) fn form(resources: &[&Resource]) -> TokenForm {
    let opaque = resources.iter().any(|resource| resource.access_tokens == TokenForm::Opaque);
    if opaque { TokenForm::Opaque } else { TokenForm::Jwt }
}

/// What a token says (RFC 9068 §2.2).
fn claims(server: &Inner, subject: &Subject<'_>, now: Timestamp) -> AccessTokenClaims {
    // RFC 8707 §2.2: a token for some of the resources holds no scope of the others.
    let known = known_scopes(&subject.resources.configured(&server.settings));
    let ends = now.after(server.settings.lifetimes.access_token);
    let ends = subject.ends.map_or(ends, |latest| latest.min(ends));
    let mut other = subject.binding.map(Binding::claims).unwrap_or_default();
    if let Some(actor) = &subject.actor {
        other.insert("act".to_owned(), actor.clone());
    }
    if let Some(login) = subject.login {
        other.insert("auth_time".to_owned(), login.unix().into());
    }
    let scope = subject.scopes.intersection(&known);
    AccessTokenClaims {
        iss: server.settings.issuer.as_str().to_owned(),
        sub: subject.subject.to_owned(),
        aud: subject.resources.audience(),
        exp: ends,
        iat: now,
        jti: new_token_id(subject.grant_id),
        client_id: subject.client_id.to_owned(),
        // RFC 6749 §3.3: one word at least, or nothing.
        scope: (!scope.is_empty()).then_some(scope),
        other,
    }
}

/// Puts the answer together (RFC 6749 §5.1): now somebody gets the token.
pub(super) fn answer(
    server: &Inner,
    subject: &Subject<'_>,
    issued: Issued,
    refresh_token: Option<Secret>,
) -> TokenResponse {
    note(server, subject);
    let offline = subject.scopes.iter().filter(|scope| scope.as_str() == OFFLINE_ACCESS).cloned().collect();
    let scope = issued.scope.union(&offline);
    TokenResponse {
        token_type: Binding::token_type(subject.binding).to_owned(),
        expires_in: Some(server.store.now().until(issued.ends).as_secs()),
        refresh_token,
        scope: (!scope.is_empty()).then_some(scope),
        ..TokenResponse::bearer(issued.token)
    }
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
