//! Protected resource metadata: where it is sought, and when it is believed.

use std::collections::BTreeMap;

use hallpass_guarded_fetch::Fetcher;
use hallpass_protocol::{
    challenge::Challenge,
    resource::ResourceIdentifier,
    resource_metadata::ProtectedResourceMetadata,
    scope::{Scope, ScopeSet},
};
use url::Url;

use super::{
    Choice,
    document::{Found, get},
};
use crate::error::{Error, Rule, Step, printable};

/// Metadata that is about the server that was asked. Only [`Resource::verified`] makes one.
#[derive(Debug)]
pub(super) struct Resource {
    /// The resource identifier, as the server spells it.
    pub(super) resource: String,
    /// Scopes for basic use.
    pub(super) scopes_supported: Option<ScopeSet>,
    /// See [`Discovery`](super::Discovery).
    pub(super) dpop_required: bool,
    /// See [`Discovery`](super::Discovery).
    pub(super) dpop_algorithms: Option<Vec<String>>,
    authorization_servers: Vec<String>,
    public_client_ids: BTreeMap<String, String>,
    location: Url,
}

/// Asks each location in turn. `None` where there is no metadata at all.
pub(super) async fn find(
    fetcher: &Fetcher,
    server: &ResourceIdentifier,
    challenge: Option<&Challenge>,
) -> Result<Option<Resource>, Error> {
    for location in locations(server, challenge)? {
        if let Found::Document(metadata) = get(fetcher, &location).await? {
            return Resource::verified(metadata, server, location).map(Some);
        }
    }
    Ok(None)
}

/// Scope names that are none are left out; the rest may still do.
fn scopes(names: &[String]) -> ScopeSet {
    names.iter().filter_map(|name| Scope::parse(name).ok()).collect()
}

fn locations(server: &ResourceIdentifier, challenge: Option<&Challenge>) -> Result<Vec<Url>, Error> {
    let mut locations = Vec::new();
    if let Some(named) = challenge.and_then(Challenge::resource_metadata) {
        locations.push(Url::parse(named).map_err(|error| Error::Misconfigured {
            step: Step::Discover,
            url: printable(named),
            rule: Rule::Malformed(format!("`resource_metadata` of the challenge: {error}")),
        })?);
    }
    for known in [server.metadata_url(), server.root_metadata_url()] {
        if !locations.contains(&known) {
            locations.push(known);
        }
    }
    Ok(locations)
}

impl Resource {
    /// RFC 9728 §3.3: metadata for another resource must not be used. A token for it would be a token
    /// that someone else can spend.
    fn verified(
        metadata: ProtectedResourceMetadata,
        server: &ResourceIdentifier,
        location: Url,
    ) -> Result<Self, Error> {
        let matches = ResourceIdentifier::parse(&metadata.resource)
            .is_ok_and(|named| is_same(&named, server) || is_whole_host(&named, server, &location));
        if !matches {
            let rule = Rule::ResourceMismatch {
                named: printable(&metadata.resource),
                server: server.as_str().to_owned(),
            };
            return Err(Error::Misconfigured { step: Step::Discover, url: location.into(), rule });
        }
        let public_client_ids = metadata.other.get("public_client_id").cloned();
        Ok(Self {
            // An extension, and of no weight: what is not understood is left out.
            public_client_ids: public_client_ids
                .and_then(|ids| serde_json::from_value(ids).ok())
                .unwrap_or_default(),
            resource: metadata.resource,
            scopes_supported: metadata.scopes_supported.map(|names| scopes(&names)),
            dpop_required: metadata.dpop_bound_access_tokens_required == Some(true),
            dpop_algorithms: metadata.dpop_signing_alg_values_supported,
            authorization_servers: metadata.authorization_servers,
            location,
        })
    }

    /// The client id that the MCP server publishes for public native clients at an issuer: the member
    /// `public_client_id`, an object from issuer to client id. An extension of hallpass's.
    pub(super) fn public_client_id(&self, issuer: &str) -> Option<String> {
        self.public_client_ids.get(issuer).filter(|id| !id.is_empty()).cloned()
    }

    /// The authorization server to use (RFC 9728 §7.6).
    pub(super) fn issuer(&self, choice: &Choice<'_>) -> Result<String, Error> {
        let offered = &self.authorization_servers;
        let is = |issuer: &str, wanted: &str| choice.profiles.of(wanted).same_issuer(issuer, wanted);
        let preferred = choice.preferred.and_then(|wanted| offered.iter().find(|issuer| is(issuer, wanted)));
        let rule = match (preferred.or(offered.first()), choice.assumed) {
            (None, _) => Rule::NoAuthorizationServer,
            (Some(issuer), Some(wanted)) if !is(issuer, wanted) => {
                Rule::NotOffered { wanted: wanted.to_owned(), offered: printable(&offered.join(", ")) }
            }
            (Some(issuer), _) => return Ok(issuer.clone()),
        };
        Err(Error::Misconfigured { step: Step::Discover, url: self.location.to_string(), rule })
    }
}

/// Whether metadata from that location is about the server.
#[cfg(feature = "fuzzing")]
pub(crate) fn is_believed(
    metadata: ProtectedResourceMetadata,
    server: &ResourceIdentifier,
    location: Url,
) -> bool {
    Resource::verified(metadata, server, location).is_ok()
}

/// A slash at the end and a query that is not named make no other resource; another path does, also a parent's:
/// of the tenants of one host, one must not ask for tokens that are good for all.
fn is_same(named: &ResourceIdentifier, server: &ResourceIdentifier) -> bool {
    let path = |resource: &ResourceIdentifier| resource.url().path().trim_end_matches('/').to_owned();
    named.covers(server.url()) && path(named) == path(server)
}

/// MCP 2025-11-25, "Protected Resource Metadata Discovery": a host may describe itself as one resource, at the
/// root. Only whoever has the host can publish there.
fn is_whole_host(named: &ResourceIdentifier, server: &ResourceIdentifier, location: &Url) -> bool {
    let is_origin = named.url().path() == "/" && named.url().query().is_none();
    is_origin && named.covers(server.url()) && *location == server.root_metadata_url()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_for_this_very_resource_or_for_the_whole_host() {
        let server = "https://mcp.example/a/mcp";
        for (named, at_root, elsewhere) in [
            ("https://mcp.example/a/mcp", true, true),
            ("HTTPS://MCP.EXAMPLE/a/mcp", true, true),
            ("https://mcp.example/a", false, false),
            ("https://mcp.example", true, false),
            ("https://mcp.example/", true, false),
            ("https://mcp.example/?a", false, false),
            ("https://mcp.example/a/mcp/b", false, false),
            ("https://mcp.example/b/mcp", false, false),
            ("https://example", false, false),
            ("http://mcp.example", false, false),
            ("https://mcp.example:444", false, false),
        ] {
            let server = ResourceIdentifier::parse(server).unwrap();
            let accepted = |location: Url| {
                let metadata = ProtectedResourceMetadata { resource: named.into(), ..Default::default() };
                Resource::verified(metadata, &server, location).is_ok()
            };
            assert_eq!(accepted(server.root_metadata_url()), at_root, "{named}");
            assert_eq!(accepted(server.metadata_url()), elsewhere, "{named}");
        }
    }

    #[test]
    fn a_slash_at_the_end_and_a_query_make_no_other_resource() {
        let is_same = |named, server| {
            let parse = |text| ResourceIdentifier::parse(text).unwrap();
            super::is_same(&parse(named), &parse(server))
        };
        assert!(is_same("https://a/mcp", "https://a/mcp/"));
        assert!(is_same("https://a/mcp", "https://a/mcp?key=1"));
        assert!(!is_same("https://a/mcp?key=2", "https://a/mcp?key=1"));
    }
}
