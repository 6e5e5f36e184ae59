//! Mutation tests: each small change of what decides who gets in has to fail a test. What is changed stands in
//! `.cargo/mutants.toml`. A full run takes hours, so it is no part of `cargo xtask test`.

use anyhow::Result;
use clap::Args;

use crate::setup::{self, Need};
use crate::{place, process};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cargo xtask mutants                                          everything
  cargo xtask mutants -- --file crates/protocol/src/redirect.rs  one file
  cargo xtask mutants -- --list                                what would be changed")]
pub(crate) struct Options {
    /// Passed on to cargo-mutants
    #[arg(last = true)]
    arguments: Vec<String>,
}

/// `cargo xtask mutants`.
pub(crate) fn run(options: &Options) -> Result<()> {
    setup::need(&[Need::CargoMutants])?;
    let kept = place::target()?.join("mutants");
    let mut command = std::process::Command::new(setup::cargo_mutants()?);
    command.current_dir(place::root()).args(["mutants", "--workspace"]);
    // The sources are changed in a copy; what is built of others' crates is kept from one run to the next.
    command.env("CARGO_TARGET_DIR", kept.join("target")).arg("--output").arg(&kept);
    process::run(command.args(&options.arguments))
}
