//! The sessions: how one begins, whose it is, how many there may be.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hallpass_resource_server::Caller;
use http::{HeaderMap, HeaderName};
use quick_cache::sync::Cache;
use tokio::sync::mpsc;

use super::ProcessFor;
use super::environment::{self, Lent, Links, Variables};
use super::era::{Era, Eras};
use super::house::House;
use super::port;
use super::process::Audience;
use super::refused::Refused;
use super::session::{Input, Session};
use super::shared::Shared;
use super::start::start;
use super::switch::Switch;
use crate::owner::{Owner, have_others};

pub(super) const SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");

/// All sessions of one stdio server, and the processes that they share.
pub(super) struct Sessions {
    pub(super) house: Arc<House>,
    all: Mutex<HashMap<String, Arc<Session>>>,
    shared: Mutex<HashMap<Key, Arc<Shared>>>,
    /// What the program has shown to each.
    eras: Cache<Key, Arc<Eras>>,
}

/// So many of them are remembered what the program has shown; to others it shows that again.
const REMEMBERED: usize = 10_000;

/// For whom there is one process.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    /// Nobody where it is everybody's.
    user: Option<String>,
    /// Where each session has a process, and there are none: one client's.
    client: Option<String>,
    told: Variables,
    /// The variables with tokens of third parties, and of which links.
    lent: Links,
}

impl Sessions {
    pub(super) fn new(house: House) -> Self {
        let eras = Cache::new(REMEMBERED);
        Self { house: Arc::new(house), all: Mutex::default(), shared: Mutex::default(), eras }
    }

    /// The caller's session that the request names, if it names one. One of theirs with tokens of a link that was replaced ends.
    pub(super) fn of(&self, headers: &HeaderMap, owner: &Owner) -> Result<Option<Arc<Session>>, Refused> {
        let Some(session) = self.named(headers, owner)? else { return Ok(None) };
        if session.owner == *owner {
            return Ok(Some(session));
        }
        session.end.cancel();
        Err(Refused::UnknownSession)
    }

    /// The same for whoever ends it: whatever accounts they have linked by now.
    pub(super) fn named(&self, headers: &HeaderMap, owner: &Owner) -> Result<Option<Arc<Session>>, Refused> {
        let mut ids = headers.get_all(SESSION_ID).iter();
        let Some(id) = ids.next() else { return Ok(None) };
        let id = id.to_str().ok().filter(|_| ids.next().is_none());
        let session = id.and_then(|id| self.all().get(id).cloned());
        let session = session.filter(|session| session.owner.may_end(owner) && !session.end.is_cancelled());
        session.map(Some).ok_or(Refused::UnknownSession)
    }

    /// Begins a session; where it needs a process that does not run, the process is started.
    pub(super) async fn begin(
        self: &Arc<Self>,
        caller: &Caller,
        lent: &Lent,
    ) -> Result<(String, Arc<Session>), Refused> {
        let told = environment::of_caller(&self.house.command, caller)?;
        let key = self.key(caller, told, lent);
        self.end_with_other_links(caller, &key.lent);
        // A program that knows no sessions has no process for one.
        let knows_sessions = self.eras_of(&key).knows(Era::Legacy) != Some(false);
        if self.house.command.process == ProcessFor::Session && knows_sessions {
            return self.begin_with_its_own(caller, &key.told, lent);
        }
        self.begin_sharing(caller, key, lent).await
    }

    /// What the program has shown to those who have its processes in common, or would.
    fn eras_of(&self, key: &Key) -> Arc<Eras> {
        // Another account is no other program.
        let lent = key.lent.iter().map(|(name, _)| (name.clone(), None)).collect();
        let key = Key { lent, ..key.clone() };
        let unseen = || Ok(Arc::new(Eras::new(Arc::clone(&self.house.silent))));
        self.eras
            .get_or_insert_with(&key, unseen)
            .unwrap_or_else(|never: std::convert::Infallible| match never {})
    }

    fn key(&self, caller: &Caller, told: Variables, lent: &Lent) -> Key {
        let process = self.house.command.process;
        let user = (process != ProcessFor::Shared).then(|| caller.principal().to_owned());
        let client = (process == ProcessFor::Session).then(|| caller.client_id().to_owned());
        Key { user, client, told, lent: lent.links() }
    }

    /// Whether nobody knows yet if a process of a session's own would understand it.
    pub(super) fn is_to_be_seen(&self, caller: &Caller, lent: &Lent) -> Option<Arc<Eras>> {
        if self.house.command.process != ProcessFor::Session {
            return None;
        }
        let told = environment::of_caller(&self.house.command, caller).ok()?;
        Some(self.eras_of(&self.key(caller, told, lent))).filter(|eras| eras.knows(Era::Legacy).is_none())
    }

    /// A process of its own refused to begin a session. Where it is the program that knows none, and not the client that said
    /// something wrong, the session is another one: what `initialize` of hallpass's own is answered with, decides.
    pub(super) async fn begin_otherwise(
        self: &Arc<Self>,
        caller: &Caller,
        lent: &Lent,
    ) -> Option<(String, Arc<Session>)> {
        let told = environment::of_caller(&self.house.command, caller).ok()?;
        let key = self.key(caller, told, lent);
        let switch = self.shared_by(key.clone(), lent).switch(Era::Legacy).await.ok()?;
        if switch.era() == Era::Legacy { None } else { self.begin_sharing(caller, key, lent).await.ok() }
    }

    /// The process that answers requests which stand alone. Where each session has one, each client of a user's has one for
    /// all of those: they know no sessions.
    pub(super) async fn for_requests(&self, caller: &Caller, lent: &Lent) -> Result<Arc<Switch>, Refused> {
        let told = environment::of_caller(&self.house.command, caller)?;
        let key = self.key(caller, told, lent);
        self.end_with_other_links(caller, &key.lent);
        let switch = self.shared_by(key, lent).switch(Era::Modern).await?;
        if self.house.closing.is_cancelled() {
            return Err(Refused::Closing);
        }
        Ok(switch)
    }

    /// A session that ends with its process, and the process with it.
    fn begin_with_its_own(
        self: &Arc<Self>,
        caller: &Caller,
        told: &Variables,
        lent: &Lent,
    ) -> Result<(String, Arc<Session>), Refused> {
        let place = self.house.place()?;
        let (id, session, inputs) = self.keep(lent.owner(caller))?;
        let House { command, limits, .. } = &*self.house;
        let process = start(command, limits, told, lent).map_err(|error| {
            tracing::error!(program = ?command.program, %error, "the MCP server does not start");
            self.all().remove(&id);
            Refused::NotStarted
        })?;
        let (sessions, key, running) = (Arc::clone(self), id.clone(), Arc::clone(&session));
        self.house.tasks.spawn(async move {
            let limits = sessions.house.limits.clone();
            process.run(Audience::One(running), inputs, limits, name_of(&key), |_| {}).await;
            sessions.all().remove(&key);
            drop(place);
        });
        Ok((id, session))
    }

    /// A session that speaks to a process as others do.
    async fn begin_sharing(
        self: &Arc<Self>,
        caller: &Caller,
        key: Key,
        lent: &Lent,
    ) -> Result<(String, Arc<Session>), Refused> {
        let shared = self.shared_by(key, lent);
        shared.switch(Era::Legacy).await?;
        if self.house.closing.is_cancelled() {
            return Err(Refused::Closing);
        }
        let (id, session, inputs) = self.keep(lent.owner(caller))?;
        session.shares(&shared);
        let (sessions, key, running) = (Arc::clone(self), id.clone(), Arc::clone(&session));
        self.house.tasks.spawn(async move {
            shared.join(&running);
            port::run(running, inputs, shared, sessions.house.limits.clone()).await;
            sessions.all().remove(&key);
        });
        Ok((id, session))
    }

    /// What has tokens of third parties of that user's in it ends: sessions that have a process of their own, and processes that
    /// sessions share.
    pub(super) fn take_back(&self, caller: &Caller) {
        let user = Owner::from(caller);
        let all = self.all();
        let theirs =
            all.values().filter(|session| session.owner.has_tokens() && session.owner.is_same_user(&user));
        theirs.for_each(|session| session.take_back());
        drop(all);
        let shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let theirs = shared
            .iter()
            .filter(|(key, _)| !key.lent.is_empty() && key.user.as_deref() == Some(caller.principal()));
        theirs.for_each(|(_, shared)| shared.take_back());
    }

    /// What has a token of another link of that user's in it than these ends. The account may be somebody else's: nobody who comes
    /// with a token of the one works with the other.
    fn end_with_other_links(&self, caller: &Caller, links: &Links) {
        if links.is_empty() {
            return;
        }
        let user = Owner::from(caller);
        let theirs = |session: &&Arc<Session>| {
            session.owner.is_same_user(&user) && session.owner.has_other_links(links)
        };
        self.all().values().filter(theirs).for_each(|session| session.end.cancel());
        let shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let theirs = |(key, _): &(&Key, &Arc<Shared>)| {
            key.user.as_deref() == Some(caller.principal()) && have_others(&key.lent, links)
        };
        shared.iter().filter(theirs).for_each(|(_, shared)| shared.take_back());
    }

    fn shared_by(&self, key: Key, lent: &Lent) -> Arc<Shared> {
        let eras = self.eras_of(&key);
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        if !shared.contains_key(&key) {
            shared.retain(|_, other| Arc::strong_count(other) > 1 || !other.is_forgotten());
        }
        let name = || {
            let kind = if key.user.is_none() { "shared" } else { "user" };
            format!("{kind}-{}", name_of(&new_id()))
        };
        let (name, told) = (name(), key.told.clone());
        let shared = shared
            .entry(key)
            .or_insert_with(|| Arc::new(Shared::new(Arc::clone(&self.house), name, told, eras)));
        shared.lend(lent);
        Arc::clone(shared)
    }

    /// Keeps a new session, within what its user may have.
    fn keep(&self, owner: Owner) -> Result<(String, Arc<Session>, mpsc::UnboundedReceiver<Input>), Refused> {
        let House { limits, closing, .. } = &*self.house;
        let (session, inputs) = Session::new(owner, limits, closing.child_token());
        let (id, session) = (new_id(), Arc::new(session));
        let mut all = self.all();
        if all.len() >= limits.sessions {
            return Err(Refused::TooManySessions);
        }
        let of_user = all.values().filter(|other| other.owner.is_same_user(&session.owner));
        if of_user.count() >= limits.sessions_of_a_user {
            return Err(Refused::TooManyOfYours);
        }
        let own = |other: &&Arc<Session>| other.owner == session.owner && !other.end.is_cancelled();
        if all.values().filter(own).count() >= limits.sessions_of_a_client {
            let unused = all.values().filter(own).min_by_key(|other| other.last_used());
            if let Some(unused) = unused {
                tracing::info!("a user's session is ended, since the same client begins another one");
                unused.end.cancel();
            }
        }
        all.insert(id.clone(), Arc::clone(&session));
        Ok((id, session, inputs))
    }

    fn all(&self) -> MutexGuard<'_, HashMap<String, Arc<Session>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whoever knows a session's id is half way in: the log gets its beginning only.
fn name_of(id: &str) -> String {
    id.get(..8).unwrap_or_default().to_owned()
}

/// 256 random bits (transports, "Session Management": cryptographically secure).
fn new_id() -> String {
    let bytes: [u8; 32] = rand::random();
    bytes.iter().fold(String::with_capacity(64), |mut id, byte| {
        // Writing to a String cannot fail.
        let _ = write!(id, "{byte:02x}");
        id
    })
}
