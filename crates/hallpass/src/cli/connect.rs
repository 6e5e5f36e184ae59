//! `hallpass connect`.

use clap::{Args, ValueEnum};

use super::{Account, Fields, Remote};

/// The bridge.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  hallpass connect https://mcp.example.com/mcp
  claude mcp add notes -- hallpass connect https://mcp.example.com/mcp
  hallpass connect https://mcp.example.com/mcp --header 'X-Tenant: ${TENANT}'
  hallpass connect https://mcp.example.com/mcp --client-id ide
  hallpass connect https://mcp.example.com/mcp --registration-token-file token.txt
  hallpass connect https://mcp.example.com/mcp --callback-port 8765 --scope 'notes:read notes:write'
  hallpass connect https://old.example.com/sse --transport sse
  hallpass connect https://mcp.example.com/mcp --allow-tool 'read_*' --ignore-tool read_all

The browser opens only when a login is needed; tokens are kept and refreshed by themselves.")]
pub(crate) struct Connect {
    /// How the server is spoken to
    #[arg(long, value_enum, default_value_t = Transport::Auto, help_heading = "Bridge")]
    pub(crate) transport: Transport,

    /// Show and allow the tools with this name only; `*` stands for anything
    #[arg(long, value_name = "NAME", help_heading = "Bridge")]
    pub(crate) allow_tool: Vec<String>,

    /// Hide the tools with this name, and refuse calls of them; wins over --allow-tool
    #[arg(long, value_name = "NAME", help_heading = "Bridge")]
    pub(crate) ignore_tool: Vec<String>,

    #[command(flatten)]
    pub(crate) remote: Remote,

    #[command(flatten)]
    pub(crate) fields: Fields,

    #[command(flatten)]
    pub(crate) account: Account,
}

/// Which transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Transport {
    /// Streamable HTTP, and HTTP+SSE of 2024-11-05 where the server knows nothing newer
    Auto,
    /// Streamable HTTP alone
    Http,
    /// HTTP+SSE of 2024-11-05 alone
    Sse,
}
