//! `hallpass token`.

use std::path::PathBuf;

use clap::Args;

use super::{Account, remote::Server};

/// Which token, and how it is printed.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  hallpass login https://mcp.example.com/mcp --no-dpop
  hallpass token https://mcp.example.com/mcp --header |
    curl -H @- -H 'Accept: application/json, text/event-stream' https://mcp.example.com/mcp \\
      --json '{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{\"capabilities\":{},
        \"protocolVersion\":\"2025-11-25\",\"clientInfo\":{\"name\":\"curl\",\"version\":\"1\"}}}'
  hallpass token https://mcp.example.com/mcp --json | jq .expires_at
  hallpass token https://mcp.example.com/mcp --mode workload-identity --client-id job \\
    --authorization-server https://login.example.com --assertion-file /var/run/secrets/token

A token that is bound to a key (DPoP) is of use only with a proof made for each request, and no
program but hallpass can make it: `login --no-dpop` asks for plain ones, where the server gives
them, and so does `token --no-dpop` in a mode that needs no person; `hallpass connect` sends the
proofs. Nobody is asked to log in here: a mode that needs no person fetches its token, the others
print what `hallpass login` has stored.")]
pub(crate) struct Token {
    /// Print a whole `Authorization` field (in `connect` and `login`, --header sends one); refused for a token that is
    /// bound to a key (DPoP)
    #[arg(long = "header", conflicts_with = "json")]
    pub(crate) as_header: bool,

    /// Print JSON: access_token, token_type, expires_at
    #[arg(long)]
    pub(crate) json: bool,

    /// Ask for a plain Bearer token, bound to no key (DPoP), in a mode that needs no person; of a login the token is what
    /// `hallpass login` asked for
    #[arg(long)]
    pub(crate) no_dpop: bool,

    #[command(flatten)]
    pub(crate) server: Server,

    /// Send the fields in this file to the server, one a line, where it is asked something
    #[arg(long, value_name = "FILE", help_heading = "Network")]
    pub(crate) header_file: Vec<PathBuf>,

    #[command(flatten)]
    pub(crate) account: Account,
}
