//! A layer over an HTTP client that is a tower service; here hyper-util's.
//!
//!     cargo run -p hallpass-client --features tower --example tower_layer http://localhost:8080/mcp

use anyhow::{Context as _, Result};
use bytes::Bytes;
use hallpass_client::{Client, interaction::Browser, tower::AuthorizeLayer};
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::{client::legacy, rt::TokioExecutor};
use tower::{ServiceBuilder, ServiceExt as _};

const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25",
    "capabilities":{},"clientInfo":{"name":"tower_layer","version":"1"}}}"#;

#[tokio::main]
#[allow(clippy::print_stdout)] // What a person ran it for.
async fn main() -> Result<()> {
    let server = std::env::args().nth(1).context("give the MCP server's URL")?;
    let interaction = Browser::new().paste_from_terminal();
    let client = Client::builder(&server)?.client_name("tower example").interaction(interaction).build()?;
    println!("{}", run(client).await?);
    Ok(())
}

/// Asks the server who it is; logs in if it wants that.
pub(crate) async fn run(client: Client) -> Result<String> {
    let url = client.server().as_str().to_owned();
    // For plain http, which is enough for a server on this machine.
    let http = legacy::Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let service = ServiceBuilder::new().layer(AuthorizeLayer::new(client)).service(http);
    let request = Request::post(url)
        .header("accept", "application/json, text/event-stream")
        .header("content-type", "application/json")
        .body(Full::from(INITIALIZE))?;
    let answer = service.oneshot(request).await?;
    anyhow::ensure!(answer.status() == StatusCode::OK, "the server answered {}", answer.status());
    let body = answer.into_body().collect().await?.to_bytes();
    Ok(String::from_utf8_lossy(&body).into_owned())
}
