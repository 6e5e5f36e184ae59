//! For which apps there is a third party's token: those whose persons were told, when they allowed them in, that a server acts there.

use hallpass_protocol::linked_token::LinkedToken;
use hallpass_protocol::scope::ScopeSet;
use quick_cache::sync::Cache;

use super::token::{MOST, Of};
use super::{Acting, NoToken, Vault};
use crate::checks::Resources;
use crate::revocations::SEPARATOR;

/// Grants whose persons were told of a third party, by its name and theirs. What was said does not change while they live; what is
/// configured makes a new server, with a memory of its own.
pub(crate) struct Agreed(Cache<(String, String), ()>);

impl Default for Agreed {
    fn default() -> Self {
        Self(Cache::new(MOST))
    }
}

/// The grant that an access token is of, where it hangs on nothing else.
fn own_grant(token_id: &str) -> Option<&str> {
    let (grant_id, own) = token_id.split_once(SEPARATOR)?;
    (!own.contains(SEPARATOR)).then_some(grant_id)
}

impl Vault {
    /// The access token of this person that is in memory ([`Self::known`]), for an app that shows the access token of this id (`jti`),
    /// where memory holds that its person was told of the third party.
    #[must_use]
    pub fn known_for(&self, user_id: &str, token_id: &str) -> Option<LinkedToken> {
        let known = self.known(user_id)?;
        own_grant(token_id).is_none_or(|grant_id| self.is_agreed(grant_id)).then_some(known)
    }

    /// An access token of this person for an app that shows the access token of this id (`jti`): none, where the person was not told
    /// of the third party when they allowed the app in. What hangs on more than a grant of theirs, such as an assertion of their
    /// company's, or an exchange that the operator has listed, has nothing to do with what they were shown.
    ///
    /// # Errors
    /// As [`Self::token`], and where the person was not told.
    pub async fn token_for(&self, user_id: &str, token_id: &str) -> Result<LinkedToken, NoToken> {
        // First: whoever has to log in again links by that, and is not led to a page before it.
        if let Some(grant_id) = own_grant(token_id) {
            self.check_agreed(grant_id).await?;
        }
        self.token(user_id).await
    }

    async fn check_agreed(&self, grant_id: &str) -> Result<(), NoToken> {
        if self.is_agreed(grant_id) {
            return Ok(());
        }
        let not_agreed = || NoToken::NotAgreed(self.party.shown.clone());
        let grant = self.store.find_grant(grant_id).await?.ok_or_else(not_agreed)?;
        let resources = Resources::try_from(grant.resource).map_err(|_| not_agreed())?;
        let granted = ScopeSet::parse(&grant.scopes).map_err(|_| not_agreed())?;
        let told = Acting::parse(&grant.acts_at)?;
        if self.party.needed(&resources, &granted).is_none_or(|needed| !told.covers(&self.party, &needed)) {
            return Err(not_agreed());
        }
        self.agreed.0.insert((self.party.name.clone(), grant_id.to_owned()), ());
        Ok(())
    }

    fn is_agreed(&self, grant_id: &str) -> bool {
        self.agreed.0.get(&Of(&self.party.name, grant_id)).is_some()
    }
}
