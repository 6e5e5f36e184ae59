//! Authorization server metadata: where it is sought, and when it is believed.

use hallpass_guarded_fetch::Fetcher;
use hallpass_protocol::{
    issuer::Issuer, resource::ResourceIdentifier, server_metadata::AuthorizationServerMetadata,
};

use super::document::{Found, get};
use crate::error::{Error, Rule, Step, printable};

/// An authorization server whose metadata names the issuer that was asked for (RFC 8414 §3.3). There is no
/// other way to one than [`find`](Self::find) and [`at_origin`](Self::at_origin).
#[derive(Debug)]
pub(crate) struct AuthorizationServer {
    issuer: Issuer,
    metadata: AuthorizationServerMetadata,
    published: bool,
}

impl AuthorizationServer {
    /// Fetches the metadata of a named issuer, in the order of the MCP specification.
    pub(crate) async fn find(fetcher: &Fetcher, issuer: &str) -> Result<Self, Error> {
        let issuer = parse(issuer)?;
        match search(fetcher, &issuer).await? {
            Ok(server) => Ok(server),
            Err(tried) => Err(misconfigured(issuer.as_str(), Rule::MetadataNotFound(format!(": {tried}")))),
        }
    }

    /// MCP 2025-03-26: the server is its own authorization server. Metadata is at the origin; without any,
    /// the endpoints have default paths.
    pub(crate) async fn at_origin(fetcher: &Fetcher, server: &ResourceIdentifier) -> Result<Self, Error> {
        let origin = server.url().origin().ascii_serialization();
        let issuer = parse(&origin)?;
        match search(fetcher, &issuer).await? {
            Ok(server) => Ok(server),
            Err(_) => Ok(Self { metadata: default_endpoints(&origin), issuer, published: false }),
        }
    }

    /// RFC 8414 §3.3, and OpenID Connect Discovery §4.3: identical, character for character.
    fn verified(
        metadata: AuthorizationServerMetadata,
        issuer: &Issuer,
        location: &str,
    ) -> Result<Self, Error> {
        metadata.check_issuer(issuer).map_err(|wrong| {
            misconfigured(
                location,
                Rule::IssuerMismatch { expected: wrong.expected.to_string(), found: printable(&wrong.found) },
            )
        })?;
        Ok(Self { issuer: issuer.clone(), metadata, published: true })
    }

    /// The issuer identifier.
    pub(crate) fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    /// The metadata.
    pub(crate) fn metadata(&self) -> &AuthorizationServerMetadata {
        &self.metadata
    }

    /// RFC 7636 in metadata. MCP 2025-11-25 forbids to go on without it; MCP 2025-03-26 servers without any
    /// metadata cannot say, and get the challenge all the same.
    pub(crate) fn supports_s256(&self) -> bool {
        !self.published || self.metadata.supports_s256()
    }

    /// An endpoint that the flow cannot do without.
    pub(crate) fn endpoint<'a>(
        &'a self,
        name: &'static str,
        value: &'a Option<String>,
    ) -> Result<&'a str, Error> {
        value.as_deref().ok_or_else(|| misconfigured(self.issuer.as_str(), Rule::EndpointMissing(name)))
    }
}

/// The metadata, or what was tried instead.
async fn search(fetcher: &Fetcher, issuer: &Issuer) -> Result<Result<AuthorizationServer, String>, Error> {
    let mut tried = Vec::new();
    for location in issuer.metadata_urls() {
        match get(fetcher, &location).await? {
            Found::Document(metadata) => {
                return AuthorizationServer::verified(metadata, issuer, location.as_str()).map(Ok);
            }
            Found::Absent(why) => tried.push(why),
        }
    }
    Ok(Err(tried.join("; ")))
}

/// MCP 2025-03-26, "Fallbacks for Servers without Metadata Discovery".
fn default_endpoints(origin: &str) -> AuthorizationServerMetadata {
    AuthorizationServerMetadata {
        issuer: origin.to_owned(),
        authorization_endpoint: Some(format!("{origin}/authorize")),
        token_endpoint: Some(format!("{origin}/token")),
        registration_endpoint: Some(format!("{origin}/register")),
        ..AuthorizationServerMetadata::default()
    }
}

fn parse(issuer: &str) -> Result<Issuer, Error> {
    Issuer::parse(issuer).map_err(|_| misconfigured(issuer, Rule::InvalidIssuer(printable(issuer))))
}

fn misconfigured(url: &str, rule: Rule) -> Error {
    Error::Misconfigured { step: Step::Discover, url: printable(url), rule }
}
