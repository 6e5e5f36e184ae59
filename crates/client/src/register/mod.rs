//! Obtaining a client id, in the order of the MCP specification ("Client Registration").
//!
//! | order | way | condition |
//! |---|---|---|
//! | 1 | a client that was registered by hand | configured; refused where it belongs to another issuer |
//! | 2 | a client ID metadata document | configured, and the server supports them |
//! | 3 | the client id that the MCP server publishes (`public_client_id`) | it names one for this issuer |
//! | 4 | dynamic registration, from the store or anew | the server offers it |
//! | 5 | tell the person what to do | always |

mod dynamic;

use std::sync::Arc;

use hallpass_guarded_fetch::Fetcher;
use hallpass_protocol::{issuer::Issuer, secret::Secret, time::Timestamp};

use url::{Origin, Url};

use crate::{
    discover::{AuthorizationServer, Discovery},
    error::{Error, Rule, Step, printable},
    mode::ClientAuthentication,
    profile::Profiles,
    store::{Registration, TokenEndpointAuth},
    token_endpoint::{self, AssertionSigner, Means},
};

/// A client that was registered by hand. Bound to the authorization server that it was registered with
/// (MCP 2026-07-28, "Authorization Server Binding").
#[derive(Clone, Debug)]
pub struct Preregistered {
    /// The authorization server.
    pub issuer: Issuer,
    /// The client id.
    pub client_id: String,
    /// The client secret, for a confidential client.
    pub client_secret: Option<Secret>,
}

/// A token that lets a client register itself (RFC 7591 §1.2, "initial access token"), and who may see it.
#[derive(Clone, Debug)]
pub(crate) struct RegistrationToken {
    pub(crate) token: Secret,
    /// Of the MCP server, and of issuers that the caller names. Any other would be whatever server the MCP server names.
    pub(crate) origins: Vec<Origin>,
}

impl RegistrationToken {
    /// The token, for an authorization server that the person has chosen.
    fn at(&self, server: &AuthorizationServer, endpoint: &Url) -> Result<&Secret, Rule> {
        let issuer = server.issuer();
        match [issuer.url(), endpoint].iter().all(|url| self.origins.contains(&url.origin())) {
            true => Ok(&self.token),
            false => Err(Rule::RegistrationTokenOfNoOne(printable(issuer.as_str()))),
        }
    }
}

/// Who this client says it is.
#[derive(Clone)]
pub(crate) struct Identity {
    /// The name that a person sees on the consent page.
    pub(crate) client_name: String,
    /// Where the client's own metadata document is published.
    pub(crate) metadata_document: Option<String>,
    /// A client registered by hand.
    pub(crate) preregistered: Option<Preregistered>,
    /// What lets it register itself where not everybody may.
    pub(crate) registration_token: Option<RegistrationToken>,
    /// What a client registered by hand signs its assertions with.
    pub(crate) signer: Option<Arc<dyn AssertionSigner>>,
    /// Whether this client has a certificate to show (RFC 8705).
    pub(crate) has_certificate: bool,
}

impl Identity {
    /// Whether the client was registered by hand, and has nothing but a certificate to show who it is.
    pub(crate) fn authenticates_by_certificate(&self) -> bool {
        let has_secret = |client: &Preregistered| client.client_secret.is_some();
        self.has_certificate
            && self.signer.is_none()
            && self.preregistered.as_ref().is_some_and(|client| !has_secret(client))
    }
}

/// A client id to use, and where it is from.
pub(crate) struct Registered {
    pub(crate) registration: Registration,
    pub(crate) source: Source,
}

/// Where a client id is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The caller: not ours to replace.
    Given,
    /// The MCP server, which may publish whose id it likes.
    Published,
    /// An earlier dynamic registration, which the authorization server may have forgotten since.
    Stored,
    /// Registered just now; it has to be stored.
    New,
}

/// Finds or makes a client id for `redirect_uri`.
pub(crate) async fn register(
    fetcher: &Fetcher,
    found: &Discovery,
    identity: &Identity,
    profiles: &Profiles,
    stored: Option<&Registration>,
    redirect_uri: &str,
    now: Timestamp,
) -> Result<Registered, Error> {
    let server = &found.authorization_server;
    if let Some(client) = &identity.preregistered {
        return preregistered(client, identity, profiles, server).map(known);
    }
    if let Some(document) = metadata_document(identity, server) {
        return Ok(known(public(document)));
    }
    if let Some(client_id) = &found.public_client_id {
        return Ok(Registered { registration: public(client_id), source: Source::Published });
    }
    if let Some(registration) = stored.filter(|r| still_fits(r, redirect_uri, now)) {
        return Ok(Registered { registration: registration.clone(), source: Source::Stored });
    }
    let Some(endpoint) = &server.metadata().registration_endpoint else {
        let rule = Rule::NoClientId { redirect_uri: redirect_uri.to_owned() };
        return Err(misconfigured(server.issuer().as_str(), rule));
    };
    let registration = dynamic::register(fetcher, endpoint, server, identity, redirect_uri).await?;
    Ok(Registered { registration, source: Source::New })
}

/// What a client that acts for itself shows who it is with.
pub(crate) fn means(authentication: &ClientAuthentication) -> Means {
    match authentication {
        ClientAuthentication::None => Means::Nothing,
        ClientAuthentication::Secret(_) => Means::Secret,
        ClientAuthentication::Assertion(signer) => Means::Key(signer.algorithm()),
        ClientAuthentication::Certificate => Means::Certificate,
    }
}

/// A secret comes first: with one, the key is for something else. A slash makes another issuer, unless the provider's
/// profile says otherwise.
fn preregistered(
    client: &Preregistered,
    identity: &Identity,
    profiles: &Profiles,
    server: &AuthorizationServer,
) -> Result<Registration, Error> {
    let (bound, found) = (client.issuer.as_str(), server.issuer().as_str());
    if !profiles.of(bound).same_issuer(found, bound) {
        let rule = Rule::ClientOfAnotherIssuer { bound: bound.to_owned(), found: found.to_owned() };
        return Err(misconfigured(found, rule));
    }
    let choose = |means| token_endpoint::choose_auth(server.metadata(), means);
    let auth = match &identity.signer {
        _ if client.client_secret.is_some() => choose(Means::Secret)?,
        Some(signer) => choose(Means::Key(signer.algorithm()))?,
        // The certificate may be for the MCP server alone, and the client public.
        None if identity.has_certificate => choose(Means::Certificate).or_else(|_| choose(Means::Nothing))?,
        None => choose(Means::Nothing)?,
    };
    Ok(Registration { auth, client_secret: client.client_secret.clone(), ..public(&client.client_id) })
}

fn metadata_document<'a>(identity: &'a Identity, server: &AuthorizationServer) -> Option<&'a str> {
    let supported = server.metadata().client_id_metadata_document_supported;
    identity.metadata_document.as_deref().filter(|_| supported)
}

/// A registration is used again for the same redirect URI. RFC 8252 §7.3 lets the port vary, but servers
/// that compare exactly are common, and a refusal there is a dead page before a person's eyes.
fn still_fits(registration: &Registration, redirect_uri: &str, now: Timestamp) -> bool {
    let valid = registration.secret_expires_at.is_none_or(|end| now < end);
    valid && registration.redirect_uris.iter().any(|uri| uri == redirect_uri)
}

fn public(client_id: &str) -> Registration {
    Registration {
        client_id: client_id.to_owned(),
        client_secret: None,
        secret_expires_at: None,
        auth: TokenEndpointAuth::None,
        redirect_uris: Vec::new(),
    }
}

fn known(registration: Registration) -> Registered {
    Registered { registration, source: Source::Given }
}

fn misconfigured(url: &str, rule: Rule) -> Error {
    Error::Misconfigured { step: Step::Register, url: printable(url), rule }
}
