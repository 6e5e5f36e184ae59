//! `hallpass login` and `hallpass logout`.

use std::path::PathBuf;

use clap::Args;
use url::Url;

use super::remote::server;
use super::{Account, Fields, Remote, Way};

/// Whom to log in, where.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  hallpass login https://mcp.example.com/mcp
  hallpass login https://mcp.example.com/mcp --account work --scope 'notes:read notes:write'
  hallpass login https://mcp.example.com/mcp --device      with a code typed on another device
  hallpass login https://mcp.example.com/mcp --no-dpop     for `hallpass token` and curl
  hallpass login https://mcp.example.com/mcp --registration-token-file token.txt
  pass show mcp/ide | hallpass login https://mcp.example.com/mcp \\
    --authorization-server https://login.example.com --client-id ide --client-secret-stdin

A mode that needs no person (--mode client-credentials and the like) is tried here, and nothing
is stored: `token` and `connect` fetch such tokens by themselves, given the same options.")]
pub(crate) struct Login {
    #[command(flatten)]
    pub(crate) remote: Remote,

    #[command(flatten)]
    pub(crate) fields: Fields,

    #[command(flatten)]
    pub(crate) account: Account,
}

/// Which login ends.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  hallpass logout https://mcp.example.com/mcp
  hallpass logout https://mcp.example.com/mcp --account work

What is stored here is forgotten, whether or not the authorization server could be told.")]
pub(crate) struct Logout {
    /// The MCP endpoint, as `hallpass accounts` lists it
    #[arg(value_parser = server)]
    pub(crate) url: Url,

    /// Sign with the private key in this PEM file, where the login was made with one
    #[arg(long, value_name = "FILE", help_heading = "Client")]
    pub(crate) client_key_file: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) way: Way,

    #[command(flatten)]
    pub(crate) account: Account,
}
