//! What the authorization server answers on the wire, and where it keeps it: one file for each endpoint or page.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod harness;

mod account;
mod admin;
mod assertions;
mod audit;
mod authorize;
mod backchannel_logout;
mod changed_clients;
mod client_credentials;
mod consent;
mod device;
mod dpop;
mod enterprise;
mod frozen;
mod introspect;
mod jwks;
mod jwt_entrances;
mod link;
mod login;
mod max_age;
mod metadata;
mod mutual_tls;
mod mutual_tls_metadata;
mod opaque;
mod other_settings;
mod outage;
mod par;
mod passkeys;
mod provider;
mod proxied;
mod register;
mod register_management;
mod replicas;
mod revoke;
mod scim;
mod second_factor;
mod secrets;
mod security_events;
mod setup;
mod sign_in;
mod token;
mod token_exchange;
mod vault;
mod workloads;
