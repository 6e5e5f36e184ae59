//! `hallpass`: the command line, the configuration and the wiring. What it wires together lives in
//! the crates below; ARCHITECTURE.md draws the house.

mod accounts;
mod cli;
mod commands;
mod config;
mod data;
mod demo;
mod exit;
mod say;
mod serve;
mod telemetry;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};

use cli::{Cli, Command};
use exit::Failure;

fn main() -> ExitCode {
    let matches = Cli::command().get_matches();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let login_command = cli::login_command(Cli::command(), &matches);
    telemetry::start(cli.verbose);
    // Threads that take work from each other are of no use to one processor.
    let mut runtime = match std::thread::available_parallelism().map(usize::from) {
        Ok(1) => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    let runtime = runtime.enable_all().build();
    let outcome = runtime.map_err(Failure::from).and_then(|runtime| {
        let outcome = runtime.block_on(run(cli, login_command));
        // A blocked read of standard input must not keep the program alive.
        runtime.shutdown_background();
        outcome
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

async fn run(cli: Cli, login_command: Option<String>) -> Result<(), Failure> {
    let place = commands::Place { config: cli.config, data: cli.data, login_command, tenant: None };
    match cli.command {
        Command::Serve(args) => serve::run(args, &place).await,
        Command::User(of) => commands::user::run(of.command, &place.of(of.tenant)).await,
        Command::Client(of) => commands::client::run(of.command, &place.of(of.tenant)).await,
        Command::Issuer(of) => commands::issuer::run(of.command, &place.of(of.tenant)).await,
        Command::Scim(of) => commands::scim::run(of.command, &place.of(of.tenant)).await,
        Command::Keys(of) => commands::keys::run(of.command, &place.of(of.tenant)).await,
        Command::Audit(audit) => {
            let place = place.of(audit.tenant.clone());
            commands::audit::run(audit, &place).await
        }
        Command::Backup(backup) => commands::backup::backup(&backup.file, &place.of(backup.tenant)).await,
        Command::Restore(restore) => {
            let place = place.of(restore.tenant.clone());
            commands::backup::restore(restore, &place).await
        }
        Command::MasterKey(command) => commands::master_key::run(command, &place).await,
        Command::Connect(connect) => commands::connect::run(connect, &place).await,
        Command::Doctor(doctor) => commands::doctor::run(doctor, &place).await,
        Command::Login(login) => commands::login::run(login, &place).await,
        Command::Logout(logout) => commands::logout::run(logout, &place).await,
        Command::Token(token) => commands::token::run(token, &place).await,
        Command::Accounts(accounts) => commands::accounts::run(&accounts, &place),
        Command::Key(of) => commands::key::run(of.command, &place.of(of.tenant)).await,
        Command::Policy(of) => commands::policy::run(of.command, &place.of(of.tenant)),
        Command::Config(command) => commands::config::run(command, &place).await,
        Command::Health(health) => commands::health::run(health, &place).await,
        Command::Man { folder } => commands::man::write(&folder),
        Command::Completions { shell } => Ok(commands::completions::print(shell)?),
    }
}
