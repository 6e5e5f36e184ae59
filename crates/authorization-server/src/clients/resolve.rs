//! From a client id to the client.

use std::sync::Arc;

use super::domains::DomainRefused;
use super::{Client, LookUp, document, is_document_url};
use crate::server::Inner;
use crate::store::StoreError;

/// Longer ids are refused unread.
const LONGEST_ID: usize = 2048;

/// Why there is no client for an id.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unresolved {
    /// Nobody has that id.
    #[error(
        "no client with this id is known here (invalid_client); it has to register itself first, or the operator adds it"
    )]
    Unknown,
    /// The operator has switched it off.
    #[error("the operator of this server has switched it off")]
    Disabled,
    /// The operator does not take clients of its domain.
    #[error(transparent)]
    Domain(#[from] DomainRefused),
    /// The id is a URL, and what is there does not describe a client.
    #[error("the client's metadata document cannot be used: {0}")]
    Document(#[from] document::DocumentError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Unresolved {
    /// The rule that was broken, in one word, for the log.
    pub(crate) fn rule(&self) -> &'static str {
        match self {
            Self::Unknown => "client_unknown",
            Self::Disabled => "client_disabled",
            Self::Domain(_) => "client_domain",
            Self::Document(_) => "client_document",
            Self::Store(_) => "storage",
        }
    }
}

/// Finds the client: by its row, or by the document that its id points to.
pub(crate) async fn resolve(server: &Inner, id: &str) -> Result<Client, Unresolved> {
    if id.len() > LONGEST_ID {
        return Err(Unresolved::Unknown);
    }
    // The operator's word goes first: a URL can be configured too.
    if let Some(client) = stored(server, id, LookUp::Now).await? {
        return Ok(Arc::unwrap_or_clone(client));
    }
    if !is_document_url(id, &server.settings.issuer) {
        return Err(Unresolved::Unknown);
    }
    server.settings.document_domains.check(id)?;
    let now = server.store.now();
    Ok(server.documents.get_or_fetch(id, now, document::fetch(server, id)).await?)
}

/// The client that has a row, unless it is switched off.
pub(crate) async fn stored(
    server: &Inner,
    id: &str,
    look_up: LookUp,
) -> Result<Option<Arc<Client>>, Unresolved> {
    let now = server.store.now();
    if look_up == LookUp::WithinThisSecond
        && let Some(client) = server.remembered_clients.get(id, now, server.store.revoked())
    {
        return Ok(Some(client));
    }
    let Some(row) = server.store.find_client(id).await? else { return Ok(None) };
    if row.disabled {
        return Err(Unresolved::Disabled);
    }
    let client = Arc::new(Client::from_row(row)?);
    if look_up == LookUp::WithinThisSecond {
        server.remembered_clients.keep(&client, now);
    }
    Ok(Some(client))
}
