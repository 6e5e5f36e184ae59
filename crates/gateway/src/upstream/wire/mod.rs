//! HTTP/1.1 to upstream, in the task of the client's own request.
//!
//! hyper's client is a task of its own behind channels and a pool: each request wakes that task, and each answer wakes the
//! request. Here one task does both, and a connection that waits is a stream in a list. What comes from clients is read by
//! hyper; here nobody is read but the operator's own server.
//!
//! | room | what is in it |
//! |---|---|
//! | [`exchange`] | one request and its answer over one connection |
//! | [`head`] | how a request begins, and how an answer does |
//! | [`framing`] | where a body ends |
//! | [`body`] | the body of an answer, as it comes |
//! | [`idle`] | connections that wait for the next request |

mod body;
mod exchange;
mod framing;
mod head;
mod idle;

use std::io;

use tokio::io::{AsyncRead, AsyncWrite};

pub(super) use self::exchange::{Message, exchange};
pub(super) use self::head::Target;
pub(super) use self::idle::Idle;

/// What carries HTTP: TCP, or TLS over it.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> Stream for T {}

/// Why an answer did not come, or ended early.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// Upstream took the request, or some of it.
    #[error("the connection was closed before an answer")]
    Closed,
    /// Something else than an answer.
    #[error("the answer is not HTTP/1.1: {0}")]
    NotHttp(&'static str),
    /// The answer ended before its end.
    #[error("the connection was closed within the answer")]
    Incomplete,
    /// The client broke off, or its body is not as long as it said.
    #[error("the body of the request broke off: {0}")]
    RequestBody(String),
    /// What a path must not be.
    #[error("path and query cannot be sent")]
    Target,
    /// Upstream gave up the request, or broke the rules of HTTP/2; or the connection broke.
    #[error(transparent)]
    Http2(#[from] h2::Error),
    /// The connection broke.
    #[error(transparent)]
    Connection(#[from] io::Error),
}

#[cfg(test)]
mod tests;
