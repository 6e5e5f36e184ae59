//! The program as people run it: one file for what it refuses, one for `serve`, one for the rest.

#![allow(clippy::unwrap_used, clippy::panic)] // A test that can't be set up has failed.

mod admin;
mod credentials;
mod policy;
mod program;
mod refusals;
mod remote;
mod serve;
