//! The client against a scripted peer, over real sockets.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A test that panics has failed, which is its job.

mod concurrency;
mod connect;
mod discovery;
mod doctor;
mod dpop;
mod grants;
mod headers;
mod interaction;
mod legacy;
mod login;
mod modes;
mod profiles;
mod push;
mod refresh;
mod response;
mod step_up;
mod support;
mod terminal;
