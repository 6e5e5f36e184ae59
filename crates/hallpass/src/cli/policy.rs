//! `hallpass policy`.

use clap::{Args, Subcommand};
use hallpass_resource_server::policy::Operation;

#[derive(Debug, Subcommand)]
pub(crate) enum Policy {
    /// Say whether a token may do something, and which lines decide
    #[command(after_help = "\
Examples:
  hallpass policy explain --config hallpass.toml --token token.txt --tool write_note
  hallpass token https://mcp.example.com/mcp | \\
    hallpass policy explain --config hallpass.toml --token - --tool purge

Exit codes: 0 allowed, 1 refused, 2 there is no token that can be read, 3 the configuration is
missing or wrong.")]
    Explain {
        /// A file with the access token, or - for standard input
        #[arg(long, value_name = "FILE")]
        token: String,
        /// The server to ask, where the configuration has several
        #[arg(long, value_name = "NAME")]
        server: Option<String>,
        #[command(flatten)]
        operation: Asked,
    },
}

/// What the token is to be used for: one of these.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Asked {
    /// A tool to call
    #[arg(long, value_name = "NAME")]
    tool: Option<String>,
    /// A prompt to get
    #[arg(long, value_name = "NAME")]
    prompt: Option<String>,
    /// A resource to read
    #[arg(long, value_name = "URI")]
    resource: Option<String>,
    /// Any other JSON-RPC method
    #[arg(long, value_name = "METHOD")]
    method: Option<String>,
}

impl Asked {
    /// The one that was named.
    pub(crate) fn chosen(&self) -> anyhow::Result<Operation<'_>> {
        let tool = self.tool.as_deref().map(Operation::Tool);
        let prompt = self.prompt.as_deref().map(Operation::Prompt);
        let resource = self.resource.as_deref().map(Operation::Resource);
        let method = self.method.as_deref().map(Operation::Method);
        let chosen = tool.or(prompt).or(resource).or(method);
        chosen.ok_or_else(|| {
            anyhow::anyhow!("name what is to be explained: --tool, --prompt, --resource or --method")
        })
    }
}
