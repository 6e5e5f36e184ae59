//! Streamable HTTP (MCP 2025-03-26 to 2025-11-25, transports) for servers that speak stdio only.
//!
//! | room | what is in it |
//! |---|---|
//! | `server` | the sessions, and what POST, GET and DELETE do |
//! | `session` | one session: who waits for what, which message goes into which stream |
//! | `process` | one process: started, spoken to, ended, with all its children |
//! | `room` | how many bytes may wait for somebody who does not read |
//! | `message`, `line`, `events` | JSON-RPC messages, lines of a pipe, Server-Sent Events |
//! | `refused` | every reason why a request is not carried on |
//!
//! Each session has a process of its own, and each process numbers its own requests, so that no
//! answer can reach another session (never-again 43).

mod events;
mod line;
mod message;
mod process;
mod refused;
mod room;
mod server;
mod session;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

pub(crate) use server::StdioServer;

/// The program that speaks MCP over stdio.
///
/// It gets hallpass's own environment without the variables that begin with `HALLPASS_`, then
/// `HALLPASS_SUBJECT`, `HALLPASS_ISSUER` and `HALLPASS_CLIENT`, which say whose session it is, then what is set here.
#[derive(Clone)]
pub struct StdioCommand {
    /// The program, found by `PATH` where it is only a name.
    pub program: OsString,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// Variables beside those that it gets anyway.
    pub environment: Vec<(OsString, OsString)>,
    /// The folder that it runs in; hallpass's own by default.
    pub directory: Option<PathBuf>,
}

impl StdioCommand {
    /// A program without arguments.
    pub fn new(program: impl Into<OsString>) -> Self {
        Self { program: program.into(), arguments: Vec::new(), environment: Vec::new(), directory: None }
    }
}

impl std::fmt::Debug for StdioCommand {
    /// Arguments and environment may hold secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StdioCommand").field("program", &self.program).finish_non_exhaustive()
    }
}

/// How much a stdio upstream may use.
#[derive(Clone, Debug)]
pub struct Limits {
    /// How many sessions, and so processes, there may be at once: 256.
    pub sessions: usize,
    /// How many of them one user may have through one client: 16. With the next, the one that lay
    /// unused for longest is ended.
    pub sessions_of_a_client: usize,
    /// How many processes may run for one user, through all clients and with those that are just being
    /// ended: 32. The next is refused.
    pub sessions_of_a_user: usize,
    /// How long a session may lie without a request and without an open stream: 30 minutes.
    pub idle: Duration,
    /// How long a process may take to end when its input ends, and again when it is told to end,
    /// before it is killed: 2 seconds each.
    pub grace: Duration,
    /// The longest body of a client, in bytes: 4 MiB, as where policy reads bodies.
    pub message: usize,
    /// The longest message of the server, in bytes: 16 MiB. Answers hold files.
    pub answer: usize,
    /// How many requests of a session may wait for their answers: 256.
    pub requests: usize,
    /// How many bytes may wait in a session for somebody who does not read them: 16 MiB for the server's
    /// input, for answers, for what belongs to requests, and for the listening stream, each.
    pub unread: usize,
    /// How many messages of the server wait for a client that has no stream open: 256.
    pub queue: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            sessions: 256,
            sessions_of_a_client: 16,
            sessions_of_a_user: 32,
            idle: Duration::from_secs(30 * 60),
            grace: Duration::from_secs(2),
            message: hallpass_resource_server::settings::BODY_LIMIT,
            answer: 16 * 1024 * 1024,
            requests: 256,
            unread: 16 * 1024 * 1024,
            queue: 256,
        }
    }
}
