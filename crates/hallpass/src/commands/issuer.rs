//! `hallpass issuer`.

use anyhow::anyhow;
use hallpass_authorization_server::TrustedIssuers;

use super::{Place, table};
use crate::cli::{self, Format};
use crate::exit::Failure;
use crate::say::say;

/// Runs the command.
pub(crate) async fn run(command: cli::Issuer, place: &Place) -> Result<(), Failure> {
    let issuers = place.existing_data()?.store().await?.trusted_issuers();
    match command {
        cli::Issuer::List(listing) => list(&issuers, listing.format()).await?,
        cli::Issuer::Disable { issuer } => {
            found(issuers.disable(&issuer).await?, &issuer)?;
            say!("{issuer} is switched off; tokens that came from it have ended.");
        }
        cli::Issuer::Enable { issuer } => {
            found(issuers.enable(&issuer).await?, &issuer)?;
            say!("{issuer} is switched on; tokens from before stay dead.");
        }
    }
    Ok(())
}

fn found(found: bool, issuer: &str) -> Result<(), Failure> {
    match found {
        true => Ok(()),
        false => Err(anyhow!(
            "no server here was started with the issuer {issuer}; `hallpass issuer list` shows which there are"
        )
        .into()),
    }
}

async fn list(issuers: &TrustedIssuers, format: Format) -> Result<(), Failure> {
    let issuers = issuers.list().await?;
    if format == Format::Json {
        let issuers: Vec<_> = issuers
            .iter()
            .map(|known| serde_json::json!({ "issuer": known.issuer, "disabled": known.disabled }))
            .collect();
        say!("{}", serde_json::to_string_pretty(&issuers)?);
        return Ok(());
    }
    if issuers.is_empty() {
        say!("No trusted issuers; authorization_server.trusted_issuers in the configuration adds them.");
        return Ok(());
    }
    let rows: Vec<_> = issuers
        .into_iter()
        .map(|known| [known.issuer, if known.disabled { "switched off" } else { "trusted" }.to_owned()])
        .collect();
    table::print(["ISSUER", "STATE"], &rows)?;
    Ok(())
}
