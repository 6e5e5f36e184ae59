//! Requests over an HTTP client that the program has already: its pool, its proxies, its time limits.
//!
//!     cargo run -p hallpass-client --example over_reqwest http://localhost:8080/mcp

use std::time::Duration;

use anyhow::{Context as _, Result};
use hallpass_client::{Client, interaction::Browser};

const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25",
    "capabilities":{},"clientInfo":{"name":"over_reqwest","version":"1"}}}"#;

#[tokio::main]
#[allow(clippy::print_stdout)] // What a person ran it for.
async fn main() -> Result<()> {
    let server = std::env::args().nth(1).context("give the MCP server's URL")?;
    let interaction = Browser::new().paste_from_terminal();
    let client = Client::builder(&server)?.client_name("reqwest example").interaction(interaction).build()?;
    println!("{}", run(client).await?);
    Ok(())
}

/// Asks the server who it is; logs in if it wants that.
pub(crate) async fn run(client: Client) -> Result<String> {
    let http = reqwest::Client::builder()
        .read_timeout(Duration::from_secs(30))
        .redirect(reqwest::redirect::Policy::none())
        .build()?;
    let request = http
        .post(client.server().url().clone())
        .header("accept", "application/json, text/event-stream")
        .header("content-type", "application/json")
        .body(INITIALIZE)
        .build()?;
    let answer = client.execute(&http, request).await?;
    Ok(answer.error_for_status()?.text().await?)
}
