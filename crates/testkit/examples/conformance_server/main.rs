//! A whole MCP server on rmcp: every feature that the official conformance suite asks a server for, in every revision.
//! It is what stands behind hallpass when the suite judges the gateway.
//!
//!     PORT=8080 cargo run --package hallpass-testkit --example conformance_server
//!     cargo run --package hallpass-testkit --example conformance_server -- --stdio
//!
//! | room | what is in it |
//! |---|---|
//! | `server` | what the server says of itself, and which room answers what |
//! | `tools` | the tools, as a table |
//! | `content` | tools that answer at once |
//! | `conversation` | tools that speak to the client while they work (revisions with a handshake) |
//! | `input` | tools that ask by their answer (2026-07-28) |
//! | `tasks` | tools that answer later |
//! | `resources`, `prompts` | the other two kinds of things that a server offers |
//! | `sealed` | state that a client carries and cannot change |
//! | `sessions` | a stream that is closed in the middle of a call |

#![allow(clippy::expect_used, reason = "what is expected here is written a few lines above")]

mod content;
mod conversation;
mod input;
mod prompts;
mod resources;
mod sealed;
mod server;
mod sessions;
mod tasks;
mod tools;

use std::env;
use std::io::{self, Write as _};
use std::sync::Arc;

use rmcp::ServiceExt as _;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};

use server::Server;
use sessions::Sessions;

type Error = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Error> {
    if env::args().any(|argument| argument == "--stdio") { stdio().await } else { http().await }
}

async fn stdio() -> Result<(), Error> {
    let running = Server::default().serve(rmcp::transport::stdio()).await?;
    running.waiting().await?;
    Ok(())
}

/// Port 0, the default, is any free port; the line that it prints says which.
async fn http() -> Result<(), Error> {
    let port: u16 = env::var("PORT").ok().map(|port| port.parse()).transpose()?.unwrap_or(0);
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    let address = listener.local_addr()?;
    let server = Server::default();
    let service = StreamableHttpService::new(
        move || Ok(server.clone()),
        Arc::new(Sessions::default()),
        StreamableHttpServerConfig::default(),
    );
    writeln!(io::stdout(), "listening on http://{address}/mcp")?;
    axum::serve(listener, axum::Router::new().nest_service("/mcp", service)).await?;
    Ok(())
}
