//! Clients: configured, registered, or described by a document that their id points to.

mod admin;
mod authentication;
mod client;
mod document;
mod document_cache;
mod resolve;

pub use admin::{AddClientError, Clients, NewClient, RegisteredClient};
pub(crate) use authentication::{AuthenticatedClient, NotAuthenticated, Presented, authenticate};
pub(crate) use client::{AUTHORIZATION_CODE, Client, ClientKind, ClientSecret, REFRESH_TOKEN};
pub(crate) use document::is_document_url;
pub(crate) use document_cache::DocumentCache;
pub(crate) use resolve::{Unresolved, resolve};
