//! From a challenge to an authorization server that may be trusted.
//!
//! | order | asked | source |
//! |---|---|---|
//! | 1 | `resource_metadata` of the challenge | RFC 9728 §5.1 |
//! | 2 | the well-known location with the server's path | RFC 9728 §3.1 |
//! | 3 | the well-known location at the root | MCP 2025-11-25, "Protected Resource Metadata Discovery" |
//! | 4 | authorization server metadata, RFC 8414 and OpenID forms | MCP 2025-11-25 |
//! | 5 | where 1 to 3 found nothing: the issuer that the caller names | |
//! | 6 | an https `realm` of the challenge that is an issuer with metadata | realm-based discovery (draft) |
//! | 7 | metadata at the origin, then default endpoints | MCP 2025-03-26 |

mod authorization_server;
mod challenge;
mod document;
mod resource;

pub(crate) use authorization_server::AuthorizationServer;
pub(crate) use challenge::Refusal;
#[cfg(feature = "fuzzing")]
pub(crate) use resource::is_believed;

use hallpass_guarded_fetch::Fetcher;
use hallpass_protocol::{
    challenge::Challenge, issuer::Issuer, resource::ResourceIdentifier, scope::ScopeSet,
};

use crate::{error::Error, profile::Profiles};

/// What a login needs to know about the two servers.
#[derive(Debug)]
pub(crate) struct Discovery {
    /// What to send as `resource` (RFC 8707 §2).
    pub(crate) resource: String,
    /// The authorization server, its metadata checked.
    pub(crate) authorization_server: AuthorizationServer,
    /// The scopes that the MCP server names for basic use.
    pub(crate) scopes_supported: Option<ScopeSet>,
    /// A client id that the MCP server publishes for clients of this authorization server, where it may be used.
    pub(crate) public_client_id: Option<String>,
    /// Whether it takes only tokens that are bound to a key (RFC 9728 §2, `dpop_bound_access_tokens_required`).
    pub(crate) dpop_required: bool,
    /// The algorithms of proofs that it takes.
    pub(crate) dpop_algorithms: Option<Vec<String>>,
}

/// Which authorization server to take, where there is a choice.
#[derive(Clone, Copy)]
pub(crate) struct Choice<'a> {
    /// Of several that are offered, this one.
    pub(crate) preferred: Option<&'a str>,
    /// The caller's own choice: where none is offered, this one; where others are, none.
    pub(crate) assumed: Option<&'a str>,
    /// Whether the client authenticates by its certificate where the server lets it (RFC 8705 §2).
    pub(crate) by_certificate: bool,
    /// What authorization servers do differently.
    pub(crate) profiles: &'a Profiles,
}

/// Finds the authorization server of an MCP server. Where several are offered, the caller decides, then
/// the server's own order (RFC 9728 §7.6).
pub(crate) async fn discover(
    fetcher: &Fetcher,
    server: &ResourceIdentifier,
    challenge: Option<&Challenge>,
    choice: &Choice<'_>,
) -> Result<Discovery, Error> {
    let for_certificate = |server: AuthorizationServer| {
        let is_shown = fetcher.policy().identity.is_some() && server.sees_certificates(choice.by_certificate);
        server.for_certificate(is_shown)
    };
    let Some(found) = resource::find(fetcher, server, challenge).await? else {
        let unnamed = unnamed(fetcher, server, challenge, choice).await?;
        return Ok(Discovery {
            resource: server.as_str().to_owned(),
            authorization_server: for_certificate(unnamed),
            scopes_supported: None,
            public_client_id: None,
            dpop_required: false,
            dpop_algorithms: None,
        });
    };
    let issuer = found.issuer(choice)?;
    let authorization_server = AuthorizationServer::find(fetcher, &issuer, choice.profiles).await?;
    Ok(Discovery {
        authorization_server: for_certificate(authorization_server),
        public_client_id: found
            .public_client_id(&issuer)
            .filter(|_| choice.profiles.of(&issuer).takes_published_id()),
        resource: found.resource,
        scopes_supported: found.scopes_supported,
        dpop_required: found.dpop_required,
        dpop_algorithms: found.dpop_algorithms,
    })
}

/// The authorization server of an MCP server that names none.
async fn unnamed(
    fetcher: &Fetcher,
    server: &ResourceIdentifier,
    challenge: Option<&Challenge>,
    choice: &Choice<'_>,
) -> Result<AuthorizationServer, Error> {
    if let Some(issuer) = choice.assumed {
        return AuthorizationServer::find(fetcher, issuer, choice.profiles).await;
    }
    // Most realms are a word for people. Only one that proves to be an issuer, by its own metadata, is one.
    if let Some(realm) = challenge.and_then(Challenge::realm).filter(|realm| Issuer::parse(realm).is_ok()) {
        match AuthorizationServer::find(fetcher, realm, choice.profiles).await {
            Err(Error::Misconfigured { .. }) => {}
            decided => return decided,
        }
    }
    AuthorizationServer::at_origin(fetcher, server, choice.profiles).await
}
