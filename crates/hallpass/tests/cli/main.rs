//! The program as people run it: one file for what it refuses, one for `serve`, one for the rest.

#![allow(clippy::unwrap_used, clippy::panic)] // A test that can't be set up has failed.

mod admin;
#[cfg(unix)]
mod browser;
mod credentials;
mod database;
mod kills;
mod policy;
mod program;
mod public_client;
mod refusals;
mod registration;
mod remote;
mod serve;
mod tls;
