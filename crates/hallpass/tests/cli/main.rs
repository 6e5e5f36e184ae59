//! The program as people run it: one file for what it refuses, one for `serve`, one for the rest.

#![allow(clippy::unwrap_used, clippy::panic)] // A test that can't be set up has failed.

#[cfg(unix)]
mod acme;
mod admin;
mod audited;
#[cfg(unix)]
mod browser;
#[cfg(unix)]
mod canaries;
mod cedar;
mod certificates;
#[cfg(target_os = "linux")]
mod clock;
mod credentials;
mod database;
mod delegated;
mod documents;
#[cfg(target_os = "linux")]
mod edge;
mod enterprise;
mod environment;
mod fresh;
mod help;
mod house;
mod kills;
mod logins;
mod machine;
#[cfg(unix)]
mod master_key;
mod monitoring;
mod never_again;
mod online;
mod opaque;
#[cfg(unix)]
mod otlp;
mod outside;
mod parties;
mod pipes;
mod policy;
mod program;
mod providers;
mod proxied;
mod public_client;
mod real_clients;
mod refusals;
mod registration;
#[cfg(unix)]
mod reload;
mod remote;
mod replicas;
mod scim;
mod serve;
mod servers;
mod signed_metadata;
mod smuggling;
mod stated;
mod stdio;
mod tenants;
mod three_servers;
mod tls;
mod told;
mod upstream_token;
mod upstream_values;
mod wire;
