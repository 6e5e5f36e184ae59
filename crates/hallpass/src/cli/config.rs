//! `hallpass config`.

use std::path::PathBuf;

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    /// Read a configuration file and say what is wrong with it, or what it means
    #[command(after_help = "Example:\n  hallpass config check hallpass.toml")]
    Check {
        /// The file [default: the one named by --config]
        file: Option<PathBuf>,
    },
    /// Print the JSON Schema of the configuration file
    #[command(after_help = "Example:\n  hallpass config schema > hallpass.schema.json")]
    Schema,
}
