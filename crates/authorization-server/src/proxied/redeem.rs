//! A code of this server's for the provider's access token, and a refresh token of this server's for the provider's.

use hallpass_protocol::secret::Secret;
use hallpass_protocol::token::TokenResponse;

use super::Given;
use super::behind;
use super::handed_on::{HandedUnder, note};
use crate::audit::{AuditKind, NewEvent};
use crate::grants::Refusal;
use crate::random::{digest, token};
use crate::server::Inner;
use crate::store::{BeginsGrant, CodeRow, NewRefreshToken};

/// The last step, once every check of the code was made: one statement consumes it. `None` where someone was faster, or the
/// account is gone.
pub(crate) async fn redeem(
    server: &Inner,
    code: &Secret,
    row: &CodeRow,
    refreshable: bool,
    bound_to: Option<&str>,
) -> Result<Option<TokenResponse>, Refusal> {
    let sealed = row.given.as_deref().ok_or(Refusal::OtherArrangement)?;
    let mut given = Given::open(code, sealed)?;
    let now = server.store.now();
    let lifetimes = &server.settings.lifetimes;
    let ends = now.after(lifetimes.grant);
    let refresh_token =
        given.refresh_token.take().filter(|_| refreshable).map(|theirs| (Secret::new(token()), theirs));
    let first = match &refresh_token {
        Some((ours, theirs)) => {
            let ends = now.after(lifetimes.refresh_idle).min(ends);
            let behind = Some(behind::seal(ours, theirs)?);
            Some(NewRefreshToken { hash: digest(ours.expose()), ends, behind })
        }
        None => None,
    };
    // Before anything is consumed: where it fails, nothing has happened.
    let under = HandedUnder { id: &row.grant_id, resource: &row.resource, ends };
    let given = note(server, &row.client_id, under, given).await?;
    let begins = BeginsGrant { ends, first, bound_to };
    if !server.store.redeem_code_for(&digest(code.expose()), begins).await? {
        return Ok(None);
    }
    record(server, &row.grant_id, &row.user_id, &row.client_id, &given);
    Ok(Some(given.answer(refresh_token.map(|(ours, _)| ours), now)))
}

/// For the audit log.
pub(super) fn record(server: &Inner, grant_id: &str, user_id: &str, client_id: &str, given: &Given) {
    let event = NewEvent::new(AuditKind::TokenIssued).client(client_id).user(user_id).grant(grant_id);
    server.store.record(event.detail(format!("{}, by the provider", given.scopes())));
}
