//! A code for tokens (OAuth 2.1 §4.1.3).

use hallpass_protocol::form::Parameters;
use hallpass_protocol::pkce::{CodeChallenge, CodeVerifier};
use hallpass_protocol::secret::Secret;
use hallpass_protocol::token::TokenResponse;

use super::access_token::{Subject, answer, issue, narrowed_resources, stored_scopes};
use super::{Refusal, Sender, linked, still};
use crate::audit::{AuditKind, NewEvent};
use crate::checks::Resources;
use crate::clients::AUTHORIZATION_CODE;
use crate::proxied;
use crate::random::{digest, token};
use crate::server::Inner;
use crate::store::{CodeRow, StoreError};

/// Every rule is checked by itself, and any single fault refuses. A refusal before the code is consumed leaves it as
/// it was: whoever has caught a code but not its verifier cannot even spoil it.
pub(crate) async fn redeem(
    server: &Inner,
    sender: &Sender<'_>,
    form: &Parameters,
) -> Result<TokenResponse, Refusal> {
    sender.check()?;
    let code = form.get("code").ok().flatten().ok_or(Refusal::NoCode)?;
    let code_hash = digest(code);
    let row = server.store.find_code(&code_hash).await?;
    let row = row.ok_or(Refusal::UnknownCode)?;
    check_client(&row, sender)?;
    sender.check_confidential(row.confidential)?;
    sender.check_must_bind(row.must_bind)?;
    check_unused(server, &row).await?;
    check_time(server, &row)?;
    check_redirect_uri(&row, form)?;
    check_verifier(&row, form)?;
    sender.check_bound(row.bound_to.as_deref())?;
    let client = sender.client.client();
    still::check_grant(client, AUTHORIZATION_CODE)?;
    still::check_redirect_uri(client, &row.redirect_uri)?;
    let resources = narrowed_resources(form, &row.resource)?;
    still::check_resources(server, client, &resources)?;
    consume(server, sender, &Secret::new(code), &row, &resources).await
}

/// OAuth 2.1 §4.1.3. First of all: another client learns nothing, and changes nothing.
fn check_client(row: &CodeRow, sender: &Sender<'_>) -> Result<(), Refusal> {
    let same = row.client_id == sender.client.id();
    same.then_some(()).ok_or(Refusal::OtherClientsCode)
}

/// OAuth 2.1 §4.1.2: two parties have the code, so neither keeps its tokens. Noted once: later replays end nothing, and
/// whoever has an old code must not fill the audit log.
async fn check_unused(server: &Inner, row: &CodeRow) -> Result<(), Refusal> {
    if row.used_at.is_none() {
        return Ok(());
    }
    if server.store.revoke_grant(&row.grant_id).await? {
        tracing::warn!(
            grant = row.grant_id,
            client = row.client_id,
            "a code was replayed; its grant is revoked"
        );
        let event = NewEvent::new(AuditKind::CodeReplayed).user(&row.user_id).client(&row.client_id);
        server.store.record(event.grant(&row.grant_id));
    }
    Err(Refusal::CodeReplayed)
}

fn check_time(server: &Inner, row: &CodeRow) -> Result<(), Refusal> {
    let alive = server.store.now() < row.expires_at;
    alive.then_some(()).ok_or(Refusal::CodeExpired)
}

/// OAuth 2.1 §10.2: clients of 2.1 do not send it any more; where it is sent it has to be the same text.
fn check_redirect_uri(row: &CodeRow, form: &Parameters) -> Result<(), Refusal> {
    match form.get("redirect_uri") {
        Ok(None) => Ok(()),
        Ok(Some(uri)) if uri == row.redirect_uri => Ok(()),
        _ => Err(Refusal::OtherRedirectUri),
    }
}

/// RFC 7636 §4.6. A code is never issued without a challenge, so there is no case without one.
fn check_verifier(row: &CodeRow, form: &Parameters) -> Result<(), Refusal> {
    let verifier = form.get("code_verifier").ok().flatten();
    let verifier =
        CodeVerifier::parse(verifier.ok_or(Refusal::NoVerifier)?).map_err(Refusal::MalformedVerifier)?;
    let challenge = CodeChallenge::parse(&row.challenge)
        .map_err(|_| StoreError::Unreadable { what: "code challenge" })?;
    let fits = challenge.verify(&verifier);
    fits.then_some(()).ok_or(Refusal::WrongVerifier)
}

async fn consume(
    server: &Inner,
    sender: &Sender<'_>,
    code: &Secret,
    row: &CodeRow,
    resources: &Resources,
) -> Result<TokenResponse, Refusal> {
    let code_hash = &digest(code.expose());
    let lifetimes = &server.settings.lifetimes;
    let now = server.store.now();
    let grant_ends = now.after(lifetimes.grant);
    let client = sender.client.client();
    let refreshable = row.refreshable && client.is_none_or(|client| client.may_refresh);
    if server.settings.proxied.is_some() {
        let bound_to = sender.refresh_binding(row.must_bind);
        let given = proxied::redeem(server, code, row, refreshable, bound_to.as_deref()).await?;
        return match given {
            Some(answer) => Ok(answer),
            None => Err(why_not(server, code_hash).await?),
        };
    }
    if row.given.is_some() {
        return Err(Refusal::OtherArrangement);
    }
    let refresh_token = refreshable.then(token);
    let stored = refresh_token.as_deref().map(digest);
    let idle_ends = now.after(lifetimes.refresh_idle).min(grant_ends);
    let first = stored.as_deref().map(|hash| (hash, idle_ends));
    let bound_to = sender.refresh_binding(row.must_bind);
    let binding = sender.bind(server, row.must_bind).await?;
    let scopes = still::scopes(client, stored_scopes(&row.scopes)?)?;
    let scopes = still::scopes_of(server, &row.user_id, scopes).await?;
    linked::check_agreed(server, &row.acts_at, resources, &scopes)?;
    linked::check(server, &row.user_id, resources, &scopes).await?;
    let subject = Subject {
        grant_id: &row.grant_id,
        subject: &row.user_id,
        client_id: &row.client_id,
        resources,
        scopes: &scopes,
        binding: binding.as_ref(),
        login: row.authenticated_at,
        actor: None,
        ends: None,
    };
    let issued = issue(server, &subject).await?;
    if !server.store.redeem_code(code_hash, grant_ends, first, bound_to.as_deref()).await? {
        return Err(why_not(server, code_hash).await?);
    }
    linked::check_again(server, &row.user_id, resources, &scopes, &row.grant_id).await?;
    Ok(answer(server, &subject, issued, refresh_token.map(Secret::new)))
}

/// Someone was faster by a moment, the last second has passed, or the account is gone.
async fn why_not(server: &Inner, code_hash: &str) -> Result<Refusal, Refusal> {
    let row = server.store.find_code(code_hash).await?.ok_or(Refusal::UserGone)?;
    check_unused(server, &row).await?;
    check_time(server, &row)?;
    Ok(Refusal::UserGone)
}
