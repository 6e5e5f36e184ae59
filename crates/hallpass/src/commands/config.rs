//! `hallpass config check | schema`.

use std::path::Path;

use super::{Place, online};
use crate::cli;
use crate::config::{self, Config};
use crate::data::master_key;
use crate::exit::Failure;
use crate::say::say;
use crate::serve::plan::Plan;

/// Runs the command.
pub(crate) async fn run(command: cli::Config, place: &Place) -> Result<(), Failure> {
    match command {
        cli::Config::Check { file, online, json } => {
            let file = file.as_deref().or(place.config.as_deref());
            let file = file.ok_or_else(|| Failure::usage("no file to check: hallpass config check FILE"))?;
            match online {
                true => check_online(file, json).await,
                false => check(file, place.data.as_deref()).await,
            }
        }
        cli::Config::Schema => schema(),
    }
}

async fn check_online(file: &Path, json: bool) -> Result<(), Failure> {
    let config = config::read(file).map_err(Failure::configuration)?;
    let (profiles, key) = (config.provider.clone(), config.master_key.clone());
    let plan = Plan::new(cli::Serve::default(), config).map_err(Failure::configuration)?;
    master_key::check(&key, true).await?;
    online::check(&plan, &profiles, json).await
}

async fn check(file: &Path, data: Option<&Path>) -> Result<(), Failure> {
    let mut config = config::read(file).map_err(Failure::configuration)?;
    if let Some(data) = data {
        config.data = Some(data.to_owned());
    }
    if config.is_for_clients() {
        say!(
            "{} is good, for `connect`, `login`, `token` and `doctor`; it names no server for `serve`.",
            file.display()
        );
        for profile in config.provider {
            say!("  provider   {} ({})", profile.name, profile.issuers.join(", "));
        }
        return Ok(());
    }
    let key = config.master_key.clone();
    let plan = Plan::new(cli::Serve::default(), config).map_err(Failure::configuration)?;
    master_key::check(&key, false).await?;
    say!("{} is good.", file.display());
    say!("{}", plan.to_string().trim_end());
    Ok(())
}

fn schema() -> Result<(), Failure> {
    let schema = schemars::schema_for!(Config);
    say!("{}", serde_json::to_string_pretty(&schema)?);
    Ok(())
}
