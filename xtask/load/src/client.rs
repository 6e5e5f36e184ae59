//! A client's side: one connection, one request after the other.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result, bail, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::upstream::{FOUND, WITH_EVENTS};

/// A call of 258 bytes.
fn call() -> String {
    let begin = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"search_notes","arguments":{"text":""#;
    let end = r#""}}}"#;
    format!("{begin}{}{end}", "a".repeat(258 - begin.len() - end.len()))
}

/// The requests, one for each token, as they go over the wire; they take turns.
pub(crate) struct Requests {
    pub(crate) target: SocketAddr,
    posts: Vec<Vec<u8>>,
    gets: Vec<Vec<u8>>,
    lively: Vec<Vec<u8>>,
    next: AtomicUsize,
}

impl Requests {
    pub(crate) fn new<'t>(target: SocketAddr, host: &str, tokens: impl Iterator<Item = &'t str>) -> Self {
        let (mut posts, mut gets, mut lively) = (Vec::new(), Vec::new(), Vec::new());
        let call = call();
        for token in tokens {
            let shared = format!(
                "/mcp HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\nmcp-protocol-version: 2025-11-25\r\n\
                 user-agent: hallpass-load\r\n"
            );
            let length = call.len();
            posts.push(
                format!(
                    "POST {shared}accept: application/json, text/event-stream\r\n\
                     content-type: application/json\r\ncontent-length: {length}\r\n\r\n{call}"
                )
                .into_bytes(),
            );
            gets.push(format!("GET {shared}accept: text/event-stream\r\n\r\n").into_bytes());
            lively
                .push(format!("GET {shared}accept: text/event-stream\r\n{WITH_EVENTS}\r\n\r\n").into_bytes());
        }
        Self { target, posts, gets, lively, next: AtomicUsize::new(0) }
    }

    /// How many requests it takes until each token has come once.
    pub(crate) fn round(&self) -> usize {
        self.posts.len()
    }

    fn one<'r>(&self, of: &'r [Vec<u8>]) -> &'r [u8] {
        &of[self.next.fetch_add(1, Ordering::Relaxed) % of.len()]
    }
}

/// A connection to what is measured.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// Whether an answer said what was found. An error may be a 200, too.
    has_found: bool,
}

impl Connection {
    pub(crate) async fn open(requests: &Requests) -> Result<Self> {
        let stream = TcpStream::connect(requests.target).await.context("nobody listens")?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: vec![0; 2048], has_found: false })
    }

    /// Sends a call and reads its whole answer, which has to be a good one.
    pub(crate) async fn call(&mut self, requests: &Requests) -> Result<()> {
        self.stream.write_all(requests.one(&requests.posts)).await?;
        let mut filled = 0;
        loop {
            filled += self.more(filled).await?;
            if whole(&self.buffer[..filled])? {
                return self.finds(filled);
            }
        }
    }

    /// The first answer of a connection is read, for all of them.
    fn finds(&mut self, filled: usize) -> Result<()> {
        let answer = &self.buffer[..filled];
        self.has_found = self.has_found || String::from_utf8_lossy(answer).contains(FOUND);
        ensure!(self.has_found, "not the answer of a tool: {}", String::from_utf8_lossy(answer));
        Ok(())
    }

    /// Opens a stream and reads the head of its answer; gives what came beyond it.
    pub(crate) async fn listen(&mut self, requests: &Requests, lively: bool) -> Result<Vec<u8>> {
        let request = requests.one(if lively { &requests.lively } else { &requests.gets });
        self.stream.write_all(request).await?;
        let mut filled = 0;
        loop {
            filled += self.more(filled).await?;
            if let Some((head, _)) = head(&self.buffer[..filled])? {
                return Ok(self.buffer[head..filled].to_vec());
            }
        }
    }

    /// What comes next.
    pub(crate) async fn read(&mut self) -> Result<&[u8]> {
        let read = self.more(0).await?;
        Ok(&self.buffer[..read])
    }

    async fn more(&mut self, filled: usize) -> Result<usize> {
        if filled == self.buffer.len() {
            self.buffer.resize(filled * 2, 0);
        }
        match self.stream.read(&mut self.buffer[filled..]).await? {
            0 => bail!("the connection was closed: {}", String::from_utf8_lossy(&self.buffer[..filled])),
            read => Ok(read),
        }
    }
}

/// The head's length, and the body's where it is said; `None` while more is to come.
fn head(bytes: &[u8]) -> Result<Option<(usize, Option<usize>)>> {
    let mut fields = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut fields);
    let httparse::Status::Complete(head) = response.parse(bytes)? else { return Ok(None) };
    if response.code != Some(200) {
        bail!("not 200: {}", String::from_utf8_lossy(bytes));
    }
    let length = response.headers.iter().find(|field| field.name.eq_ignore_ascii_case("content-length"));
    let length = length.map(|field| anyhow::Ok(std::str::from_utf8(field.value)?.parse()?)).transpose()?;
    Ok(Some((head, length)))
}

/// Whether all of an answer is there. Chunks are read as far as their end.
fn whole(bytes: &[u8]) -> Result<bool> {
    Ok(match head(bytes)? {
        None => false,
        Some((head, Some(length))) => bytes.len() >= head + length,
        Some((_, None)) => bytes.ends_with(b"\r\n0\r\n\r\n"),
    })
}
