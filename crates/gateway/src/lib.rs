//! Carries permitted MCP requests to any upstream, over HTTP or stdio, untouched.
//!
//! | room | what is in it |
//! |---|---|
//! | [`served`] | which server a request means, by host and path, and what may be exchanged while requests come |
//! | [`gateway`] | the way of a request: front door → admit → forward |
//! | [`choice`] | which of several servers stands behind, as verified claims choose |
//! | [`upstream`] | the servers that can stand behind: HTTP, stdio, a service in this process |
//! | [`upstream::headers`] | what is taken from a request and what is told to upstream |
//! | [`stdio`] | streamable HTTP for servers that speak stdio only: one process a session, a user, or for all |
//! | [`listing`] | lists of tools, prompts and resources say what each thing needs |
//! | [`listen`] | the accept loop: time limits, connections, shutdown |
//! | [`edge`] | who is asking, whether it is one too many, and who wants to know of it |
//!
//! Only a [`Permitted`](hallpass_resource_server::Permitted) request can be forwarded:
//! [`Upstream::forward`] takes nothing else.

pub mod choice;
pub mod edge;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
pub mod gateway;
pub mod listen;
pub mod listing;
mod members;
mod owner;
pub mod served;
pub mod stdio;
pub mod upstream;

pub use choice::{Choice, Variable};
pub use gateway::{Gateway, ServerLimits, Settings};
pub use listing::Listing;
pub use served::{Served, Site};
pub use stdio::{Account, Limits, ProcessFor, StdioCommand};
pub use upstream::Upstream;
