//! Clients: configured, registered, or described by a document that their id points to.

mod admin;
mod authentication;
mod by_certificate;
mod certificate;
mod client;
mod details;
mod document;
mod document_cache;
mod domains;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod keys;
mod methods;
mod registration;
mod remembered;
mod resolve;

pub use admin::{AddClientError, Clients, NewClient, RegisteredClient};
pub(crate) use authentication::{AuthenticatedClient, NotAuthenticated, Presented, authenticate};
pub use certificate::CertificateName;
pub(crate) use client::{
    AUTHORIZATION_CODE, Authentication, CLIENT_CREDENTIALS, Client, ClientKind, DEVICE_CODE, JWT_BEARER,
    KeySource, REFRESH_TOKEN, TOKEN_EXCHANGE,
};
pub use details::ClientDetails;
pub(crate) use document::is_document_url;
pub(crate) use document_cache::DocumentCache;
pub use domains::DocumentDomains;
pub(crate) use keys::{ClientKeys, NoKeys};
pub(crate) use methods::Methods;
pub(crate) use registration::{Described, RegistrationFault, read as read_registration};
pub(crate) use remembered::{LookUp, RememberedClients};
pub(crate) use resolve::{Unresolved, resolve, stored};
