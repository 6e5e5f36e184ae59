//! The audit log: what was decided, by whom and about what. No token, code, password or other secret is in it: an event
//! is made of names and ids, and of words that this server wrote.
//!
//! Events wait in memory and are written together, every second, by housekeeping: whoever asks for a token waits for no
//! second write, and a database that is slow or full of locks makes no login slow. What a crash may cost is the last second; each
//! event that matters for a refusal (a used code, a revoked grant) stands in its own table too, in the transaction that
//! decided it. What an operator does is written before the command returns.

mod event;
mod id;
mod log;
mod queue;

pub use event::{AuditEvent, AuditKind};
pub(crate) use event::{By, NewEvent, logged_name};
pub(crate) use id::{first_id_of, id_of, number_after};
pub use log::{AuditFilter, AuditLog};
pub use queue::Recorded;
pub(crate) use queue::{Queue, Taken, Waiting};
