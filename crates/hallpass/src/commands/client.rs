//! `hallpass client`.

use anyhow::{Context, anyhow};
use hallpass_authorization_server::{CertificateName, ClientDetails, Clients, NewClient};
use hallpass_protocol::JwkSet;

use super::{Place, initial_token, known, of_use, prompt, table};
use crate::cli::{self, Format};
use crate::config::Registration;
use crate::exit::Failure;
use crate::say::say;

/// Runs the command.
pub(crate) async fn run(command: cli::Client, place: &Place) -> Result<(), Failure> {
    let data = match &command {
        cli::Client::Add { .. } | cli::Client::Token(cli::ClientToken::Issue { .. }) => {
            of_use::here(place, "a client")?;
            place.data_to_add_to()?
        }
        _ => place.existing_data()?,
    };
    match command {
        cli::Client::Add {
            id,
            secret_stdin,
            redirect_uri,
            grant,
            scope,
            server,
            mut resource,
            jwks,
            jwks_uri,
            certificate,
            self_signed,
            certificate_bound,
            dpop,
        } => {
            let secret = match secret_stdin {
                true => Some(prompt::machine_secret("client secret")?),
                false => None,
            };
            let signs = jwks.is_some() || jwks_uri.is_some() || certificate.is_some();
            let kind = if secret.is_some() || signs { "confidential" } else { "public" };
            let scopes = known::scopes(place, server.as_deref(), &scope)?;
            known::resources(place, &resource)?;
            if let Some(server) = &server {
                resource.push(known::resource_of(place, server)?);
            }
            let client = NewClient {
                id: id.clone(),
                secret,
                redirect_uris: redirect_uri,
                grant_types: grant,
                scopes: (!scopes.is_empty()).then_some(scopes),
                details: ClientDetails {
                    jwks: jwks.as_deref().map(keys).transpose()?,
                    jwks_uri,
                    resources: (!resource.is_empty()).then_some(resource),
                    dpop_bound_access_tokens: dpop,
                    tls_client_auth: certificate.as_deref().map(certificate_name).transpose()?,
                    self_signed_tls_client_auth: self_signed,
                    tls_client_certificate_bound_access_tokens: certificate_bound,
                    ..ClientDetails::default()
                },
            };
            clients(&data).await?.add(client).await?;
            say!("{id} is registered as a {kind} client.");
        }
        cli::Client::List(listing) => list(&clients(&data).await?, listing.format()).await?,
        cli::Client::Token(command) => initial_token::run(command, &clients(&data).await?).await?,
        cli::Client::Disable { id } => {
            let clients = clients(&data).await?;
            found(clients.disable(&id).await?, &id)?;
            say!("{id} is switched off; its tokens have ended.");
            let by_itself = clients.list().await?.iter().any(|client| client.id == id && client.dynamic);
            let config = place.config()?;
            let registration = place.house(&config)?.authorization_server().registration;
            if by_itself && registration == Registration::Open {
                say!(
                    "It had registered itself, and may do so again under another id: registration is open \
                     (authorization_server.registration)."
                );
            }
        }
        cli::Client::Enable { id } => {
            found(clients(&data).await?.enable(&id).await?, &id)?;
            say!("{id} is switched on; what it was granted before stays dead.");
        }
        cli::Client::Remove { id } => {
            found(clients(&data).await?.remove(&id).await?, &id)?;
            say!("{id} is removed; its tokens have ended.");
        }
    }
    Ok(())
}

fn found(found: bool, id: &str) -> Result<(), Failure> {
    match found {
        true => Ok(()),
        false => Err(anyhow!("there is no client {id}; `hallpass client list` shows which there are").into()),
    }
}

/// `dns=robot.example`, and so on.
fn certificate_name(text: &str) -> Result<CertificateName, Failure> {
    let wrong = || {
        anyhow!("--certificate is subject=DN, dns=NAME, uri=URI, ip=ADDRESS or email=ADDRESS; it was {text}")
    };
    let (kind, name) = text.split_once('=').ok_or_else(wrong)?;
    let name = name.to_owned();
    Ok(match kind {
        "subject" => CertificateName::SubjectDn(name),
        "dns" => CertificateName::SanDns(name),
        "uri" => CertificateName::SanUri(name),
        "ip" => CertificateName::SanIp(name.parse().map_err(|_| wrong())?),
        "email" => CertificateName::SanEmail(name),
        _ => return Err(wrong().into()),
    })
}

/// A JSON Web Key Set from a file.
fn keys(path: &std::path::Path) -> Result<JwkSet, Failure> {
    let text = std::fs::read_to_string(path).with_context(|| format!("can't read {}", path.display()))?;
    Ok(serde_json::from_str(&text)
        .with_context(|| format!("{} is no JSON Web Key Set: {{\"keys\": [...]}}", path.display()))?)
}

async fn clients(data: &crate::data::DataFolder) -> Result<Clients, Failure> {
    Ok(data.store().await?.clients())
}

async fn list(clients: &Clients, format: Format) -> Result<(), Failure> {
    let clients = clients.list().await?;
    if format == Format::Json {
        let clients: Vec<_> = clients
            .iter()
            .map(|client| {
                serde_json::json!({
                    "client_id": client.id,
                    "client_name": client.name,
                    "dynamic": client.dynamic,
                    "confidential": client.confidential,
                    "disabled": client.disabled,
                    "redirect_uris": client.redirect_uris,
                    "grant_types": client.grant_types,
                    "created_at": client.created_at.unix(),
                })
            })
            .collect();
        say!("{}", serde_json::to_string_pretty(&clients)?);
        return Ok(());
    }
    if clients.is_empty() {
        say!("No clients yet; most register themselves, `hallpass client add` adds one by hand.");
        return Ok(());
    }
    let rows: Vec<_> = clients
        .into_iter()
        .map(|client| {
            let kind = match (client.disabled, client.confidential) {
                (true, _) => "switched off",
                (false, true) => "confidential",
                (false, false) => "public",
            };
            let origin = if client.dynamic { "itself" } else { "by hand" };
            let name = client.name.unwrap_or_default();
            [client.id, name, kind.to_owned(), origin.to_owned(), client.redirect_uris.join(" ")]
        })
        .collect();
    table::print(["ID", "NAME", "KIND", "REGISTERED", "REDIRECT URIS"], &rows)?;
    Ok(())
}
