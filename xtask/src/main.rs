//! Set-up, tests, conformance and benchmarks of hallpass: `cargo xtask --help`.
//!
//! | room | what is in it |
//! |---|---|
//! | [`test`] | the parts of `cargo xtask test`, as a table |
//! | [`setup`] | what has to be on the machine, and how it gets there |
//! | [`conformance`] | the official MCP conformance suite, held to a baseline |
//! | [`browser`] | the tests in a real browser, and the pictures for the documentation |
//! | [`compatibility`] | servers and clients of others, and the page about them |
//! | [`node_tests`] | test files for Node.js, counted |
//! | [`bench`] | how fast things are |
//! | [`fuzz`] | fuzz targets, guided by coverage |
//! | [`mutants`] | whether the tests notice changes of what decides |
//! | [`settings`] | `docs/settings.md`, from what the program takes |
//! | [`deny`] | licences, sources, banned crates, advisories |
//! | [`soak`] | mixed load while everything around hallpass changes |
//! | [`step`] | one step of a run: its header, its time, its line in the closing table |
//! | [`process`] | running other programs |
//! | [`place`] | where things are in this repository |

mod bench;
mod browser;
mod compatibility;
mod conformance;
mod deny;
mod fuzz;
mod junit;
mod mutants;
mod node_tests;
mod place;
mod process;
mod settings;
mod setup;
mod soak;
mod step;
mod table;
mod test;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", max_term_width = 100)]
#[command(after_help = "\
Examples:
  cargo xtask test                          set up what is missing, then run every test
  cargo xtask test unit                     one part of it; several may be named
  cargo xtask browser -- connect            browser tests whose name contains `connect`
  cargo xtask conformance client --scenario auth/basic-cimd")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run every test, or the parts that are named
    Test(test::Options),
    /// Install what the tests need and this machine lacks
    Setup,
    /// Run the official MCP conformance suite
    #[command(subcommand)]
    Conformance(conformance::Command),
    /// Run the tests in a real browser
    Browser(browser::Options),
    /// Run servers and clients of others with hallpass between them, and write docs/compatibility.md
    Compatibility(compatibility::Options),
    /// Load hallpass while servers die, keys change and clients leave; nothing may be wrong or left behind
    Soak(soak::Options),
    /// Measure how fast things are
    #[command(subcommand)]
    Bench(bench::Command),
    /// Run the fuzz targets, guided by coverage
    Fuzz(fuzz::Options),
    /// Change what decides who gets in, and see whether a test fails (takes hours)
    Mutants(mutants::Options),
    /// Write docs/settings.md from what the program takes
    Settings(settings::Options),
    /// Check the dependencies against the advisory database (needs the network)
    Advisories,
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        // It has said all there is to say; its last line is the count.
        Command::Test(options) if test::run(&options) => Ok(()),
        Command::Test(_) => return ExitCode::FAILURE,
        Command::Setup => setup::everything(),
        Command::Conformance(command) => conformance::run(&command),
        Command::Browser(options) => browser::run(&options),
        Command::Compatibility(options) => compatibility::run(&options),
        Command::Soak(options) => soak::run(&options),
        Command::Bench(command) => bench::run(&command),
        Command::Fuzz(options) => fuzz::run(&options),
        Command::Mutants(options) => mutants::run(&options),
        Command::Settings(options) => settings::run(&options),
        Command::Advisories => deny::advisories(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            anstream::eprintln!("\x1b[1;31merror:\x1b[0m {error:#}");
            ExitCode::FAILURE
        }
    }
}
