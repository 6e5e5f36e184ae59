//! An access token of a third party's that is good at this moment.
//!
//! It is kept in memory for a minute, and no longer than until it is time for the next one, or until the row is replaced or ended:
//! that is heard of like a revoked grant, within a second at every replica.

use std::sync::Arc;
use std::time::Duration;

use hallpass_protocol::linked_token::LinkedToken;
use hallpass_protocol::scope::ScopeSet;
use hallpass_protocol::time::Timestamp;
use quick_cache::Equivalent;
use quick_cache::sync::Cache;
use url::Url;

use super::kept::{Kept, Whose};
use super::renewal::{self, LEASE};
use super::{Acting, ThirdParty};
use crate::checks::Resources;
use crate::random::id;
use crate::revocations::SEPARATOR;
use crate::server::{AuthorizationServer, Inner};
use crate::store::{Store, StoreError};

/// So many tokens are kept in memory; the database has all of them.
const MOST: usize = 10_000;
/// How often whoever waits for another one's renewal looks, and how many times. Less than a client waits.
const LOOK: Duration = Duration::from_millis(50);
const LOOKS: usize = 240;
/// How long a token whose next one is not there yet is used without looking.
const MOMENT: Duration = Duration::from_secs(1);
/// How long memory is believed at most. What is revoked is forgotten after a day; a token without an end would outlive that.
const BELIEVED: Duration = Duration::from_secs(60);

/// The sessions of people at one third party. It goes on where the server is replaced by one with other settings.
#[derive(Clone)]
pub struct Vault {
    pub(super) store: Store,
    pub(super) party: Arc<ThirdParty>,
    remembered: Arc<Remembered>,
    agreed: Arc<Agreed>,
    /// Whose tokens in memory are this one's: a name may stand for another third party after a reload.
    whose: String,
    link: Url,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("Vault").field(&self.party.name).finish()
    }
}

/// Why there is no token. Nothing may be sent on without one.
#[derive(Debug, thiserror::Error)]
pub enum NoToken {
    /// The person has no session at the third party: there was none, or it has ended.
    #[error("the person's account at {0} is not linked, or its session there has ended: link it")]
    NotLinked(String),
    /// What the access token is of was agreed to before the person was told that the server acts at the third party.
    #[error("the app was allowed in before it was said that the server acts at {0}: log in again")]
    NotAgreed(String),
    /// The third party does not answer, and the token that there is has ended. The session may be alive.
    #[error("{0} does not answer right now, and nothing is lost: try again")]
    Unavailable(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Tokens in memory, by third party and person.
pub(crate) struct Remembered(Cache<(String, String), InMemory>);

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

#[derive(Clone)]
struct InMemory {
    token: LinkedToken,
    until: Timestamp,
}

/// The same key, without a copy of it.
#[derive(Hash)]
struct Of<'a>(&'a str, &'a str);

impl Equivalent<(String, String)> for Of<'_> {
    fn equivalent(&self, (whose, user_id): &(String, String)) -> bool {
        self.0 == whose && self.1 == user_id
    }
}

impl Default for Remembered {
    fn default() -> Self {
        Self(Cache::new(MOST))
    }
}

impl AuthorizationServer {
    /// The sessions of people at the third party of that name, if servers act there.
    #[must_use]
    pub fn vault(&self, third_party: &str) -> Option<Vault> {
        let server = self.inner();
        server.third_party(third_party).map(|party| Vault::of(server, party))
    }
}

impl Vault {
    pub(crate) fn of(server: &Inner, party: &ThirdParty) -> Self {
        let (store, remembered) = (server.store.clone(), Arc::clone(&server.remembered));
        let mut link = server.settings.issuer.url().clone();
        link.set_path(&server.path(&format!("/acts/{}", party.name)));
        let there = party.provider.settings();
        let whose = format!("{}\n{}\n{}", party.name, there.issuer, there.client_id);
        Self {
            store,
            party: Arc::new(party.clone()),
            remembered,
            agreed: Arc::clone(&server.agreed),
            whose,
            link,
        }
    }

    /// What people call the third party.
    #[must_use]
    pub fn shown(&self) -> &str {
        &self.party.shown
    }

    /// The page where people link their account. It asks whoever opens it to log in, and says nothing about anybody.
    #[must_use]
    pub fn link(&self) -> &Url {
        &self.link
    }

    /// The access token of this person that is in memory, where it is good at this moment and it is not time for the next one.
    #[must_use]
    pub fn known(&self, user_id: &str) -> Option<LinkedToken> {
        let known = self.remembered.0.get(&Of(&self.whose, user_id))?;
        let is_good = self.store.now() < known.until
            && self.store.revoked().is_revoked(known.token.link()) == Ok(false);
        is_good.then_some(known.token)
    }

    /// The same for an app that shows the access token of this id (`jti`), where memory holds that its person was told of the third
    /// party.
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
        let token = self.token(user_id).await?;
        match own_grant(token_id) {
            Some(grant_id) => self.check_agreed(grant_id).await.map(|()| token),
            None => Ok(token),
        }
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
        if self.party.needed(&resources, &granted).is_some_and(|needed| !told.covers(&self.party, &needed)) {
            return Err(not_agreed());
        }
        self.agreed.0.insert((self.party.name.clone(), grant_id.to_owned()), ());
        Ok(())
    }

    fn is_agreed(&self, grant_id: &str) -> bool {
        self.agreed.0.get(&Of(&self.party.name, grant_id)).is_some()
    }

    /// An access token of this person, good at this moment. It is renewed in time: by one replica at a time, and before anybody
    /// has the next one it is written. While a renewal is under way or fails, the token that there is is used to its end.
    ///
    /// # Errors
    /// Where there is no session, or no token can be had right now.
    pub async fn token(&self, user_id: &str) -> Result<LinkedToken, NoToken> {
        if let Some(known) = self.known(user_id) {
            return Ok(known);
        }
        let key = (self.whose.clone(), user_id.to_owned());
        match self.look(user_id).await {
            Ok(known) => {
                self.remembered.0.insert(key, known.clone());
                Ok(known.token)
            }
            Err(error) => {
                self.remembered.0.remove(&key);
                Err(error)
            }
        }
    }

    /// By what the database says.
    async fn look(&self, user_id: &str) -> Result<InMemory, NoToken> {
        let mut first = None;
        let whose = Whose::of(user_id, &self.party);
        for _ in 0..LOOKS {
            let row = self.party.session(&self.store, user_id).await?.ok_or_else(|| self.not_linked())?;
            let kept = Kept::open(&self.store, &row.id, &row.sealed, &whose)?;
            let now = self.store.now();
            // What was renewed a moment ago is taken as it is, and one that ends at once is no reason to ask again and again.
            let version = (row.id.clone(), row.version);
            let is_new = *first.get_or_insert_with(|| version.clone()) != version;
            if is_new || row.ends.renew_at.is_none_or(|at| now < at) {
                let until = row.ends.renew_at.map_or(now.after(BELIEVED), |at| at.min(now.after(BELIEVED)));
                return Ok(InMemory { token: LinkedToken::new(kept.access, row.id, row.version), until });
            }
            let lease = id();
            if self.store.lease_in_vault(&row, &lease, now.after(LEASE)).await? {
                // By itself: whoever asked may go away, and what the third party gives cannot be had again.
                let renewing = renewal::renew(self.clone(), user_id.to_owned(), row, kept, lease);
                tokio::spawn(renewing).await.map_err(|_| self.unavailable())??;
                // What came of it stands in the database, and nowhere else.
                continue;
            }
            if row.ends.ends_at.is_none_or(|end| now < end) {
                let moment = now.after(MOMENT);
                let until = row.ends.ends_at.map_or(moment, |end| end.min(moment));
                return Ok(InMemory { token: LinkedToken::new(kept.access, row.id, row.version), until });
            }
            if !row.is_leased && now < row.lease_ends {
                return Err(self.unavailable());
            }
            tokio::time::sleep(LOOK).await;
        }
        Err(self.unavailable())
    }

    pub(super) fn not_linked(&self) -> NoToken {
        NoToken::NotLinked(self.party.shown.clone())
    }

    pub(super) fn unavailable(&self) -> NoToken {
        NoToken::Unavailable(self.party.shown.clone())
    }
}
