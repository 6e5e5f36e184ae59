//! HTTP/2 to upstream (RFC 9113): many requests at once over one connection.
//!
//! Frames, windows and the compression of fields are the `h2` crate's. What is here: which connection a request goes over, and
//! its body and its answer, in the task of the client's own request.
//!
//! | room | what is in it |
//! |---|---|
//! | [`connections`] | those that are open, and how many streams each has |
//! | [`exchange`] | one request and the head of its answer |
//! | [`body`] | the body of an answer, as it comes |

mod body;
mod connections;
mod exchange;

pub(super) use self::connections::{Connections, Place};
pub(super) use self::exchange::exchange;
