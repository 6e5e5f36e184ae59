//! The client that native applications may share: what is published has to work.

use hallpass_authorization_server::Store;
use url::Url;

use crate::exit::Failure;

/// Why a client cannot be published.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PublicClientError {
    /// Nobody has added it.
    #[error(
        "server.public_client_id is {0}, and there is no such client; add it: hallpass client add --id {0} --redirect-uri http://127.0.0.1/callback"
    )]
    Missing(String),
    /// Who shares a secret has none (RFC 8252 §8.5).
    #[error(
        "server.public_client_id is {0}, which has a client secret: what is published is for everyone, so the client has to be a public one"
    )]
    Confidential(String),
    /// RFC 8252 §7.3.
    #[error(
        "server.public_client_id is {0}, which may be sent to {1}: a client that everyone shares has loopback redirects only, as http://127.0.0.1/callback"
    )]
    NotLoopback(String, String),
}

/// Checks the client that is to be published.
pub(super) async fn check(store: &Store, id: Option<&str>) -> Result<(), Failure> {
    let Some(id) = id else { return Ok(()) };
    let clients = store.clients().list().await?;
    let client = clients.into_iter().find(|client| client.id == id && !client.dynamic);
    let client = client.ok_or_else(|| Failure::configuration(PublicClientError::Missing(id.to_owned())))?;
    if client.confidential {
        return Err(Failure::configuration(PublicClientError::Confidential(id.to_owned())));
    }
    match client.redirect_uris.into_iter().find(|uri| !is_loopback(uri)) {
        Some(uri) => Err(Failure::configuration(PublicClientError::NotLoopback(id.to_owned(), uri))),
        None => Ok(()),
    }
}

fn is_loopback(uri: &str) -> bool {
    Url::parse(uri).is_ok_and(|uri| uri.scheme() == "http" && hallpass_protocol::is_loopback(&uri))
}
