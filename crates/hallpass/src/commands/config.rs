//! `hallpass config check | schema`.

use crate::cli;
use crate::commands::Place;
use crate::config::{self, Config};
use crate::exit::Failure;
use crate::serve::plan::Plan;

/// Runs the command.
pub(crate) fn run(command: cli::Config, place: &Place) -> Result<(), Failure> {
    match command {
        cli::Config::Check { file } => check(file.as_deref().or(place.config.as_deref())),
        cli::Config::Schema => schema(),
    }
}

fn check(file: Option<&std::path::Path>) -> Result<(), Failure> {
    let file = file.ok_or_else(|| {
        Failure::configuration(anyhow::anyhow!("no file to check: hallpass config check FILE"))
    })?;
    let config = config::read(file).map_err(Failure::configuration)?;
    let plan = Plan::new(cli::Serve::default(), config).map_err(Failure::configuration)?;
    anstream::println!("{} is good.", file.display());
    anstream::print!("{plan}");
    Ok(())
}

fn schema() -> Result<(), Failure> {
    let schema = schemars::schema_for!(Config);
    anstream::println!("{}", serde_json::to_string_pretty(&schema)?);
    Ok(())
}
