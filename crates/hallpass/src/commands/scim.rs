//! `hallpass scim token`: tokens by which an identity provider says who comes and goes.

use anyhow::anyhow;
use hallpass_authorization_server::ProvisioningTokens;

use super::when::when;
use super::{Place, table};
use crate::cli::{Format, Scim, ScimToken};
use crate::data::system_clock;
use crate::exit::Failure;
use crate::say::say;

/// Runs the command.
pub(crate) async fn run(command: Scim, place: &Place) -> Result<(), Failure> {
    let Scim::Token(command) = command;
    let data = match &command {
        ScimToken::Issue { .. } => place.data_to_add_to()?,
        ScimToken::List(_) | ScimToken::Revoke { .. } => place.existing_data()?,
    };
    let tokens = data.store().await?.provisioning_tokens();
    match command {
        ScimToken::Issue { note, expires } => {
            let (id, token) = tokens.issue(&note, expires.0).await?;
            // The token goes to standard output alone, so that it can be piped to where it is handed over.
            crate::say::note(format_args!("The token {id}, shown once:"));
            say!("{}", token.expose());
        }
        ScimToken::List(listing) => list(&tokens, listing.format()).await?,
        ScimToken::Revoke { id } => match tokens.revoke(&id).await? {
            true => say!("{id} is refused from now on."),
            false => {
                return Err(anyhow!(
                    "there is no token {id}; `hallpass scim token list` shows which there are"
                )
                .into());
            }
        },
    }
    Ok(())
}

async fn list(tokens: &ProvisioningTokens, format: Format) -> Result<(), Failure> {
    let tokens = tokens.list().await?;
    if format == Format::Json {
        let tokens: Vec<_> = tokens
            .iter()
            .map(|token| {
                serde_json::json!({
                    "id": token.id,
                    "note": token.note,
                    "created_at": token.created_at.unix(),
                    "expires_at": token.expires_at.unix(),
                })
            })
            .collect();
        say!("{}", serde_json::to_string_pretty(&tokens)?);
        return Ok(());
    }
    if tokens.is_empty() {
        say!("No tokens; `hallpass scim token issue` issues one.");
        return Ok(());
    }
    let now = system_clock().now();
    let rows: Vec<_> = tokens
        .into_iter()
        .map(|token| [token.id, token.note, when(token.created_at, now), when(token.expires_at, now)])
        .collect();
    table::print(["ID", "NOTE", "SINCE", "ENDS"], &rows)?;
    Ok(())
}
