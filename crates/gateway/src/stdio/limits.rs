//! How much a stdio upstream may use.

use std::time::Duration;

/// How much a stdio upstream may use.
#[derive(Clone, Debug)]
pub struct Limits {
    /// How many sessions there may be at once: 4096, where sessions share processes; no more than `processes` else.
    pub sessions: usize,
    /// How many processes may run at once: 256.
    pub processes: usize,
    /// How many of them one user may have through one client: 16. With the next, the one that lay
    /// unused for longest is ended.
    pub sessions_of_a_client: usize,
    /// How many sessions one user may have through all clients, with those that are just being ended: 32. The next is
    /// refused.
    pub sessions_of_a_user: usize,
    /// How long a session may lie without a request and without an open stream: 30 minutes.
    pub idle: Duration,
    /// How long a process that several sessions share may take to answer `initialize`: 2 minutes. Some programs are fetched
    /// first.
    pub start: Duration,
    /// How long a request may wait for its answer: an hour. Then it is cancelled.
    pub call: Option<Duration>,
    /// How much memory a process may have, in bytes, and each of its children; no limit by default. Linux only.
    pub memory: Option<u64>,
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
            sessions: 4096,
            processes: 256,
            sessions_of_a_client: 16,
            sessions_of_a_user: 32,
            idle: Duration::from_secs(30 * 60),
            start: Duration::from_secs(2 * 60),
            call: Some(Duration::from_secs(60 * 60)),
            memory: None,
            grace: Duration::from_secs(2),
            message: hallpass_resource_server::settings::BODY_LIMIT,
            answer: 16 * 1024 * 1024,
            requests: 256,
            unread: 16 * 1024 * 1024,
            queue: 256,
        }
    }
}
