//! What a client may still have of what it was granted before. Registrations (RFC 7592 §2.2), configurations and metadata
//! documents change; what hangs on an older state is judged by what the client is now, each time that it is used.

use std::borrow::Cow;
use std::time::Duration;

use hallpass_protocol::redirect::RedirectUri;
use hallpass_protocol::scope::{Scope, ScopeSet};
use tokio::time::timeout;

use super::{MustBind, Refusal, Sender};
use crate::checks::{OFFLINE_ACCESS, Resources};
use crate::clients::{Client, Unresolved, resolve};
use crate::server::Inner;
use crate::store::bounded;

/// How long the metadata document of a public client is waited for. No refresh fails because a client's web server is down.
const PATIENCE: Duration = Duration::from_secs(2);

/// The client as it is now. `None` is a client whose metadata document cannot be had at this moment; a document that is there
/// and describes no client of this server's any more is an end of it.
pub(super) async fn client_now<'a>(
    server: &Inner,
    sender: &'a Sender<'_>,
) -> Result<Option<Cow<'a, Client>>, Refusal> {
    if let Some(client) = sender.client.client() {
        return Ok(Some(Cow::Borrowed(client)));
    }
    let client = match timeout(PATIENCE, resolve(server, sender.client.id())).await {
        Ok(Ok(client)) => client,
        Ok(Err(Unresolved::Store(failed))) => return Err(failed.into()),
        Ok(Err(Unresolved::Document(error))) if error.is_about_the_client() => {
            return Err(Refusal::ClientChanged(error.to_string()));
        }
        // Switched off or not taken: that was found when the client was authenticated.
        Ok(Err(_)) | Err(_) => return Ok(None),
    };
    // Its document may say by now that it has a key; then an id alone does not do.
    if !client.is_public() && !sender.client.is_proven() {
        return Err(Refusal::NotProven);
    }
    sender.check_must_bind(MustBind::of(&client.details))?;
    Ok(Some(Cow::Owned(client)))
}

/// RFC 7591 §2: a client uses the grants that it is registered for now.
pub(super) fn check_grant(client: Option<&Client>, grant: &'static str) -> Result<(), Refusal> {
    let may = client.is_none_or(|client| client.may_begin(grant));
    may.then_some(()).ok_or(Refusal::GrantNotAllowed(grant))
}

/// What was sent to a redirect URI that the client has given up since may be in the wrong hands.
pub(super) fn check_redirect_uri(client: Option<&Client>, sent_to: &str) -> Result<(), Refusal> {
    let Some(client) = client else { return Ok(()) };
    let sent_to = RedirectUri::parse(sent_to);
    let still = sent_to.is_ok_and(|sent_to| client.redirect_uris.iter().any(|uri| uri.matches(&sent_to)));
    still.then_some(()).ok_or(Refusal::RedirectUriGone)
}

/// RFC 8707 §2: resources that this server knows, and that the client may ask for.
pub(super) fn check_resources(
    server: &Inner,
    client: Option<&Client>,
    resources: &Resources,
) -> Result<(), Refusal> {
    let bound = client.and_then(|client| client.details.resources.as_deref());
    let known = resources.are_known(&server.settings);
    let still = known && bound.is_none_or(|bound| resources.are_within(bound));
    still.then_some(()).ok_or_else(|| Refusal::ResourceGone(resources.to_string()))
}

/// The scopes that the person may be granted now, of those that were: groups at a provider change.
pub(super) async fn scopes_of(server: &Inner, user_id: &str, granted: ScopeSet) -> Result<ScopeSet, Refusal> {
    if server.settings.sign_in.is_empty() {
        return Ok(granted);
    }
    let Some(bound) = server.store.scopes_of_user(user_id).await? else { return Ok(granted) };
    let bound = ScopeSet::parse(&bound).map_err(|error| Refusal::MalformedScope(error.to_string()))?;
    let left = bounded(Some(&bound), &granted);
    if left.is_empty() && !granted.is_empty() { Err(Refusal::NothingLeft) } else { Ok(left) }
}

/// The scopes that the client may have now, of those that were granted.
pub(super) fn scopes(client: Option<&Client>, granted: ScopeSet) -> Result<ScopeSet, Refusal> {
    let Some(client) = client else { return Ok(granted) };
    let may = |scope: &&Scope| match scope.as_str() {
        OFFLINE_ACCESS => client.may_refresh,
        _ => client.scopes.as_ref().is_none_or(|own| own.contains(scope)),
    };
    let left: ScopeSet = granted.iter().filter(may).cloned().collect();
    // A token without a scope would be taken for one with all that was asked for (RFC 6749 §5.1).
    if left.is_empty() && !granted.is_empty() { Err(Refusal::NothingLeft) } else { Ok(left) }
}
