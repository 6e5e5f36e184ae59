//! Benchmarks. They say how fast things are and judge nothing: a machine that is busy is no fault of the code. Instructions
//! are counted, and judged.

pub(crate) mod instructions;

use std::process::Stdio;

use anyhow::{Result, ensure};
use clap::{Args, Subcommand};

use crate::setup::{self, Need};
use crate::{place, process};

#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  cargo xtask bench client            a table, as in docs/benchmarks.md
  cargo xtask bench client --json     the same for programs
  cargo xtask bench resource-server
  cargo xtask bench authorization-server
  cargo xtask bench authorization-server -- --grants 1000 --ended 0     tokens and exchanges alone
  cargo xtask bench instructions --bless     record what is counted now")]
pub(crate) enum Command {
    /// What authorization adds to a client's request, beside rmcp's `AuthClient`
    Client(Options),
    /// What a protected resource costs: a token, remembered or not; policy; memory
    ResourceServer(Options),
    /// What tokens cost, beside npm's `oidc-provider`; among a million grants; while a million rows are swept
    AuthorizationServer(Several),
    /// How many instructions a protected resource takes, held to what was recorded
    Instructions(instructions::Options),
}

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Several {
    #[command(flatten)]
    options: Options,
    /// What is measured: --tokens, --requests, --grants, --ended, each with a number; none where it is 0
    #[arg(last = true)]
    what: Vec<String>,
}

pub(crate) fn run(command: &Command) -> Result<()> {
    match command {
        Command::Client(options) => bench(options, "hallpass-client", "authorized"),
        Command::ResourceServer(options) => bench(options, "hallpass-resource-server", "verified"),
        Command::AuthorizationServer(options) => authorization_server(options),
        Command::Instructions(options) => instructions::run(options),
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

/// Both servers are programs of their own, driven from Node.js.
fn authorization_server(Several { options, what }: &Several) -> Result<()> {
    setup::need(&[Need::Npm, Need::Postgres])?;
    let mut build = process::cargo();
    let status =
        build.args(["build", "--quiet", "--locked", "--release", "--package", "hallpass"]).status()?;
    ensure!(status.success(), "hallpass does not build: {status}");
    let mut node = process::node()?;
    node.env("HALLPASS", place::artefacts(true)?.join("hallpass"));
    node.args(["--no-warnings", "bench/authorization-server.js"]);
    let status = node.args(options.json.then_some("--json")).args(what).stdin(Stdio::null()).status()?;
    ensure!(status.success(), "the benchmark failed: {status}");
    Ok(())
}
