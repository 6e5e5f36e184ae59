//! The smallest bridge from stdio to an MCP server behind a login; tokens live as long as it does.
//!
//!     cargo run -p hallpass-client --example bridge https://mcp.example.com/mcp

use anyhow::{Context as _, Result};
use hallpass_client::{Client, connect, interaction::Browser};

#[tokio::main]
async fn main() -> Result<()> {
    let server = std::env::args().nth(1).context("give the MCP server's URL")?;
    let client = Client::builder(&server)?.interaction(Browser::new()).build()?;
    connect::run(client, tokio::io::stdin(), tokio::io::stdout()).await?;
    // A read from a terminal cannot be taken back, and would keep the runtime from ending.
    std::process::exit(0)
}
