//! The fields that authorize one request, for an HTTP client of one's own that nothing else here knows of.
//!
//!     cargo run -p hallpass-client --example headers http://localhost:8080/mcp

use anyhow::{Context as _, Result};
use hallpass_client::{Client, Error, interaction::Browser};
use http::{Method, StatusCode};

const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25",
    "capabilities":{},"clientInfo":{"name":"headers","version":"1"}}}"#;

#[tokio::main]
#[allow(clippy::print_stdout)] // What a person ran it for.
async fn main() -> Result<()> {
    let server = std::env::args().nth(1).context("give the MCP server's URL")?;
    // Everything else has a safe default: tokens live as long as the program does.
    let client = Client::builder(&server)?
        .client_name("headers example")
        .interaction(Browser::new().paste_from_terminal())
        .build()?;
    println!("{}", run(client).await?);
    Ok(())
}

/// Asks the server who it is.
pub(crate) async fn run(client: Client) -> Result<String> {
    let url = client.server().url().clone();
    // What is asked for depends on the server's refusal, which only this program sees.
    let headers = match client.headers(&Method::POST, &url).await {
        Err(Error::LoginNeeded { .. }) => {
            client.login().await?;
            client.headers(&Method::POST, &url).await?
        }
        known => known?,
    };
    // Here any HTTP client could stand.
    let answer = reqwest::Client::new()
        .post(url)
        .headers(headers)
        .header("accept", "application/json, text/event-stream")
        .header("content-type", "application/json")
        .body(INITIALIZE)
        .send()
        .await?;
    anyhow::ensure!(answer.status() == StatusCode::OK, "the server answered {}", answer.status());
    Ok(answer.text().await?)
}
