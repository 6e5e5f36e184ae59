//! An access token of a third party's that is good at this moment.
//!
//! It is kept in memory for a minute, and no longer than until it is time for the next one, or until the row is replaced or ended:
//! that is heard of like a revoked grant, within a second at every replica.

use std::sync::Arc;
use std::time::Duration;

use hallpass_protocol::linked_token::LinkedToken;
use hallpass_protocol::time::Timestamp;
use quick_cache::Equivalent;
use quick_cache::sync::Cache;
use url::Url;

use super::kept::{Kept, Whose};
use super::renewal::{self, LEASE};
use super::waiting::Waiting;
use super::{Agreed, ThirdParty};
use crate::random::id;
use crate::server::{AuthorizationServer, Inner};
use crate::store::{Store, StoreError};

/// So many tokens are kept in memory; the database has all of them.
pub(super) const MOST: usize = 10_000;
/// How often it is tried to be the one who renews: again after another one was faster.
const TURNS: usize = 8;
/// How often those who wait for another one's renewal look, and how many times. Less than a client waits.
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
    pub(super) agreed: Arc<Agreed>,
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

/// Tokens in memory, by third party and person; and what is waited for.
pub(crate) struct Remembered {
    tokens: Cache<(String, String), InMemory>,
    waiting: Waiting<Version, Result<InMemory, Missed>>,
}

/// A row, as it was.
type Version = (String, i64);

/// What the database shows.
enum Seen {
    Good(InMemory),
    /// This has ended, and somebody renews it, or did so a moment ago.
    Waits(Version),
}

/// Why those who waited have no token.
#[derive(Clone)]
enum Missed {
    NotLinked,
    Unavailable,
    Store(Arc<StoreError>),
}

impl From<NoToken> for Missed {
    fn from(error: NoToken) -> Self {
        match error {
            NoToken::NotLinked(_) => Self::NotLinked,
            NoToken::Unavailable(_) | NoToken::NotAgreed(_) => Self::Unavailable,
            NoToken::Store(error) => Self::Store(Arc::new(error)),
        }
    }
}

#[derive(Clone)]
struct InMemory {
    token: LinkedToken,
    until: Timestamp,
}

/// The same key, without a copy of it.
#[derive(Hash)]
pub(super) struct Of<'a>(pub(super) &'a str, pub(super) &'a str);

impl Equivalent<(String, String)> for Of<'_> {
    fn equivalent(&self, (whose, user_id): &(String, String)) -> bool {
        self.0 == whose && self.1 == user_id
    }
}

impl Default for Remembered {
    fn default() -> Self {
        Self { tokens: Cache::new(MOST), waiting: Waiting::default() }
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
        let known = self.remembered.tokens.get(&Of(&self.whose, user_id))?;
        let is_good = self.store.now() < known.until
            && self.store.revoked().is_revoked(known.token.link()) == Ok(false);
        is_good.then_some(known.token)
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
                // Who looked before a renewal may come after it.
                let later = self.known(user_id).filter(|later| {
                    later.link() == known.token.link() && later.version() > known.token.version()
                });
                if let Some(later) = later {
                    return Ok(later);
                }
                self.remembered.tokens.insert(key, known.clone());
                Ok(known.token)
            }
            Err(error) => {
                self.remembered.tokens.remove(&key);
                Err(error)
            }
        }
    }

    /// By what the database says. All who wait in this process for another one's renewal look as one.
    async fn look(&self, user_id: &str) -> Result<InMemory, NoToken> {
        let version = match self.see(user_id, None).await? {
            Seen::Good(known) => return Ok(known),
            Seen::Waits(version) => version,
        };
        let (vault, whose) = (self.clone(), user_id.to_owned());
        let what = version.clone();
        let waits = async move || vault.wait(&whose, &version).await.map_err(Missed::from);
        match self.remembered.waiting.with_others(what, waits).await {
            Some(Ok(known)) => Ok(known),
            Some(Err(Missed::NotLinked)) => Err(self.not_linked()),
            Some(Err(Missed::Unavailable)) | None => Err(self.unavailable()),
            Some(Err(Missed::Store(error))) => Err(StoreError::OfAnother(error).into()),
        }
    }

    /// Until there is another version, or for as long as a client waits.
    async fn wait(&self, user_id: &str, version: &Version) -> Result<InMemory, NoToken> {
        tracing::debug!(third_party = self.party.name, "many may wait for a renewal, and one looks");
        for _ in 0..LOOKS {
            tokio::time::sleep(LOOK).await;
            if let Seen::Good(known) = self.see(user_id, Some(version)).await? {
                return Ok(known);
            }
        }
        Err(self.unavailable())
    }

    /// `since` is the version that was seen before.
    async fn see(&self, user_id: &str, since: Option<&Version>) -> Result<Seen, NoToken> {
        let mut since = since.cloned();
        let whose = Whose::of(user_id, &self.party);
        for _ in 0..TURNS {
            let row = self.party.session(&self.store, user_id).await?.ok_or_else(|| self.not_linked())?;
            let kept = Kept::open(&self.store, &row.id, &row.sealed, &whose)?;
            let now = self.store.now();
            let version = (row.id.clone(), row.version);
            // What was renewed a moment ago is taken as it is, also where it ends at once.
            let is_new = since.as_ref().is_some_and(|since| *since != version);
            if is_new || row.ends.renew_at.is_none_or(|at| now < at) {
                let until = row.ends.renew_at.map_or(now.after(BELIEVED), |at| at.min(now.after(BELIEVED)));
                return Ok(Seen::Good(InMemory {
                    token: LinkedToken::new(kept.access, row.id, row.version),
                    until,
                }));
            }
            if now < row.lease_ends {
                if row.ends.ends_at.is_none_or(|end| now < end) {
                    let moment = now.after(MOMENT);
                    let until = row.ends.ends_at.map_or(moment, |end| end.min(moment));
                    return Ok(Seen::Good(InMemory {
                        token: LinkedToken::new(kept.access, row.id, row.version),
                        until,
                    }));
                }
                // It is somebody's, or the third party is left alone for longer than anybody should wait.
                return match row.is_leased || row.lease_ends <= now.after(MOMENT) {
                    true => Ok(Seen::Waits(version)),
                    false => Err(self.unavailable()),
                };
            }
            let lease = id();
            if self.store.lease_in_vault(&row, &lease, now.after(LEASE)).await? {
                // By itself: whoever asked may go away, and what the third party gives cannot be had again.
                let renewing = renewal::renew(self.clone(), user_id.to_owned(), row, kept, lease);
                tokio::spawn(renewing).await.map_err(|_| self.unavailable())??;
            }
            // What came of it, or of another one's, stands in the database, and nowhere else.
            since.get_or_insert(version);
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
