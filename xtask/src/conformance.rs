//! The official MCP conformance suite, held to what hallpass passed last time.
//!
//! The suite alone would let things slip: run as a suite it ignores how the program ended and whether it was in time,
//! and a scenario without a single check counts as passed. So scenarios run one by one, checks are counted, and a
//! committed baseline says how many there have to be.

mod authorization_server;
mod baseline;
mod checks;
mod client;
mod judge;
mod server;
mod suite;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Subcommand;

use crate::place;
use crate::setup::{self, Need};
use crate::step::Tally;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// The client: the example `conformance_client` of hallpass-client
    Client(client::Options),
    /// The authorization server: hallpass itself, with a person who logs in and consents
    AuthorizationServer(authorization_server::Options),
    /// The gateway: a full MCP server, alone and behind hallpass, check by check
    Server(server::Options),
}

/// `cargo xtask conformance …`.
pub(crate) fn run(command: &Command) -> Result<()> {
    // The others log in by themselves, this one needs a person at a browser.
    match command {
        Command::Client(_) | Command::Server(_) => setup::need(&[Need::Npm])?,
        Command::AuthorizationServer(_) => setup::need(&[Need::Npm, Need::Browser])?,
    }
    let mut tally = Tally::default();
    let outcome = match command {
        Command::Client(options) => client::build_and_run(options, &mut tally),
        Command::AuthorizationServer(options) => authorization_server::build_and_run(options, &mut tally),
        Command::Server(options) => server::build_and_run(options, &mut tally),
    };
    anstream::println!("{} passed, {} failed", tally.passed, tally.failed);
    outcome
}

/// The step of `cargo xtask test`: the programs are built.
pub(crate) fn client_step(tally: &mut Tally) -> Result<()> {
    client::run(&client::Options::default(), tally)
}

/// The step of `cargo xtask test`: the programs are built.
pub(crate) fn authorization_server_step(tally: &mut Tally) -> Result<()> {
    authorization_server::run(&authorization_server::Options::default(), tally)
}

/// The step of `cargo xtask test`: the programs are built.
pub(crate) fn server_step(tally: &mut Tally) -> Result<()> {
    server::run(&server::Options::default(), tally)
}

/// The folder for what a part of the suite says this time, without what it said before.
fn emptied(part: &str) -> Result<PathBuf> {
    let folder = place::target()?.join("conformance").join(part);
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    fs::create_dir_all(&folder)?;
    Ok(folder)
}
