//! A token for the client itself (OAuth 2.1 §4.2; MCP extension "OAuth client credentials").
//!
//! No grant is written: the tokens hang on the client's own, which ends when the client is switched off or removed.

use hallpass_protocol::form::Parameters;
use hallpass_protocol::scope::ScopeSet;
use hallpass_protocol::token::TokenResponse;

use super::access_token::{Subject, answer, issue};
use super::{MustBind, Refusal, Sender};
use crate::checks::{OFFLINE_ACCESS, resource, scope};
use crate::clients::{CLIENT_CREDENTIALS, Client};
use crate::server::Inner;

/// Answers with an access token, and with nothing to refresh it (OAuth 2.1 §4.2.2).
pub(crate) async fn issue_to_client(
    server: &Inner,
    sender: &Sender<'_>,
    form: &Parameters,
) -> Result<TokenResponse, Refusal> {
    sender.check()?;
    let client = check_allowed(sender)?;
    let resources = resource::requested(form, &server.settings, client).map_err(Refusal::Request)?;
    let scopes = scope::requested(form, &resources.configured(&server.settings), client);
    let scopes = scopes.map_err(Refusal::Request)?;
    let scopes = without_offline(&scopes)?;
    let binding = sender.bind(server, MustBind::default()).await?;
    let subject = Subject {
        grant_id: &client.own_grant,
        subject: &client.id,
        client_id: &client.id,
        resources: &resources,
        scopes: &scopes,
        binding: binding.as_ref(),
        login: None,
        actor: None,
        ends: None,
    };
    let issued = issue(server, &subject).await?;
    Ok(answer(server, &subject, issued, None))
}

/// OAuth 2.1 §4.2: confidential clients only, and those that are registered for it.
fn check_allowed<'a>(sender: &'a Sender<'_>) -> Result<&'a Client, Refusal> {
    let client = sender.client.client().filter(|client| client.may_use(CLIENT_CREDENTIALS));
    client.filter(|_| sender.client.is_proven()).ok_or(Refusal::GrantNotAllowed(CLIENT_CREDENTIALS))
}

/// There is nothing to refresh. Where that was all, nothing can be granted (RFC 6749 §5.1).
fn without_offline(scopes: &ScopeSet) -> Result<ScopeSet, Refusal> {
    let left: ScopeSet = scopes.iter().filter(|scope| scope.as_str() != OFFLINE_ACCESS).cloned().collect();
    if left.is_empty() && !scopes.is_empty() { Err(Refusal::NothingLeft) } else { Ok(left) }
}
