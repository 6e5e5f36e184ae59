//! A refresh token for new tokens, with rotation (OAuth 2.1 §4.3, RFC 9700 §2.2.2).
//!
//! Each use yields a successor. Clients lose answers, and several processes of one client refresh at once, so the token
//! that was used just now may come again, from the same client, for a minute: it yields the same successor. After that
//! minute a token that comes again has been stolen, or its successor was, and nobody can tell which; the grant ends.
//!
//! The successor of a used token is stored sealed under a key that only that token yields. Whoever reads the database
//! finds nothing to use.

use hallpass_protocol::form::Parameters;
use hallpass_protocol::scope::ScopeSet;
use hallpass_protocol::secret::Secret;
use hallpass_protocol::token::TokenResponse;

use super::access_token::{Subject, answer, issue, narrowed_resources, stored_scopes};
use super::sender::is_certificate;
use super::{MustBind, Refusal, Sender, linked, still};
use crate::audit::{AuditKind, NewEvent};
use crate::clients::REFRESH_TOKEN;
use crate::keys::SealingKey;
use crate::proxied::{self, Given, Next};
use crate::random::{digest, token};
use crate::server::Inner;
use crate::store::{NewRefreshToken, RefreshTokenRow, Rotation, StoreError};

/// A client that loses its answer again and again within the minute can be this many tokens behind.
const LONGEST_CHAIN: usize = 32;
/// So many tokens has a grant of half a year whose client refreshes every hour.
const LONGEST_HISTORY: usize = 4_320;

/// Answers with a new access token and the next refresh token.
pub(crate) async fn refresh(
    server: &Inner,
    sender: &Sender<'_>,
    form: &Parameters,
) -> Result<TokenResponse, Refusal> {
    sender.check()?;
    let presented = form.get("refresh_token").ok().flatten();
    let presented = Secret::new(presented.ok_or(Refusal::NoRefreshToken)?);
    let row = find(server, &presented).await?;
    check_client(&row, sender)?;
    sender.check_confidential(row.grant.confidential)?;
    sender.check_bound(row.grant.bound_to.as_deref())?;
    alive(server, &row)?;
    let client = still::client_now(server, sender).await?;
    still::check_grant(client.as_deref(), REFRESH_TOKEN)?;
    let resources = narrowed_resources(form, &row.grant.resource)?;
    still::check_resources(server, client.as_deref(), &resources)?;
    let granted = still::scopes(client.as_deref(), stored_scopes(&row.grant.scopes)?)?;
    let granted = still::scopes_of(server, &row.grant.user_id, granted).await?;
    let scopes = narrowed(form, &granted)?;
    let binding = sender.bind(server, must_bind(&row)).await?;
    if let Some(proxied) = &server.settings.proxied {
        return proxied::refresh(server, proxied, presented, &row).await;
    }
    if row.behind.is_some() {
        return Err(Refusal::OtherArrangement);
    }
    linked::check_agreed(server, &row.grant.acts_at, &resources, &scopes)?;
    linked::check(server, &row.grant.user_id, &resources, &scopes).await?;
    let subject = Subject {
        grant_id: &row.grant.id,
        subject: &row.grant.user_id,
        client_id: &row.grant.client_id,
        resources: &resources,
        scopes: &scopes,
        binding: binding.as_ref(),
        login: row.grant.authenticated_at,
        actor: None,
        ends: None,
    };
    let issued = issue(server, &subject).await?;
    let next = next(server, presented, &row).await?;
    Ok(answer(server, &subject, issued, Some(next)))
}

/// A grant that is bound to a certificate goes on giving tokens that are.
fn must_bind(row: &RefreshTokenRow) -> MustBind {
    let certificate = row.grant.bound_to.as_deref().is_some_and(is_certificate);
    MustBind { dpop: false, certificate }
}

async fn find(server: &Inner, token: &Secret) -> Result<RefreshTokenRow, Refusal> {
    let row = server.store.find_refresh_token(&digest(token.expose())).await?;
    row.ok_or(Refusal::UnknownRefreshToken)
}

/// OAuth 2.1 §4.3.1. First of all: another client learns nothing, and changes nothing.
fn check_client(row: &RefreshTokenRow, sender: &Sender<'_>) -> Result<(), Refusal> {
    let same = row.grant.client_id == sender.client.id();
    same.then_some(()).ok_or(Refusal::OtherClientsRefreshToken)
}

/// Whether its grant lives, and it does itself.
pub(crate) fn alive(server: &Inner, row: &RefreshTokenRow) -> Result<(), Refusal> {
    if row.grant.revoked_at.is_some() {
        return Err(Refusal::Revoked);
    }
    // A used token is judged by when it was used, not by when it would have ended.
    let ends = match row.used_at {
        Some(_) => row.grant.expires_at,
        None => row.expires_at.min(row.grant.expires_at),
    };
    let alive = server.store.now() < ends;
    alive.then_some(()).ok_or(Refusal::RefreshTokenExpired)
}

/// OAuth 2.1 §4.3.1: less may be asked for; the grant stays as it is.
fn narrowed(form: &Parameters, granted: &ScopeSet) -> Result<ScopeSet, Refusal> {
    let Some(text) = form.get("scope").ok().flatten() else {
        return Ok(granted.clone());
    };
    let asked = ScopeSet::parse(text).map_err(|error| Refusal::MalformedScope(error.to_string()))?;
    let beyond = asked.difference(granted);
    match beyond.is_empty() {
        true => Ok(asked),
        false => Err(Refusal::ScopeBeyondGrant(beyond.to_string())),
    }
}

/// The token to answer with: a new successor, or the one that another request made a moment ago.
async fn next(server: &Inner, presented: Secret, row: &RefreshTokenRow) -> Result<Secret, Refusal> {
    if row.used_at.is_none()
        && let Some(successor) = rotate(server, &presented, row).await?
    {
        return Ok(successor);
    }
    Ok(newest(server, presented).await?.0)
}

/// One statement consumes the token and stores its successor. `None` where someone was faster by a moment.
async fn rotate(
    server: &Inner,
    presented: &Secret,
    row: &RefreshTokenRow,
) -> Result<Option<Secret>, Refusal> {
    let successor = Secret::new(token());
    let hash = &digest(presented.expose());
    let sealed_successor =
        &successor_key(presented).seal(hash, successor.expose().as_bytes()).map_err(StoreError::from)?;
    let idle_ends = server.store.now().after(server.settings.lifetimes.refresh_idle);
    let ends = idle_ends.min(row.grant.expires_at);
    let new = NewRefreshToken { hash: digest(successor.expose()), ends, behind: None };
    let rotation = Rotation { hash, sealed_successor, successor: new };
    let won = server.store.rotate_refresh_token(&rotation).await?;
    Ok(won.then_some(successor))
}

/// Follows successors from a used token to the one that is not used yet. Each step has to be within the grace window;
/// otherwise it is theft, and the family ends. Where the tokens are a provider's, its access token comes along.
pub(crate) async fn newest(server: &Inner, presented: Secret) -> Result<(Secret, Option<Given>), Refusal> {
    let (mut token, mut given) = (presented, None);
    for _ in 0..LONGEST_CHAIN {
        let row = find(server, &token).await?;
        alive(server, &row)?;
        let (Some(used_at), Some(sealed)) = (row.used_at, &row.successor) else {
            return Ok((token, given));
        };
        let grace_ends = used_at.after(server.settings.lifetimes.refresh_grace);
        if server.store.now() >= grace_ends {
            return Err(replayed(server, &token, &row).await?);
        }
        (token, given) = successor(&token, sealed)?;
    }
    let row = find(server, &token).await?;
    Err(replayed(server, &token, &row).await?)
}

/// The last token of a chain, however old it is; none, where the first was never issued.
pub(crate) async fn follow(server: &Inner, presented: Secret) -> Result<Option<Secret>, StoreError> {
    let mut token = presented;
    for _ in 0..LONGEST_HISTORY {
        let Some(row) = server.store.find_refresh_token(&digest(token.expose())).await? else {
            return Ok(None);
        };
        let Some(sealed) = &row.successor else { return Ok(Some(token)) };
        (token, _) = successor(&token, sealed)?;
    }
    Ok(None)
}

/// What a used token yields. A token alone is base64url; with a provider's access token it is JSON.
fn successor(token: &Secret, sealed: &str) -> Result<(Secret, Option<Given>), StoreError> {
    let plain = successor_key(token).open(&digest(token.expose()), sealed)?;
    if plain.starts_with(b"{") {
        let next: Next = serde_json::from_slice(&plain).map_err(|_| StoreError::Sealed)?;
        return Ok((next.successor, Some(next.given)));
    }
    let successor = String::from_utf8(plain).map_err(|_| StoreError::Sealed)?;
    Ok((Secret::new(successor), None))
}

async fn replayed(server: &Inner, token: &Secret, row: &RefreshTokenRow) -> Result<Refusal, Refusal> {
    server.store.revoke_grant(&row.grant.id).await?;
    if let Some(proxied) = &server.settings.proxied {
        proxied::end_at_provider(server, proxied, token).await?;
    }
    tracing::warn!(
        grant = row.grant.id,
        client = row.grant.client_id,
        "a refresh token was replayed; its grant is revoked"
    );
    let event = NewEvent::new(AuditKind::RefreshTokenReplayed).user(&row.grant.user_id);
    server.store.record(event.client(&row.grant.client_id).grant(&row.grant.id));
    Ok(Refusal::RefreshTokenReplayed)
}

pub(crate) fn successor_key(token: &Secret) -> SealingKey {
    SealingKey::derive(token.expose().as_bytes(), "refresh token successor")
}
