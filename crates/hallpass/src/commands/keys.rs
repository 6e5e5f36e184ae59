//! `hallpass keys`.

use std::time::Duration;

use hallpass_authorization_server::SigningKeys;

use super::when::when;
use super::{Place, table};
use crate::cli::{self, Format};
use crate::data::system_clock;
use crate::exit::Failure;
use crate::say::say;

/// Runs the command.
pub(crate) async fn run(command: cli::Keys, place: &Place) -> Result<(), Failure> {
    let keys = place.existing_data()?.store().await?.signing_keys_in_line();
    match command {
        cli::Keys::List(listing) => list(&keys, listing.format()).await,
        cli::Keys::Rotate { now } => {
            let config = place.config()?;
            let set = place.house(&config)?.authorization_server();
            let ahead = if now { Duration::ZERO } else { set.publish_keys_ahead.0 };
            let kid = keys.rotate(set.signing_algorithm, ahead).await?;
            match now {
                true => say!("{kid} signs from now on; a running server takes it up within a second."),
                false => {
                    let published = keys.list().await?.into_iter().find(|key| key.kid == kid);
                    let at = published.map_or_else(
                        || "later".to_owned(),
                        |key| when(key.active_from, system_clock().now()),
                    );
                    say!("{kid} is published, and signs {at}; `hallpass keys list` shows it.")
                }
            }
            Ok(())
        }
    }
}

async fn list(keys: &SigningKeys, format: Format) -> Result<(), Failure> {
    let keys = keys.list().await?;
    if format == Format::Json {
        let keys: Vec<_> = keys
            .iter()
            .map(|key| {
                serde_json::json!({
                    "kid": key.kid,
                    "algorithm": key.algorithm,
                    "state": key.state.name(),
                    "created_at": key.created_at.unix(),
                    "active_from": key.active_from.unix(),
                })
            })
            .collect();
        say!("{}", serde_json::to_string_pretty(&keys)?);
        return Ok(());
    }
    if keys.is_empty() {
        say!("No keys yet; the first start of `hallpass serve` makes one.");
        return Ok(());
    }
    let now = system_clock().now();
    let rows: Vec<_> = keys
        .into_iter()
        .map(|key| [key.kid, key.algorithm, key.state.name().to_owned(), when(key.active_from, now)])
        .collect();
    table::print(["ID", "ALGORITHM", "STATE", "SIGNS FROM"], &rows)?;
    Ok(())
}
