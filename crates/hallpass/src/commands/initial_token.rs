//! `hallpass client token`: tokens by which clients register.

use anyhow::anyhow;
use hallpass_authorization_server::Clients;

use super::table;
use super::when::when;
use crate::cli::{ClientToken, Format};
use crate::data::system_clock;
use crate::exit::Failure;
use crate::say::say;

/// Runs the command.
pub(super) async fn run(command: ClientToken, clients: &Clients) -> Result<(), Failure> {
    match command {
        ClientToken::Issue { note, uses, unlimited, expires } => {
            let uses = (!unlimited).then_some(uses);
            let (id, token) = clients.issue_initial_access_token(&note, uses, expires.0).await?;
            // The token goes to standard output alone, so that it can be piped to where it is handed over.
            crate::say::note(format_args!("The token {id}, shown once:"));
            say!("{}", token.expose());
        }
        ClientToken::List(listing) => list(clients, listing.format()).await?,
        ClientToken::Revoke { id } => match clients.revoke_initial_access_token(&id).await? {
            true => say!("{id} is refused from now on."),
            false => {
                return Err(anyhow!(
                    "there is no token {id}; `hallpass client token list` shows which there are"
                )
                .into());
            }
        },
    }
    Ok(())
}

async fn list(clients: &Clients, format: Format) -> Result<(), Failure> {
    let tokens = clients.initial_access_tokens().await?;
    if format == Format::Json {
        let tokens: Vec<_> = tokens
            .iter()
            .map(|token| {
                serde_json::json!({
                    "id": token.id,
                    "note": token.note,
                    "uses": token.uses,
                    "used": token.used,
                    "created_at": token.created_at.unix(),
                    "expires_at": token.expires_at.unix(),
                })
            })
            .collect();
        say!("{}", serde_json::to_string_pretty(&tokens)?);
        return Ok(());
    }
    if tokens.is_empty() {
        say!("No tokens; `hallpass client token issue` issues one.");
        return Ok(());
    }
    let now = system_clock().now();
    let rows: Vec<_> = tokens
        .into_iter()
        .map(|token| {
            let uses = token.uses.map_or_else(|| "any number".to_owned(), |uses| uses.to_string());
            [token.id, token.note, format!("{} of {uses}", token.used), when(token.expires_at, now)]
        })
        .collect();
    table::print(["ID", "NOTE", "USED", "ENDS"], &rows)?;
    Ok(())
}
