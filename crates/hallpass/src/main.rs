//! `hallpass`: the command line, the configuration and the wiring. What it wires together lives in
//! the crates below; ARCHITECTURE.md draws the house.

mod accounts;
mod cli;
mod commands;
mod config;
mod data;
mod demo;
mod exit;
mod serve;
mod telemetry;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command};
use exit::Failure;

fn main() -> ExitCode {
    let cli = Cli::parse();
    telemetry::start(cli.verbose);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let outcome = runtime.map_err(Failure::from).and_then(|runtime| {
        let outcome = runtime.block_on(run(cli));
        // A blocked read of standard input must not keep the program alive.
        runtime.shutdown_background();
        outcome
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

async fn run(cli: Cli) -> Result<(), Failure> {
    let place = commands::Place { config: cli.config, data: cli.data, token_store: cli.token_store };
    match cli.command {
        Command::Serve(args) => serve::run(args, &place).await,
        Command::User(command) => commands::user::run(command, &place).await,
        Command::Client(command) => commands::client::run(command, &place).await,
        Command::Issuer(command) => commands::issuer::run(command, &place).await,
        Command::Keys(command) => commands::keys::run(command, &place).await,
        Command::Audit(audit) => commands::audit::run(audit, &place).await,
        Command::Backup { file } => commands::backup::backup(&file, &place).await,
        Command::Restore(restore) => commands::backup::restore(restore, &place).await,
        Command::MasterKey(command) => commands::master_key::run(command, &place).await,
        Command::Connect(connect) => commands::connect::run(connect, &place).await,
        Command::Doctor(doctor) => commands::doctor::run(doctor, &place).await,
        Command::Login(remote) => commands::login::run(remote, &place).await,
        Command::Logout(remote) => commands::logout::run(remote, &place).await,
        Command::Token(token) => commands::token::run(token, &place).await,
        Command::Accounts(listing) => commands::accounts::run(listing.format(), &place),
        Command::Key(command) => commands::key::run(command, &place).await,
        Command::Policy(command) => commands::policy::run(command, &place),
        Command::Config(command) => commands::config::run(command, &place),
        Command::Completions { shell } => {
            commands::completions::print(shell);
            Ok(())
        }
    }
}
