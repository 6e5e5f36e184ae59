//! `hallpass key`.

use clap::{Subcommand, ValueEnum};

use super::Listing;
use crate::config::Span;

#[derive(Debug, Subcommand)]
pub(crate) enum Key {
    /// Add an API key, which is printed once; or a password for Basic or Digest
    #[command(after_help = "\
Examples:
  hallpass key add ci --scope notes:read --expires 90d
  hallpass key add ci --server notes --scope notes:read --config hallpass.toml
  pass show mcp/ci | hallpass key add ci --as digest --password-stdin --scope notes:read

The server takes them where the configuration says so: [server.credentials] api_keys, basic, digest.")]
    Add {
        /// Its name: the subject of its requests, and the user name of Basic and Digest
        name: String,
        /// The server it is good at, where the configuration has several
        #[arg(long, value_name = "NAME")]
        server: Option<String>,
        /// How it shows itself
        #[arg(long = "as", value_name = "HOW", default_value = "key")]
        how: How,
        /// A scope it has; give it once for each
        #[arg(long, value_name = "S")]
        scope: Vec<String>,
        /// From when on it is refused: a span of time, as in 90d [default: never]
        #[arg(long, value_name = "SPAN")]
        expires: Option<Span>,
        /// Read the password from standard input (its first line)
        #[arg(long)]
        password_stdin: bool,
    },
    /// List them
    #[command(after_help = "Examples:\n  hallpass key list\n  hallpass key list --json")]
    List(Listing),
    /// Refuse one from now on
    #[command(after_help = "Example:\n  hallpass key revoke ci")]
    Revoke {
        /// Its name
        name: String,
    },
}

/// How an account shows itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum How {
    /// A random key, as Bearer or in X-API-Key
    Key,
    /// User name and password (RFC 7617)
    Basic,
    /// A proof of the password (RFC 7616)
    Digest,
}
