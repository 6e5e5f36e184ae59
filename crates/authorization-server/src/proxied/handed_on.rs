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

/// Remembers whose token it is, before that client has it, and says what of it there is for that client: the provider may give the
/// very token that the client has by another login of the same person, and nobody could tell the two apart by it. So it may do what
/// was agreed to at each of them. It is forgotten with the token or with the grant, whichever ends first.
pub(super) async fn note(
    server: &Inner,
    client_id: &str,
    grant: HandedUnder<'_>,
    given: Given,
) -> Result<Given, Refusal> {
    let (hash, ends) = given.access_token();
    let others = server.store.find_handed_over(&hash).await?;
    let others = others
        .iter()
        .filter(|other| other.grant_id != grant.id && !other.is_revoked && other.resource == grant.resource);
    let mut given = given;
    for other in others {
        given = given.within(&stored(&other.scopes)?).map_err(Refusal::NotGiven)?;
    }
    let ends = ends.map_or(grant.ends, |ends| ends.min(grant.ends));
    match server.store.note_handed_over(&hash, client_id, grant.id, ends).await? {
        true => Ok(given),
        // Nobody could tell the two apart by it.
        false => Err(Refusal::NotGiven(NotGiven::Shared)),
    }
}

/// The grant that a token is handed on under.
pub(super) struct HandedUnder<'a> {
    pub(super) id: &'a str,
    pub(super) resource: &'a str,
    pub(super) ends: Timestamp,
}

fn stored(scopes: &str) -> Result<ScopeSet, StoreError> {
    ScopeSet::parse(scopes).map_err(|_| StoreError::Unreadable { what: "scope" })
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

/// What a token is called by itself, whatever grants come to it: not by its hash alone, which is the same in another house.
pub(super) fn own_name(first_grant_id: &str, hash: &str) -> String {
    digest(&format!("{first_grant_id} {hash}"))
}

/// What a token is called here: by all of its grants, whose ends are its own, and by itself.
fn token_id(found: &[HandedOver], hash: &str) -> String {
    let own = found.first().map(|one| own_name(&one.first_grant_id, hash));
    let parts: Vec<_> = found.iter().map(|one| one.grant_id.clone()).chain(own).collect();
    parts.join(".")
}

/// Which access tokens of the provider's were handed on, for a resource server in the same process. Clones are the same.
#[derive(Clone, Debug)]
pub struct HandedOn {
    store: Store,
    patience: Duration,
}

impl HandedOn {
    /// What was agreed to for that token at that resource, at each login that has brought it; at the one that it was asked for, where
    /// it was not asked for this one. Nothing where it was not handed on, was given back, or a grant of it has ended.
    ///
    /// # Errors
    /// Where the store fails, or answers nothing for too long ([`Settings::patience`](crate::Settings::patience)).
    pub async fn find(&self, token: &Secret, resource: &str) -> Result<Option<Agreement>, StoreError> {
        let hash = digest(token.expose());
        let found = timeout(self.patience, self.store.find_handed_over(&hash)).await;
        let found = found.unwrap_or(Err(StoreError::NoAnswer(self.patience)))?;
        let is_here = |one: &&HandedOver| one.resource == resource;
        let Some(first) = found.iter().find(is_here).or(found.first()) else { return Ok(None) };
        if found.iter().any(|one| one.is_revoked) {
            return Ok(None);
        }
        let mut scopes = stored(&first.scopes)?;
        for one in found.iter().filter(|one| one.resource == first.resource) {
            scopes = scopes.intersection(&stored(&one.scopes)?);
        }
        let token_id = token_id(&found, &hash);
        let (client_id, resource) = (first.client_id.clone(), first.resource.clone());
        Ok(Some(Agreement { token_id, client_id, resource, scopes }))
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
