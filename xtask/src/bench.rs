//! Benchmarks. They say how fast things are and judge nothing: a machine that is busy is no fault of the code. Instructions
//! are counted, and judged.

pub(crate) mod instructions;

use std::path::PathBuf;
use std::process::{self as programs, Stdio};

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
  cargo xtask bench gateway --record     write it into docs/performance.md, with a picture
  cargo xtask bench instructions --bless     record what is counted now")]
pub(crate) enum Command {
    /// What authorization adds to a client's request, beside rmcp's `AuthClient`
    Client(Options),
    /// What a protected resource costs: a token, remembered or not; policy; memory
    ResourceServer(Options),
    /// What tokens cost, beside npm's `oidc-provider`; among a million grants; while a million rows are swept
    AuthorizationServer(Several),
    /// What a request through the gateway costs, beside HAProxy, nginx, Envoy and fastmcp
    Gateway(Proxies),
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

#[derive(Debug, Args)]
pub(crate) struct Proxies {
    #[command(flatten)]
    options: Options,
    /// Measure only those whose names contain one of these, parted by commas
    #[arg(long)]
    only: Option<String>,
    /// Write the table into docs/performance.md, and the picture beside it
    #[arg(long)]
    record: bool,
    /// How often each is measured
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// How long each measurement takes
    #[arg(long, default_value_t = 3)]
    seconds: u32,
}

pub(crate) fn run(command: &Command) -> Result<()> {
    match command {
        Command::Client(options) => bench(options, "hallpass-client", "authorized"),
        Command::ResourceServer(options) => bench(options, "hallpass-resource-server", "verified"),
        Command::AuthorizationServer(options) => authorization_server(options),
        Command::Gateway(proxies) => gateway(proxies),
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
    let mut node = process::node()?;
    node.env("HALLPASS", optimised("hallpass")?);
    node.args(["--no-warnings", "bench/authorization-server.js"]);
    drive(node.args(what), options)
}

/// So are the gateways; clients and upstream are one program.
fn gateway(proxies: &Proxies) -> Result<()> {
    setup::need(&[Need::Npm, Need::Proxies, Need::Envoy, Need::FastMcp])?;
    let mut node = process::node()?;
    node.env("ENVOY", setup::envoy()?).env("FASTMCP_PYTHON", setup::fastmcp()?);
    node.env("HALLPASS", optimised("hallpass")?).env("HALLPASS_LOAD", optimised("hallpass-load")?);
    node.args(["--no-warnings", "bench/gateway.js"]);
    node.args(["--rounds", &proxies.rounds.to_string(), "--seconds", &proxies.seconds.to_string()]);
    if let Some(only) = &proxies.only {
        node.args(["--only", only]);
    }
    if proxies.record {
        let docs = place::root().join("docs");
        node.arg("--record").arg(docs.join("performance.md"));
        node.arg("--plot").arg(docs.join("images/gateway.svg"));
    }
    drive(&mut node, &proxies.options)
}

/// A program of this workspace that bears the name of its package, in the release profile.
fn optimised(package: &str) -> Result<PathBuf> {
    let mut build = process::cargo();
    let status = build.args(["build", "--quiet", "--locked", "--release", "--package", package]).status()?;
    ensure!(status.success(), "{package} does not build: {status}");
    Ok(place::artefacts(true)?.join(package))
}

fn drive(node: &mut programs::Command, options: &Options) -> Result<()> {
    let status = node.args(options.json.then_some("--json")).stdin(Stdio::null()).status()?;
    ensure!(status.success(), "the benchmark failed: {status}");
    Ok(())
}
