//! What is asked for (OAuth 2.1 §1.4.1, MCP "Scope Selection Strategy").

use hallpass_protocol::form::Parameters;
use hallpass_protocol::oauth_error::{ErrorCode, OAuthError};
use hallpass_protocol::scope::{Scope, ScopeSet};

use super::resource::known_scopes;
use crate::clients::Client;
use crate::settings::Resource;

/// OpenID Connect Core §11, MCP "Refresh Tokens": asks for a refresh token. It is no scope of a resource, and
/// stands in no access token.
pub(crate) const OFFLINE_ACCESS: &str = "offline_access";

/// The scopes asked for; the resource's default where none is. One that nobody knows is refused rather than
/// dropped, so that a spelling mistake shows at once.
pub(crate) fn requested(
    parameters: &Parameters,
    resources: &[&Resource],
    client: &Client,
) -> Result<ScopeSet, OAuthError> {
    let refused = |why: String| OAuthError::new(ErrorCode::InvalidScope, why);
    let text = parameters.get("scope").ok().flatten().unwrap_or_default();
    let asked = ScopeSet::parse(text).map_err(|error| refused(error.to_string()))?;
    let wants_offline = asked.contains(OFFLINE_ACCESS);
    let mut scopes: ScopeSet =
        asked.iter().filter(|scope| scope.as_str() != OFFLINE_ACCESS).cloned().collect();
    let known = known_scopes(resources);
    let unknown = scopes.difference(&known);
    if !unknown.is_empty() {
        return Err(refused(format!(
            "unknown scope '{unknown}'; there are '{known}' and '{OFFLINE_ACCESS}'"
        )));
    }
    if let Some(allowed) = &client.scopes {
        let beyond = scopes.difference(allowed);
        if !beyond.is_empty() {
            return Err(refused(format!("this client may not ask for '{beyond}'")));
        }
    }
    if scopes.is_empty() {
        scopes = resources.iter().flat_map(|resource| resource.default.iter().cloned()).collect();
        if let Some(allowed) = &client.scopes {
            scopes = scopes.intersection(allowed);
        }
    }
    // RFC 7591 §2: a client that does not use the grant gets no token for it, whatever it asks.
    if wants_offline && client.may_refresh {
        scopes.extend(Scope::parse(OFFLINE_ACCESS));
    }
    // RFC 6749 §5.1: an answer without `scope` would mean that all of it was granted.
    if scopes.is_empty() && !asked.is_empty() {
        return Err(refused(format!("nothing of '{asked}' can be granted to this client")));
    }
    Ok(scopes)
}
