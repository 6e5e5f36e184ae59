//! The client against a scripted peer, over real sockets.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A test that panics has failed, which is its job.

mod certificate;
mod changed_since;
mod concurrency;
mod connect;
mod connect_order;
mod discovery;
mod doctor;
mod dpop;
mod examples;
mod faults;
mod full_disk;
mod grants;
mod headers;
mod interaction;
mod layer;
mod legacy;
mod login;
mod mismatch;
mod modes;
mod over_reqwest;
mod probe;
mod processes;
mod profiles;
mod proxy;
mod pruned;
mod push;
mod refresh;
mod registration;
mod response;
mod rmcp_answers;
mod rmcp_session;
mod step_up;
mod support;
mod terminal;
mod unsaved;
