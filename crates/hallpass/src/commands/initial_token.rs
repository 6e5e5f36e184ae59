//! `hallpass client token`: tokens by which clients register.

use hallpass_authorization_server::Clients;
use serde_json::json;

use super::tokens;
use super::when::when;
use crate::cli::{ClientToken, Format};
use crate::data::system_clock;
use crate::exit::Failure;

const COMMAND: &str = "hallpass client token";

/// Runs the command.
pub(super) async fn run(command: ClientToken, clients: &Clients) -> Result<(), Failure> {
    match command {
        ClientToken::Issue { note, uses, unlimited, expires } => {
            let uses = (!unlimited).then_some(uses);
            let (id, token) = clients.issue_initial_access_token(&note, uses, expires.0).await?;
            tokens::show_once(&id, &token)
        }
        ClientToken::List(listing) => list(clients, listing.format()).await,
        ClientToken::Revoke { id } => {
            tokens::revoked(clients.revoke_initial_access_token(&id).await?, &id, COMMAND)
        }
    }
}

async fn list(clients: &Clients, format: Format) -> Result<(), Failure> {
    let now = system_clock().now();
    let lines = clients.initial_access_tokens().await?.into_iter().map(|token| {
        let json = json!({
            "id": token.id,
            "note": token.note,
            "uses": token.uses,
            "used": token.used,
            "created_at": token.created_at.unix(),
            "expires_at": token.expires_at.unix(),
        });
        let uses = token.uses.map_or_else(|| "any number".to_owned(), |uses| uses.to_string());
        (json, [token.id, token.note, format!("{} of {uses}", token.used), when(token.expires_at, now)])
    });
    tokens::list(format, COMMAND, ["ID", "NOTE", "USED", "ENDS"], lines)
}
