//! The client that `connect`, `doctor`, `login`, `logout` and `token` share.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, anyhow};
use hallpass_client::interaction::Browser;
use hallpass_client::{
    Builder, Client, ClientAuthentication, ClientCredentials, MachineClient, Mode, Preregistered,
    SecretSource,
};
use hallpass_protocol::Secret;
use http::HeaderMap;

use super::{Place, way};
use crate::cli::{self, Fields, Header, Remote};
use crate::exit::Failure;

/// The name that people see on the page of consent.
const NAME: &str = "hallpass";

/// A client for the server, with the tokens of the data folder and this person's browser.
pub(crate) fn client(remote: &Remote, fields: &Fields, place: &Place) -> Result<Client, Failure> {
    builder(remote, fields)?.store(place.tokens()?).build().map_err(Failure::configuration)
}

/// The same without a store.
pub(crate) fn builder(remote: &Remote, fields: &Fields) -> Result<Builder, Failure> {
    let builder = Client::builder(remote.url.as_str()).map_err(Failure::configuration)?;
    let mut builder = builder
        .client_name(NAME)
        .account(remote.account.as_str())
        .interaction(browser(remote))
        .connect_timeout(remote.timeout)
        .headers(headers(fields).map_err(Failure::Configuration)?);
    if let Some(scopes) = &remote.scope {
        builder = builder.scopes(scopes.clone());
    }
    if let Some(url) = &remote.client_metadata_url {
        builder = builder.metadata_document(url);
    }
    if let Some(client) = preregistered(remote).map_err(Failure::Configuration)? {
        builder = builder.preregistered(client);
    }
    builder = builder.mode(mode(remote).map_err(Failure::Configuration)?);
    way::applied(builder, &remote.way)
}

/// The person's browser, and where it comes back to.
pub(crate) fn browser(remote: &Remote) -> Browser {
    Browser::new().port(remote.callback_port).path(remote.callback_path.clone())
}

/// What `--mode` names, with what it needs.
fn mode(remote: &Remote) -> anyhow::Result<Mode> {
    Ok(match remote.mode {
        cli::Mode::Auto => Mode::Auto,
        cli::Mode::None => Mode::None,
        cli::Mode::Oauth => Mode::OAuth,
        cli::Mode::Bearer => Mode::Bearer(match (&remote.bearer_env, &remote.bearer_file) {
            (Some(name), _) => SecretSource::Environment(name.clone()),
            (None, Some(path)) => SecretSource::File(path.clone()),
            (None, None) => anyhow::bail!("--mode bearer needs --bearer-env NAME or --bearer-file FILE"),
        }),
        cli::Mode::ClientCredentials => {
            let needs = "--mode client-credentials needs --client-id, --issuer, and --client-secret-env or \
                         --client-cert with --client-key";
            let Some(Preregistered { issuer, client_id, client_secret }) = preregistered(remote)? else {
                anyhow::bail!(needs);
            };
            let authentication = match client_secret {
                Some(secret) => ClientAuthentication::Secret(secret),
                None if remote.way.client_cert.is_some() => ClientAuthentication::Certificate,
                None => anyhow::bail!(needs),
            };
            Mode::ClientCredentials(ClientCredentials {
                client: MachineClient { client_id, authentication },
                issuer: Some(issuer),
                scope: remote.scope.clone(),
            })
        }
    })
}

fn headers(fields: &Fields) -> anyhow::Result<HeaderMap> {
    let mut all = fields.header.clone();
    for path in &fields.header_file {
        let text =
            String::from_utf8(read(path)?).with_context(|| format!("{} is not text", path.display()))?;
        for line in text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
            // The line itself may be a secret.
            all.push(line.parse().map_err(|why: String| anyhow!("{}: {why}", path.display()))?);
        }
    }
    Ok(all.into_iter().map(|Header { name, value }| (name, value)).collect())
}

fn preregistered(remote: &Remote) -> anyhow::Result<Option<Preregistered>> {
    let (Some(client_id), Some(issuer)) = (remote.client_id.clone(), remote.issuer.clone()) else {
        return Ok(None);
    };
    let secret = remote.client_secret_env.as_ref().map(|name| {
        std::env::var(name).map_err(|_| anyhow!("the variable {name} of --client-secret-env is not set"))
    });
    Ok(Some(Preregistered { issuer, client_id, client_secret: secret.transpose()?.map(Secret::new) }))
}

pub(super) fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("can't read {}", path.display()))
}
