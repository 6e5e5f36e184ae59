//! What the parsers take and refuse, by example and by property. One binary: it links faster.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test may fail loudly

mod authorization;
mod challenge;
mod client_assertion;
mod documents;
mod dpop;
mod dpop_verify;
mod form;
mod issuer;
mod jose_vectors;
mod json;
mod jwk;
mod jwt;
mod jwt_forgeries;
mod jwt_form;
mod pkce;
mod redirect;
mod resource;
mod scope;
mod time;
mod tokens;
