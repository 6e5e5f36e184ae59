//! `hallpass client`.

use anyhow::anyhow;
use hallpass_authorization_server::{Clients, NewClient};
use hallpass_protocol::{Scope, ScopeSet};

use super::{Place, prompt, table};
use crate::cli::{self, Format};
use crate::exit::Failure;

/// Runs the command.
pub(crate) async fn run(command: cli::Client, place: &Place) -> Result<(), Failure> {
    let data = place.data()?;
    match command {
        cli::Client::Add { id, secret_stdin, redirect_uri, grant, scope } => {
            let secret = match secret_stdin {
                true => Some(prompt::from_stdin("client secret")?),
                false => None,
            };
            let kind = if secret.is_some() { "confidential" } else { "public" };
            let scopes: ScopeSet = scope.iter().map(|word| Scope::parse(word)).collect::<Result<_, _>>()?;
            let client = NewClient {
                id: id.clone(),
                secret,
                redirect_uris: redirect_uri,
                grant_types: grant,
                scopes: (!scopes.is_empty()).then_some(scopes),
            };
            clients(&data).await?.add(client).await?;
            anstream::println!("{id} is registered as a {kind} client.");
        }
        cli::Client::List(listing) => list(&clients(&data).await?, listing.format()).await?,
        cli::Client::Remove { id } => {
            if !clients(&data).await?.remove(&id).await? {
                return Err(
                    anyhow!("there is no client {id}; `hallpass client list` shows which there are").into()
                );
            }
            anstream::println!("{id} is removed; its tokens have ended.");
        }
    }
    Ok(())
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
                    "redirect_uris": client.redirect_uris,
                    "grant_types": client.grant_types,
                    "created_at": client.created_at.unix(),
                })
            })
            .collect();
        anstream::println!("{}", serde_json::to_string_pretty(&clients)?);
        return Ok(());
    }
    if clients.is_empty() {
        anstream::println!(
            "No clients yet; most register themselves, `hallpass client add` adds one by hand."
        );
        return Ok(());
    }
    let rows: Vec<_> = clients
        .into_iter()
        .map(|client| {
            let kind = if client.confidential { "confidential" } else { "public" };
            let origin = if client.dynamic { "itself" } else { "by hand" };
            let name = client.name.unwrap_or_default();
            [client.id, name, kind.to_owned(), origin.to_owned(), client.redirect_uris.join(" ")]
        })
        .collect();
    table::print(["ID", "NAME", "KIND", "REGISTERED", "REDIRECT URIS"], &rows);
    Ok(())
}
