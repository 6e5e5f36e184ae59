//! The client that `connect`, `doctor`, `login`, `logout` and `token` share.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, anyhow};
use hallpass_client::interaction::{self, Browser, DeviceOffer};
use hallpass_client::{Builder, Client, ClientAuthentication, DpopUse, Endpoints, Preregistered, Profile};
use http::HeaderMap;

use super::machine::{self, credential, mode};
use super::{Place, way};
use crate::cli::{Account, CallbackHost, Fields, Header, Interaction, Remote, Server};
use crate::exit::Failure;

/// The name that people see on the page of consent.
const NAME: &str = "hallpass";

/// A client for the server, with the tokens of the data folder and this person's browser.
pub(crate) fn client(
    remote: &Remote,
    account: &Account,
    fields: &Fields,
    place: &Place,
) -> Result<Client, Failure> {
    kept(builder(remote, fields, place)?, account, place)?.build().map_err(Failure::configuration)
}

/// The same without a store.
pub(crate) fn builder(remote: &Remote, fields: &Fields, place: &Place) -> Result<Builder, Failure> {
    let asked = &remote.interaction;
    let mut builder = without_person(&remote.server, fields, place)?.interaction(browser(asked));
    for parameter in &asked.authorize_param {
        builder = builder
            .authorization_parameter(&parameter.name, &parameter.value)
            .map_err(Failure::configuration)?;
    }
    if let Some(token) = machine::registration_token(asked).map_err(Failure::Configuration)? {
        builder = builder.registration_token(token);
    }
    Ok(if asked.no_dpop { builder.dpop(DpopUse::Never) } else { builder })
}

/// The same with nobody to ask.
pub(crate) fn without_person(server: &Server, fields: &Fields, place: &Place) -> Result<Builder, Failure> {
    let builder = Client::builder(server.url.as_str()).map_err(Failure::configuration)?;
    let mut builder = builder.client_name(NAME).headers(headers(fields).map_err(Failure::Configuration)?);
    if let Some(command) = &place.login_command {
        builder = builder.login_command(command);
    }
    if let Some(scopes) = &server.scope {
        builder = builder.scopes(scopes.clone());
    }
    if let Some(url) = &server.identity.client_metadata_url {
        builder = builder.metadata_document(url);
    }
    for profile in profiles(server, place)? {
        builder = builder.profile(profile);
    }
    builder = with_authorization_server(builder, server);
    way::applied(with_client(builder, server)?, &server.way)
}

/// With the store, and the name of the login there.
pub(crate) fn kept(builder: Builder, account: &Account, place: &Place) -> Result<Builder, Failure> {
    Ok(builder.store(place.tokens(account.kept.token_store)?).account(account.account.as_str()))
}

/// How a login is called where people read of it.
pub(crate) fn login_name(server: &str, account: &str) -> String {
    if account.is_empty() { server.to_owned() } else { format!("{server} (account {account})") }
}

/// The person's browser, and where it comes back to.
pub(crate) fn browser(asked: &Interaction) -> Browser {
    let host = match asked.callback_host {
        CallbackHost::V4 => interaction::CallbackHost::V4,
        CallbackHost::V6 => interaction::CallbackHost::V6,
        CallbackHost::Localhost => interaction::CallbackHost::Localhost,
    };
    let device = if asked.device { DeviceOffer::Only } else { DeviceOffer::default() };
    Browser::new().host(host).port(asked.callback_port).path(asked.callback_path.clone()).device(device)
}

/// What providers do differently: the configuration's word, then that of the file, which counts more.
fn profiles(server: &Server, place: &Place) -> Result<Vec<Profile>, Failure> {
    let mut profiles = place.config()?.provider;
    if let Some(path) = &server.issuer.provider_file {
        let text = text(path).map_err(Failure::Configuration)?;
        let named = Profile::from_toml(&text).with_context(|| format!("{}", path.display()));
        profiles.extend(named.map_err(Failure::Configuration)?);
    }
    Ok(profiles)
}

fn with_authorization_server(mut builder: Builder, server: &Server) -> Builder {
    let known = &server.issuer;
    let Some(issuer) = &known.authorization_server else { return builder };
    if let (Some(authorization), Some(token)) = (&known.authorization_endpoint, &known.token_endpoint) {
        let (authorization, token) = (authorization.to_string(), token.to_string());
        builder = builder.endpoints(issuer, Endpoints { authorization, token, ..Endpoints::default() });
    }
    builder.authorization_server(issuer.clone())
}

/// A client that was registered by hand, for a person or for the mode that needs none.
fn with_client(mut builder: Builder, server: &Server) -> Result<Builder, Failure> {
    let credential = credential(server).map_err(Failure::Configuration)?;
    let issuer = server.issuer.authorization_server.clone();
    let mode = mode(server, &credential)?;
    let Some(client_id) = server.identity.client_id.clone() else { return Ok(builder.mode(mode)) };
    let client_secret = match credential {
        ClientAuthentication::Secret(_) | ClientAuthentication::Certificate if issuer.is_none() => {
            return Err(Failure::usage(
                "--client-id with a secret or a certificate needs --authorization-server ISSUER, the one that the client is \
                 registered with: otherwise it would be shown to whatever server the MCP server names",
            ));
        }
        ClientAuthentication::Secret(secret) => Some(secret),
        ClientAuthentication::Assertion(signer) => {
            builder = builder.assertion_signer(signer);
            None
        }
        _ => None,
    };
    builder = match issuer {
        Some(issuer) => builder.preregistered(Preregistered { issuer, client_id, client_secret }),
        None => builder.client_id(client_id),
    };
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
