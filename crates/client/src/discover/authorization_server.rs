//! Authorization server metadata: where it is sought, and when it is believed.

use hallpass_guarded_fetch::Fetcher;
use hallpass_protocol::{
    issuer::Issuer, resource::ResourceIdentifier, server_metadata::AuthorizationServerMetadata,
};

use super::document::{Found, get};
use crate::{
    error::{Error, Rule, Step, printable},
    profile::{Profile, Profiles},
    token_endpoint::{Means, choose_auth},
};

/// An authorization server whose metadata names the issuer that was asked for (RFC 8414 §3.3). There is no
/// other way to one than [`find`](Self::find) and [`at_origin`](Self::at_origin).
#[derive(Debug)]
pub(crate) struct AuthorizationServer {
    issuer: Issuer,
    metadata: AuthorizationServerMetadata,
    /// Whether what the metadata says of PKCE counts.
    says_s256: bool,
}

impl AuthorizationServer {
    /// Fetches the metadata of a named issuer, in the order of the MCP specification.
    /// Where there is none, a profile may know the endpoints.
    pub(crate) async fn find(fetcher: &Fetcher, issuer: &str, profiles: &Profiles) -> Result<Self, Error> {
        let issuer = parse(issuer)?;
        let profile = profiles.of(issuer.as_str());
        // Endpoints that the caller or a profile names are not asked for: where they are named, nothing else
        // was found when the profile was written.
        if let Some(metadata) = profile.preset(&issuer) {
            return Ok(Self { metadata, issuer, says_s256: false });
        }
        match search(fetcher, &issuer, profile).await? {
            Ok(server) => Ok(server),
            Err(tried) => Err(misconfigured(issuer.as_str(), Rule::MetadataNotFound(format!(": {tried}")))),
        }
    }

    /// MCP 2025-03-26: the server is its own authorization server. Metadata is at the origin; without any,
    /// the endpoints have default paths.
    pub(crate) async fn at_origin(
        fetcher: &Fetcher,
        server: &ResourceIdentifier,
        profiles: &Profiles,
    ) -> Result<Self, Error> {
        let origin = server.url().origin().ascii_serialization();
        let issuer = parse(&origin)?;
        match search(fetcher, &issuer, profiles.of(&origin)).await? {
            Ok(server) => Ok(server),
            Err(_) => Ok(Self { metadata: default_endpoints(&origin), issuer, says_s256: false }),
        }
    }

    /// See [`Profile::check_metadata`].
    fn verified(
        mut metadata: AuthorizationServerMetadata,
        issuer: &Issuer,
        location: &str,
        profile: &Profile,
    ) -> Result<Self, Error> {
        let says_s256 = !profile.s256;
        if profile.closed_registration {
            metadata.registration_endpoint = None;
        }
        let issuer = profile.check_metadata(&metadata, issuer).map_err(|wrong| {
            misconfigured(
                location,
                Rule::IssuerMismatch { expected: wrong.expected.to_string(), found: printable(&wrong.found) },
            )
        })?;
        Ok(Self { issuer, metadata, says_s256 })
    }

    /// The issuer identifier.
    pub(crate) fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    /// The same server as a client sees it that shows a certificate: with its endpoints for those (RFC 8705 §5).
    #[must_use]
    pub(crate) fn for_certificate(mut self, shows_certificate: bool) -> Self {
        if shows_certificate {
            self.metadata.use_mtls_endpoint_aliases();
        }
        self
    }

    /// Whether a client with a certificate has a use for it here: to authenticate, where that is what it does, or to have
    /// tokens bound to it (RFC 8705 §2, §3). A certificate may be for the MCP server alone.
    pub(crate) fn sees_certificates(&self, by_certificate: bool) -> bool {
        self.metadata.tls_client_certificate_bound_access_tokens
            || by_certificate && choose_auth(&self.metadata, Means::Certificate).is_ok()
    }

    /// The metadata.
    pub(crate) fn metadata(&self) -> &AuthorizationServerMetadata {
        &self.metadata
    }

    /// RFC 7636 in metadata. MCP 2025-11-25 forbids to go on without it; MCP 2025-03-26 servers without any
    /// metadata cannot say, and get the challenge all the same.
    pub(crate) fn supports_s256(&self) -> bool {
        !self.says_s256 || self.metadata.supports_s256()
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
async fn search(
    fetcher: &Fetcher,
    issuer: &Issuer,
    profile: &Profile,
) -> Result<Result<AuthorizationServer, String>, Error> {
    let mut tried = Vec::new();
    for location in issuer.metadata_urls() {
        match get(fetcher, &location).await? {
            Found::Document(metadata) => {
                return AuthorizationServer::verified(metadata, issuer, location.as_str(), profile).map(Ok);
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
