//! `hallpass scim token`: tokens by which an identity provider says who comes and goes.

use hallpass_authorization_server::ProvisioningTokens;
use serde_json::json;

use super::when::when;
use super::{Place, of_use, tokens};
use crate::cli::{Format, Scim, ScimToken};
use crate::data::system_clock;
use crate::exit::Failure;

const COMMAND: &str = "hallpass scim token";

/// Runs the command.
pub(crate) async fn run(command: Scim, place: &Place) -> Result<(), Failure> {
    let Scim::Token(command) = command;
    let data = match &command {
        ScimToken::Issue { .. } => {
            of_use::here(place, "a token for SCIM")?;
            place.data_to_add_to()?
        }
        ScimToken::List(_) | ScimToken::Revoke { .. } => place.existing_data()?,
    };
    let all = data.store().await?.provisioning_tokens();
    match command {
        ScimToken::Issue { note, expires } => {
            let (id, token) = all.issue(&note, expires.0).await?;
            tokens::show_once(&id, &token)
        }
        ScimToken::List(listing) => list(&all, listing.format()).await,
        ScimToken::Revoke { id } => tokens::revoked(all.revoke(&id).await?, &id, COMMAND),
    }
}

async fn list(all: &ProvisioningTokens, format: Format) -> Result<(), Failure> {
    let now = system_clock().now();
    let lines = all.list().await?.into_iter().map(|token| {
        let json = json!({
            "id": token.id,
            "note": token.note,
            "created_at": token.created_at.unix(),
            "expires_at": token.expires_at.unix(),
        });
        (json, [token.id, token.note, when(token.created_at, now), when(token.expires_at, now)])
    });
    tokens::list(format, COMMAND, ["ID", "NOTE", "SINCE", "ENDS"], lines)
}
