//! `hallpass serve`.

use clap::Args;
use url::Url;

use crate::config::{ListenAddress, PublicUrl};

#[derive(Clone, Debug, Default, Args)]
#[command(after_help = "\
Examples:
  hallpass serve --demo
  hallpass serve --upstream http://localhost:3000/mcp
  hallpass serve -- npx -y @modelcontextprotocol/server-everything
  hallpass serve --listen 0.0.0.0:8080 --public-url https://mcp.example.com \\
    --upstream http://notes:3000/mcp
  hallpass serve --config hallpass.toml

Without a user, the first start prints a link under which the first user is made.")]
pub(crate) struct Serve {
    /// A sample server, a user and a temporary folder: everything to try it, nothing to install
    #[arg(long, conflicts_with_all = ["upstream", "command"])]
    pub(crate) demo: bool,

    /// The MCP endpoint to protect, reached over streamable HTTP
    #[arg(long, value_name = "URL", conflicts_with = "command")]
    pub(crate) upstream: Option<Url>,

    /// Where to listen: host and port [default: localhost:8080]
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<ListenAddress>,

    /// What clients call this server: metadata, issuer and resource are built from it
    #[arg(long, value_name = "URL")]
    pub(crate) public_url: Option<PublicUrl>,

    /// TLS ends in front of hallpass: take a public URL that is plain http for its https form
    #[arg(long)]
    pub(crate) tls_in_front: bool,

    /// The stdio MCP server to protect, one process a session
    #[arg(last = true, value_name = "COMMAND ARGS")]
    pub(crate) command: Vec<String>,
}
