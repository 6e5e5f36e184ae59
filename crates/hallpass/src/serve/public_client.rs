//! The client that native applications may share: what is published has to work.

use hallpass_authorization_server::Store;
use url::Url;

use super::house_plan::HousePlan;
use super::server_plan::ServerPlan;
use crate::exit::Failure;

/// Why a client cannot be published.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PublicClientError {
    /// Nobody has added it.
    #[error(
        "{table}.public_client_id is {id}, and there is no such client; add it: hallpass client add{of} --id {id} --redirect-uri http://127.0.0.1/callback"
    )]
    Missing { table: String, id: String, of: String },
    /// Who shares a secret has none (RFC 8252 §8.5).
    #[error(
        "{table}.public_client_id is {id}, which has a client secret: what is published is for everyone, so the client has to be a public one"
    )]
    Confidential { table: String, id: String },
    /// RFC 8252 §7.3.
    #[error(
        "{table}.public_client_id is {id}, which may be sent to {uri}: a client that everyone shares has loopback redirects only, as http://127.0.0.1/callback"
    )]
    NotLoopback { table: String, id: String, uri: String },
}

/// Checks the client that a server publishes.
pub(super) async fn check(store: &Store, house: &HousePlan, server: &ServerPlan) -> Result<(), Failure> {
    let Some(id) = server.public_client_id.clone() else { return Ok(()) };
    let table = server.title.clone();
    let clients = store.clients().list().await?;
    let Some(client) = clients.into_iter().find(|client| client.id == id && !client.dynamic) else {
        let of = house.tenant.as_ref().map_or_else(String::new, |name| format!(" --tenant {name}"));
        return Err(Failure::configuration(PublicClientError::Missing { table, id, of }));
    };
    if client.confidential {
        return Err(Failure::configuration(PublicClientError::Confidential { table, id }));
    }
    match client.redirect_uris.into_iter().find(|uri| !is_loopback(uri)) {
        Some(uri) => Err(Failure::configuration(PublicClientError::NotLoopback { table, id, uri })),
        None => Ok(()),
    }
}

fn is_loopback(uri: &str) -> bool {
    Url::parse(uri).is_ok_and(|uri| uri.scheme() == "http" && hallpass_protocol::is_loopback(&uri))
}
