//! A device code for tokens, once its person has allowed it (RFC 8628 §3.4, §3.5).

use hallpass_protocol::form::Parameters;
use hallpass_protocol::scope::ScopeSet;
use hallpass_protocol::secret::Secret;
use hallpass_protocol::time::Timestamp;
use hallpass_protocol::token::TokenResponse;

use super::access_token::{self, Subject, issue, narrowed_resources, stored_scopes};
use super::refresh_token::newest;
use super::{Binding, Refusal, Sender, linked, still};
use crate::audit::{AuditKind, NewEvent};
use crate::checks::Resources;
use crate::clients::DEVICE_CODE;
use crate::keys::SealingKey;
use crate::random::{digest, token};
use crate::server::Inner;
use crate::store::{BeginsGrant, Decision, DeviceRow, NewRefreshToken, Poll, StoreError};

/// Answers the device: not yet, no, or with tokens.
pub(crate) async fn redeem_device(
    server: &Inner,
    sender: &Sender<'_>,
    form: &Parameters,
) -> Result<TokenResponse, Refusal> {
    sender.check()?;
    let code = form.get("device_code").ok().flatten().ok_or(Refusal::NoDeviceCode)?;
    let hash = digest(code);
    let row = server.store.find_device(&hash).await?.ok_or(Refusal::UnknownDeviceCode)?;
    check_client(&row, sender)?;
    sender.check_confidential(row.confidential)?;
    sender.check_must_bind(row.must_bind)?;
    still::check_grant(sender.client.client(), DEVICE_CODE)?;
    if let (Some(Decision::Redeemed), Some(at)) = (row.decision, row.redeemed_at) {
        return again(server, sender, form, Secret::new(code), &row, at).await;
    }
    check_time(server, &row)?;
    check_pace(server, &hash).await?;
    match row.decision {
        None => Err(Refusal::AuthorizationPending),
        Some(Decision::Denied) => Err(Refusal::AccessDenied),
        Some(_) => consume(server, sender, form, &Secret::new(code), &row).await,
    }
}

/// RFC 8628 §3.4. First of all: another client learns nothing, and changes nothing.
fn check_client(row: &DeviceRow, sender: &Sender<'_>) -> Result<(), Refusal> {
    let same = row.client_id == sender.client.id();
    same.then_some(()).ok_or(Refusal::OtherClientsCode)
}

fn check_time(server: &Inner, row: &DeviceRow) -> Result<(), Refusal> {
    let alive = server.store.now() < row.expires_at;
    alive.then_some(()).ok_or(Refusal::DeviceCodeExpired)
}

/// RFC 8628 §3.5: whoever asks too soon has to wait longer.
async fn check_pace(server: &Inner, hash: &str) -> Result<(), Refusal> {
    match server.store.poll_device(hash).await? {
        Poll::InTime => Ok(()),
        Poll::TooSoon => Err(Refusal::SlowDown),
    }
}

/// The answer was lost, and the device asks once more: as with a refresh token, within the grace window the same client
/// with the same key gets what it had got. Later two parties have the code, so neither keeps its tokens. Whoever goes on
/// asking is held to the pace: each answer is a new access token and an event of the audit log.
async fn again(
    server: &Inner,
    sender: &Sender<'_>,
    form: &Parameters,
    code: Secret,
    row: &DeviceRow,
    redeemed_at: Timestamp,
) -> Result<TokenResponse, Refusal> {
    let grant = server.store.find_grant(&row.grant_id).await?.ok_or(Refusal::UserGone)?;
    let late = server.store.now() >= redeemed_at.after(server.settings.lifetimes.refresh_grace);
    if late && grant.revoked_at.is_none() {
        return Err(replayed(server, row).await?);
    }
    let hash = digest(code.expose());
    check_pace(server, &hash).await?;
    if late {
        return Err(Refusal::CodeReplayed);
    }
    if grant.revoked_at.is_some() {
        return Err(Refusal::Revoked);
    }
    sender.check_bound(grant.bound_to.as_deref())?;
    let binding = sender.bind(server, row.must_bind).await?;
    let about = About::of(server, sender, row, form).await?;
    let subject = about.subject(binding.as_ref());
    let issued = issue(server, &subject).await?;
    let refresh_token = match &row.sealed_token {
        Some(sealed) => {
            let first = sealing_key(&code).open(&hash, sealed).map_err(StoreError::from)?;
            let first = String::from_utf8(first).map_err(|_| StoreError::Sealed)?;
            Some(newest(server, Secret::new(first)).await?.0)
        }
        None => None,
    };
    Ok(access_token::answer(server, &subject, issued, refresh_token))
}

/// Noted once: later replays end nothing.
async fn replayed(server: &Inner, row: &DeviceRow) -> Result<Refusal, Refusal> {
    if server.store.revoke_grant(&row.grant_id).await? {
        tracing::warn!(
            grant = row.grant_id,
            client = row.client_id,
            "a device code was replayed; its grant is revoked"
        );
        let event = NewEvent::new(AuditKind::CodeReplayed).client(&row.client_id).grant(&row.grant_id);
        server.store.record(row.user_id.iter().fold(event, |event, user| event.user(user)));
    }
    Ok(Refusal::CodeReplayed)
}

fn sealing_key(code: &Secret) -> SealingKey {
    SealingKey::derive(code.expose().as_bytes(), "device's first refresh token")
}

async fn consume(
    server: &Inner,
    sender: &Sender<'_>,
    form: &Parameters,
    code: &Secret,
    row: &DeviceRow,
) -> Result<TokenResponse, Refusal> {
    // Refused before anything is consumed.
    let about = About::of(server, sender, row, form).await?;
    let hash = digest(code.expose());
    let lifetimes = &server.settings.lifetimes;
    let grant_ends = server.store.now().after(lifetimes.grant);
    let refreshable = row.refreshable && sender.client.client().is_none_or(|client| client.may_refresh);
    let refresh_token = refreshable.then(token);
    let ends = server.store.now().after(lifetimes.refresh_idle).min(grant_ends);
    let first =
        refresh_token.as_deref().map(|token| NewRefreshToken { hash: digest(token), ends, behind: None });
    let seal = |token: &str| sealing_key(code).seal(&hash, token.as_bytes());
    let sealed = refresh_token.as_deref().map(seal).transpose().map_err(StoreError::from)?;
    let bound_to = sender.refresh_binding(row.must_bind);
    let binding = sender.bind(server, row.must_bind).await?;
    let subject = about.subject(binding.as_ref());
    let issued = issue(server, &subject).await?;
    let begins = BeginsGrant { ends: grant_ends, first, bound_to: bound_to.as_deref() };
    if !server.store.redeem_device(&hash, begins, sealed.as_deref()).await? {
        return Err(Refusal::UserGone);
    }
    linked::check_again(server, about.user_id, &about.resources, &about.scopes, &row.grant_id).await?;
    tracing::info!(
        grant = row.grant_id,
        client = row.client_id,
        kind = DEVICE_CODE,
        "a device was connected"
    );
    Ok(access_token::answer(server, &subject, issued, refresh_token.map(Secret::new)))
}

/// What the device's tokens are about.
struct About<'a> {
    row: &'a DeviceRow,
    user_id: &'a str,
    resources: Resources,
    scopes: ScopeSet,
}

impl<'a> About<'a> {
    async fn of(
        server: &Inner,
        sender: &Sender<'_>,
        row: &'a DeviceRow,
        form: &Parameters,
    ) -> Result<Self, Refusal> {
        let user_id = row.user_id.as_deref();
        let user_id = user_id.ok_or(StoreError::Unreadable { what: "device without a person" })?;
        let client = sender.client.client();
        let resources = narrowed_resources(form, &row.resource)?;
        still::check_resources(server, client, &resources)?;
        let scopes = still::scopes(client, stored_scopes(&row.scopes)?)?;
        let scopes = still::scopes_of(server, user_id, scopes).await?;
        linked::check_agreed(server, &row.acts_at, &resources, &scopes)?;
        linked::check(server, user_id, &resources, &scopes).await?;
        Ok(Self { row, user_id, resources, scopes })
    }

    fn subject<'s>(&'s self, binding: Option<&'s Binding>) -> Subject<'s> {
        Subject {
            grant_id: &self.row.grant_id,
            subject: self.user_id,
            client_id: &self.row.client_id,
            resources: &self.resources,
            scopes: &self.scopes,
            binding,
            login: self.row.authenticated_at,
            actor: None,
            ends: None,
        }
    }
}
