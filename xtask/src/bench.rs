//! Benchmarks. They say how fast things are and judge nothing: a machine that is busy is no fault of the code.

use std::process::Stdio;

use anyhow::{Result, ensure};
use clap::{Args, Subcommand};

use crate::process;

#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  cargo xtask bench client            a table, as in docs/benchmarks.md
  cargo xtask bench client --json     the same for programs
  cargo xtask bench resource-server")]
pub(crate) enum Command {
    /// What authorization adds to a client's request, beside rmcp's `AuthClient`
    Client(Options),
    /// What a protected resource costs: a token, remembered or not; policy; memory
    ResourceServer(Options),
}

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(command: &Command) -> Result<()> {
    match command {
        Command::Client(options) => bench(options, "hallpass-client", "authorized"),
        Command::ResourceServer(options) => bench(options, "hallpass-resource-server", "verified"),
    }
}

fn bench(options: &Options, package: &str, name: &str) -> Result<()> {
    let mut command = process::cargo();
    command.args(["bench", "--quiet", "--locked", "--package", package, "--bench", name]);
    if !options.json {
        return process::run(&mut command);
    }
    // Nothing but JSON on standard output.
    let status = command.args(["--", "--json"]).stdin(Stdio::null()).status()?;
    ensure!(status.success(), "the benchmark failed: {status}");
    Ok(())
}
