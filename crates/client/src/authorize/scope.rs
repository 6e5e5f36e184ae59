//! What to ask for (MCP 2025-11-25, "Scope Selection Strategy", and 2026-07-28, "Refresh Tokens").

use hallpass_protocol::{
    scope::{Scope, ScopeSet},
    server_metadata::AuthorizationServerMetadata,
};

const OFFLINE_ACCESS: &str = "offline_access";

/// The challenge's scopes, else all that the resource names, else no `scope` at all; joined with what was
/// asked for before, so that a step-up loses nothing. `offline_access` is added where the authorization
/// server names it: alone it would be a request for nothing.
pub(crate) fn choose(
    challenged: Option<&ScopeSet>,
    supported: Option<&ScopeSet>,
    before: &ScopeSet,
    server: &AuthorizationServerMetadata,
) -> Option<ScopeSet> {
    let named = challenged.or(supported).filter(|scope| !scope.is_empty());
    let mut scope = before.union(named.unwrap_or(&ScopeSet::new()));
    if scope.is_empty() {
        return None;
    }
    if server.scopes_supported.iter().flatten().any(|scope| scope == OFFLINE_ACCESS) {
        scope.extend(Scope::parse(OFFLINE_ACCESS).ok());
    }
    Some(scope)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str) -> ScopeSet {
        ScopeSet::parse(text).unwrap()
    }

    #[test]
    fn each_source_in_its_order() {
        let plain = AuthorizationServerMetadata::default();
        let offline = AuthorizationServerMetadata {
            scopes_supported: Some(vec!["offline_access".into()]),
            ..AuthorizationServerMetadata::default()
        };
        for (challenged, supported, before, server, expected) in [
            (Some("a"), Some("b c"), "", &plain, Some("a")),
            (None, Some("b c"), "", &plain, Some("b c")),
            (None, None, "", &plain, None),
            (Some(""), None, "", &plain, None),
            (Some("write"), Some("profile"), "read", &plain, Some("read write")),
            (Some("a"), None, "", &offline, Some("a offline_access")),
            (None, None, "", &offline, None),
        ] {
            let challenged = challenged.map(set);
            let supported = supported.map(set);
            let chosen = choose(challenged.as_ref(), supported.as_ref(), &set(before), server);
            assert_eq!(chosen, expected.map(set), "{challenged:?} {supported:?} {before}");
        }
    }
}
