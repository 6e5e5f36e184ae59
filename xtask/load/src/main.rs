//! What stands on both sides of a gateway while it is measured: its upstream and its clients, in one process on one
//! processor, so that both read the same clock. `cargo xtask bench gateway` runs it; each run prints one JSON object.
//!
//! | room | what is in it |
//! |---|---|
//! | [`upstream`] | an MCP server's side of the wire: an answer to each POST, a stream for each GET |
//! | [`client`] | a client's side: one connection, one request after the other |
//! | [`full`] | as many requests as go through |
//! | [`paced`] | so many requests a second, and how long each took |
//! | [`events`] | how long an event is on its way |
//! | [`streams`] | what a stream that says nothing costs |
//! | [`process`] | what a process has used |

mod client;
mod events;
mod full;
mod paced;
mod process;
mod streams;
mod upstream;

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use tokio::net::TcpListener;

use client::Requests;

#[derive(Debug, Parser)]
struct Cli {
    /// Where the upstream listens
    #[arg(long)]
    upstream: SocketAddr,
    /// What is measured: a gateway before the upstream, or the upstream itself
    #[arg(long)]
    target: SocketAddr,
    /// What the requests say in `Host`
    #[arg(long)]
    host: String,
    /// Tokens, one a line
    #[arg(long)]
    tokens: PathBuf,
    /// The gateway's process
    #[arg(long)]
    pid: Option<u32>,
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// As many requests as go through
    Full {
        #[arg(long, default_value_t = 32)]
        connections: usize,
        #[arg(long, default_value_t = 5.0)]
        seconds: f64,
    },
    /// So many requests a second, and how long each took
    Paced {
        #[arg(long)]
        rate: f64,
        #[arg(long, default_value_t = 5.0)]
        seconds: f64,
    },
    /// How long an event is on its way
    Events {
        #[arg(long, default_value_t = 100)]
        streams: usize,
    },
    /// What a stream costs on which nothing happens
    Streams {
        #[arg(long, default_value_t = 8_000)]
        number: usize,
    },
}

fn main() -> Result<()> {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let result = runtime.block_on(run(cli))?;
    anstream::println!("{result}");
    Ok(())
}

async fn run(cli: Cli) -> Result<serde_json::Value> {
    let tokens = fs::read_to_string(&cli.tokens).context("cannot read the tokens")?;
    let requests = Arc::new(Requests::new(cli.target, &cli.host, tokens.lines()));
    let listener = TcpListener::bind(cli.upstream).await.context("the upstream cannot listen")?;
    tokio::spawn(upstream::serve(listener));
    match cli.what {
        What::Full { connections, seconds } => {
            full::run(&requests, connections, Duration::from_secs_f64(seconds), cli.pid).await
        }
        What::Paced { rate, seconds } => paced::run(&requests, rate, Duration::from_secs_f64(seconds)).await,
        What::Events { streams } => events::run(&requests, streams).await,
        What::Streams { number } => streams::run(&requests, number, cli.pid).await,
    }
}
