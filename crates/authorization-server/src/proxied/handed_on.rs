//! The provider's access tokens that were handed on, and what was agreed to for each: one client at the provider stands for all
//! clients here, so that a token may say more than was agreed to for the one that has it (MCP "Confused Deputy Problem").

use std::time::Duration;

use hallpass_protocol::scope::ScopeSet;
use hallpass_protocol::secret::Secret;
use hallpass_protocol::time::Timestamp;
use tokio::time::timeout;

use super::{Given, NotGiven};
use crate::grants::Refusal;
use crate::random::digest;
use crate::server::{AuthorizationServer, Inner};
use crate::store::{HandedOver, Store, StoreError};

/// Remembers whose token it is, before that client has it. It is forgotten with the token or with the grant, whichever ends
/// first.
pub(super) async fn note(
    server: &Inner,
    client_id: &str,
    grant: (&str, Timestamp),
    given: &Given,
) -> Result<(), Refusal> {
    let (id, grant_ends) = grant;
    let (hash, ends) = given.access_token();
    let ends = ends.map_or(grant_ends, |ends| ends.min(grant_ends));
    match server.store.note_handed_over(&hash, client_id, id, ends).await? {
        true => Ok(()),
        // Nobody could tell the two apart by it.
        false => Err(Refusal::NotGiven(NotGiven::Shared)),
    }
}

/// What was agreed to for a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreement {
    /// What the token is called here: [`Revocations`](crate::Revocations) know it, and the grant that it is of.
    pub token_id: String,
    /// The client that it was given to.
    pub client_id: String,
    /// The resource that it was asked for.
    pub resource: String,
    /// What was agreed to for that client, and granted by the provider.
    pub scopes: ScopeSet,
}

/// What a token is called here. Its hash tells nothing of it.
pub(super) fn token_id(grant_id: &str, hash: &str) -> String {
    format!("{grant_id}.{hash}")
}

/// Which access tokens of the provider's were handed on, for a resource server in the same process. Clones are the same.
#[derive(Clone, Debug)]
pub struct HandedOn {
    store: Store,
    patience: Duration,
}

impl HandedOn {
    /// What was agreed to for that token; nothing where it was not handed on, was given back, or its grant has ended.
    ///
    /// # Errors
    /// Where the store fails, or answers nothing for too long ([`Settings::patience`](crate::Settings::patience)).
    pub async fn find(&self, token: &Secret) -> Result<Option<Agreement>, StoreError> {
        let hash = digest(token.expose());
        let found = timeout(self.patience, self.store.find_handed_over(&hash)).await;
        let Some(found) = found.unwrap_or(Err(StoreError::NoAnswer(self.patience)))? else { return Ok(None) };
        let HandedOver { grant_id, client_id, resource, scopes } = found;
        let scopes = ScopeSet::parse(&scopes).map_err(|_| StoreError::Unreadable { what: "scope" })?;
        Ok(Some(Agreement { token_id: token_id(&grant_id, &hash), client_id, resource, scopes }))
    }
}

impl AuthorizationServer {
    /// The provider's access tokens that were handed on, where the arrangement is `proxied`.
    #[must_use]
    pub fn handed_on(&self) -> HandedOn {
        let (store, patience) = self.store_and_patience();
        HandedOn { store, patience }
    }
}
