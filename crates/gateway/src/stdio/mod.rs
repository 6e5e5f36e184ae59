//! Streamable HTTP (MCP 2025-03-26 to 2026-07-28, transports) for servers that speak stdio only.
//!
//! | room | what is in it |
//! |---|---|
//! | `server`, `accepts` | what POST, GET and DELETE do |
//! | `stateless` | requests of 2026-07-28, which stand alone |
//! | `sessions` | how a session begins, whose it is, how many there may be |
//! | `session` | one session: who waits for what, which message goes into which stream |
//! | `house` | where processes run: how many there may be, and that none is left behind |
//! | `start`, `environment`, `process` | one process: started, spoken to, ended, with all its children |
//! | `shared`, `backoff` | a process that sessions share: started when it is needed, and again when it has ended |
//! | `last_words` | why a process ended |
//! | `port`, `switch`, `rewrite` | the way between such sessions and their process, under ids that nobody else has |
//! | `era` | which kinds of revisions the program knows |
//! | `mirrors` | fields that say what the arguments of a call say |
//! | `room` | how many bytes may wait for somebody who does not read |
//! | `message`, `line`, `events` | JSON-RPC messages, lines of a pipe, Server-Sent Events |
//! | `refused` | every reason why a request is not carried on |
//!
//! No answer can reach another session (never-again 43): where each session has a process of its own, since each process
//! numbers its own requests; where they share one, by the `switch`.

mod accepts;
mod backoff;
mod environment;
mod era;
mod events;
mod house;
mod last_words;
mod limits;
mod line;
mod message;
mod mirrors;
mod port;
mod process;
mod refused;
mod rewrite;
mod room;
mod server;
mod session;
mod sessions;
mod shared;
mod start;
mod stateless;
mod switch;

use std::ffi::OsString;
use std::path::PathBuf;

pub(crate) use environment::{Lent, Links};
pub use environment::{Variable, secret_in};
pub use limits::Limits;
pub(crate) use server::StdioServer;

/// For whom there is one process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProcessFor {
    /// Each session has its own, which ends with it.
    #[default]
    Session,
    /// Each user has one, through whatever clients.
    User,
    /// There is one for everybody. The server cannot tell users apart.
    Shared,
}

/// The program that speaks MCP over stdio.
///
/// Of hallpass's own environment it gets what programs need to be run at all (`PATH`, `HOME`, `USER`, `LANG`, `TZ`, `TMPDIR`
/// and their like); then what is set here; then `HALLPASS_SUBJECT`, `HALLPASS_ISSUER` and `HALLPASS_CLIENT`, which say whose
/// process it is, as far as it is one user's and one client's.
#[derive(Clone)]
pub struct StdioCommand {
    /// The program, found by `PATH` where it is only a name.
    pub program: OsString,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// Variables beside those that it gets anyway.
    pub environment: Vec<(OsString, Variable)>,
    /// The folder that it runs in; hallpass's own by default.
    pub directory: Option<PathBuf>,
    /// For whom there is one process: each session, by default.
    pub process: ProcessFor,
    /// The account that it runs under; hallpass's own by default. Unix only, and another one needs root.
    pub account: Option<Account>,
}

/// An account of the operating system, by its numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Account {
    /// The user.
    pub user: u32,
    /// The group; there are no others.
    pub group: u32,
}

impl StdioCommand {
    /// A program without arguments.
    pub fn new(program: impl Into<OsString>) -> Self {
        Self {
            program: program.into(),
            arguments: Vec::new(),
            environment: Vec::new(),
            directory: None,
            process: ProcessFor::default(),
            account: None,
        }
    }
}

impl std::fmt::Debug for StdioCommand {
    /// Arguments and environment may hold secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StdioCommand").field("program", &self.program).finish_non_exhaustive()
    }
}
