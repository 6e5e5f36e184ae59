//! An rmcp client that logs in by itself.
//!
//!     cargo run -p hallpass-client --features rmcp --example rmcp_client http://localhost:8080/mcp

use anyhow::{Context as _, Result};
use hallpass_client::{Client, interaction::Browser, rmcp::transport};
use rmcp::ServiceExt as _;

#[tokio::main]
#[allow(clippy::print_stdout)] // What a person ran it for.
async fn main() -> Result<()> {
    let server = std::env::args().nth(1).context("give the MCP server's URL")?;
    let interaction = Browser::new().paste_from_terminal();
    let client = Client::builder(&server)?.client_name("rmcp example").interaction(interaction).build()?;
    println!("{}", run(client).await?);
    Ok(())
}

/// The names of the server's tools.
pub(crate) async fn run(client: Client) -> Result<String> {
    let session = ().serve(transport(client)).await?;
    let tools = session.list_all_tools().await?;
    session.cancel().await?;
    Ok(tools.iter().map(|tool| tool.name.as_ref()).collect::<Vec<_>>().join("\n"))
}
