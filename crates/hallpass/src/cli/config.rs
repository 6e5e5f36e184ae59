//! `hallpass config`.

use std::path::PathBuf;

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    /// Read a configuration file and say what is wrong with it, or what it means
    #[command(after_help = "\
Examples:
  hallpass config check hallpass.toml
  hallpass config check hallpass.toml --online      ask the issuers that it names, and say which clients will get on with them

Exit codes: 0 nothing worse than warnings, 1 a fault: an issuer or third party is dead, some clients cannot log in, no token can be verified, or hallpass is not let in; 3 the file is wrong.")]
    Check {
        /// The file [default: the one named by --config]
        file: Option<PathBuf>,

        /// Ask each issuer and third party that the file names, and judge them; credentials are tried, with a token and a code that
        /// are made up
        #[arg(long)]
        online: bool,

        /// Print JSON, for programs
        #[arg(long, requires = "online")]
        json: bool,
    },
    /// Print the JSON Schema of the configuration file
    #[command(after_help = "Example:\n  hallpass config schema > hallpass.schema.json")]
    Schema,
}
