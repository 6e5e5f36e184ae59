//! The client that `connect`, `doctor`, `login`, `logout` and `token` share.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, anyhow};
use hallpass_client::interaction::{self, Browser, DeviceOffer};
use hallpass_client::{Builder, Client, ClientAuthentication, Endpoints, Preregistered, Profile};
use http::HeaderMap;

use super::machine::{credential, mode};
use super::{Place, way};
use crate::cli::{CallbackHost, Fields, Header, Remote};
use crate::exit::Failure;

/// The name that people see on the page of consent.
const NAME: &str = "hallpass";

/// A client for the server, with the tokens of the data folder and this person's browser.
pub(crate) fn client(remote: &Remote, fields: &Fields, place: &Place) -> Result<Client, Failure> {
    builder(remote, fields, place)?.store(place.tokens()?).build().map_err(Failure::configuration)
}

/// The same without a store.
pub(crate) fn builder(remote: &Remote, fields: &Fields, place: &Place) -> Result<Builder, Failure> {
    let builder = Client::builder(remote.url.as_str()).map_err(Failure::configuration)?;
    let mut builder = builder
        .client_name(NAME)
        .account(remote.account.as_str())
        .interaction(browser(remote))
        .connect_timeout(remote.timeout)
        .headers(headers(fields).map_err(Failure::Configuration)?);
    if let Some(scopes) = &remote.interaction.scope {
        builder = builder.scopes(scopes.clone());
    }
    for parameter in &remote.interaction.authorize_param {
        builder = builder
            .authorization_parameter(&parameter.name, &parameter.value)
            .map_err(Failure::configuration)?;
    }
    if let Some(url) = &remote.identity.client_metadata_url {
        builder = builder.metadata_document(url);
    }
    for profile in profiles(remote, place)? {
        builder = builder.profile(profile);
    }
    builder = with_authorization_server(builder, remote);
    builder = with_client(builder, remote).map_err(Failure::Configuration)?;
    way::applied(builder, &remote.way)
}

/// The person's browser, and where it comes back to.
pub(crate) fn browser(remote: &Remote) -> Browser {
    let asked = &remote.interaction;
    let host = match asked.callback_host {
        CallbackHost::V4 => interaction::CallbackHost::V4,
        CallbackHost::V6 => interaction::CallbackHost::V6,
        CallbackHost::Localhost => interaction::CallbackHost::Localhost,
    };
    let device = if asked.device { DeviceOffer::Only } else { DeviceOffer::default() };
    Browser::new().host(host).port(asked.callback_port).path(asked.callback_path.clone()).device(device)
}

/// What providers do differently: the configuration's word, then that of the file, which counts more.
fn profiles(remote: &Remote, place: &Place) -> Result<Vec<Profile>, Failure> {
    let mut profiles = place.config()?.provider;
    if let Some(path) = &remote.issuer.provider_file {
        let text = text(path).map_err(Failure::Configuration)?;
        let named = Profile::from_toml(&text).with_context(|| format!("{}", path.display()));
        profiles.extend(named.map_err(Failure::Configuration)?);
    }
    Ok(profiles)
}

fn with_authorization_server(mut builder: Builder, remote: &Remote) -> Builder {
    let server = &remote.issuer;
    let Some(issuer) = &server.authorization_server else { return builder };
    if let (Some(authorization), Some(token)) = (&server.authorization_endpoint, &server.token_endpoint) {
        let (authorization, token) = (authorization.to_string(), token.to_string());
        builder = builder.endpoints(issuer, Endpoints { authorization, token, ..Endpoints::default() });
    }
    builder.authorization_server(issuer.clone())
}

/// A client that was registered by hand, for a person or for the mode that needs none.
fn with_client(mut builder: Builder, remote: &Remote) -> anyhow::Result<Builder> {
    let credential = credential(remote)?;
    if let (Some(client_id), None) = (&remote.identity.client_id, &remote.issuer.authorization_server) {
        anyhow::bail!(
            "--client-id {client_id} needs --authorization-server ISSUER, the one that the client is registered with: \
             otherwise whatever server the MCP server names would be shown the client's secret"
        );
    }
    let mode = mode(remote, &credential)?;
    let issuer = remote.issuer.authorization_server.clone();
    if let (Some(client_id), Some(issuer)) = (remote.identity.client_id.clone(), issuer) {
        let client_secret = match credential {
            ClientAuthentication::Secret(secret) => Some(secret),
            ClientAuthentication::Assertion(signer) => {
                builder = builder.assertion_signer(signer);
                None
            }
            _ => None,
        };
        builder = builder.preregistered(Preregistered { issuer, client_id, client_secret });
    }
    Ok(builder.mode(mode))
}

fn headers(fields: &Fields) -> anyhow::Result<HeaderMap> {
    let mut all = fields.header.clone();
    for path in &fields.header_file {
        let text = text(path)?;
        for line in text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
            // The line itself may be a secret.
            all.push(line.parse().map_err(|why: String| anyhow!("{}: {why}", path.display()))?);
        }
    }
    Ok(all.into_iter().map(|Header { name, value }| (name, value)).collect())
}

/// The text of a small file.
pub(super) fn text(path: &Path) -> anyhow::Result<String> {
    String::from_utf8(read(path)?).with_context(|| format!("{} is not text", path.display()))
}

pub(super) fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("can't read {}", path.display()))
}
