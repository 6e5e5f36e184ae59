//! A device code for tokens, once its person has allowed it (RFC 8628 §3.4, §3.5).

use hallpass_protocol::form::Parameters;
use hallpass_protocol::secret::Secret;
use hallpass_protocol::token::TokenResponse;

use super::access_token::{Subject, narrowed_resources, respond, stored_scopes};
use super::{Refusal, Sender};
use crate::clients::DEVICE_CODE;
use crate::random::{digest, token};
use crate::server::Inner;
use crate::store::{Decision, DeviceRow, Poll, StoreError};

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
    check_time(server, &row)?;
    if row.decision == Some(Decision::Redeemed) {
        // As with a code that comes again: two parties have it, so neither keeps its tokens.
        server.store.revoke_grant(&row.grant_id).await?;
        return Err(Refusal::CodeReplayed);
    }
    check_pace(server, &hash).await?;
    match row.decision {
        None => Err(Refusal::AuthorizationPending),
        Some(Decision::Denied) => Err(Refusal::AccessDenied),
        Some(_) => consume(server, sender, form, &hash, &row).await,
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

async fn consume(
    server: &Inner,
    sender: &Sender<'_>,
    form: &Parameters,
    hash: &str,
    row: &DeviceRow,
) -> Result<TokenResponse, Refusal> {
    let resources = narrowed_resources(form, &row.resource)?;
    let user_id = row.user_id.as_deref().ok_or(StoreError::Unreadable { what: "device without a person" })?;
    let lifetimes = &server.settings.lifetimes;
    let grant_ends = server.store.now().after(lifetimes.grant);
    let refresh_token = row.refreshable.then(token);
    let stored = refresh_token.as_deref().map(digest);
    let idle_ends = server.store.now().after(lifetimes.refresh_idle).min(grant_ends);
    let first = stored.as_deref().map(|hash| (hash, idle_ends));
    if !server.store.redeem_device(hash, grant_ends, first, sender.refresh_binding()).await? {
        return Err(Refusal::UserGone);
    }
    let subject = Subject {
        grant_id: &row.grant_id,
        subject: user_id,
        client_id: &row.client_id,
        resources: &resources,
        scopes: &stored_scopes(&row.scopes)?,
        binding: sender.binding.as_ref(),
        actor: None,
        ends: None,
    };
    tracing::info!(
        grant = row.grant_id,
        client = row.client_id,
        kind = DEVICE_CODE,
        "a device was connected"
    );
    respond(server, &subject, refresh_token.map(Secret::new))
}
