//! A process that several sessions share: started when somebody needs it, and again when it has ended.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::backoff::Backoff;
use super::environment::{Lent, Variables};
use super::era::{Era, Eras};
use super::house::House;
use super::process::{Audience, Ended};
use super::refused::Refused;
use super::session::Session;
use super::start::start;
use super::switch::{NotOpened, Switch};

/// One process at a time for clients of each kind, for all who have it in common; one for both kinds where the program knows
/// one only.
pub(super) struct Shared {
    house: Arc<House>,
    /// For the log.
    name: String,
    /// Whose it is.
    told: Variables,
    eras: Arc<Eras>,
    /// For the next process: the latest of all that came with requests.
    lent: Mutex<Lent>,
    running: Mutex<Running>,
    /// Whoever starts a process holds it: the next one may need none any more.
    starting: tokio::sync::Mutex<()>,
    backoff: Mutex<Backoff>,
    /// Those who speak to it, also to the next one.
    sessions: Mutex<Vec<Weak<Session>>>,
}

/// The processes that run, by what they were begun with.
#[derive(Clone, Default)]
struct Running {
    legacy: Option<Arc<Switch>>,
    modern: Option<Arc<Switch>>,
}

impl Running {
    fn place(&mut self, era: Era) -> &mut Option<Arc<Switch>> {
        match era {
            Era::Legacy => &mut self.legacy,
            Era::Modern => &mut self.modern,
        }
    }

    fn all(&self) -> impl Iterator<Item = &Arc<Switch>> {
        [&self.legacy, &self.modern].into_iter().flatten().filter(|switch| !switch.is_over())
    }

    fn of(&self, era: Era) -> Option<Arc<Switch>> {
        self.all().find(|switch| switch.era() == era).cloned()
    }

    /// The one for clients of that kind.
    fn fitting(&self, era: Era, eras: &Eras) -> Option<Arc<Switch>> {
        self.of(era).or_else(|| self.of(era.other()).filter(|_| eras.knows(era) == Some(false)))
    }
}

impl Shared {
    pub(super) fn new(house: Arc<House>, name: String, told: Variables, eras: Arc<Eras>) -> Self {
        Self {
            house,
            name,
            told,
            eras,
            lent: Mutex::default(),
            running: Mutex::default(),
            starting: tokio::sync::Mutex::default(),
            backoff: Mutex::default(),
            sessions: Mutex::default(),
        }
    }

    /// The next process finds these in its environment, where nobody came with later ones. One that has others ends once no call is
    /// under way: the next request starts it again.
    pub(super) fn lend(&self, lent: &Lent) {
        if lent.values.is_empty() {
            return;
        }
        self.lent().take_newer(lent);
        self.renew();
    }

    /// The same for whoever comes with nothing: a call may have been under way before.
    pub(super) fn renew(&self) {
        let latest = self.lent().clone();
        let running = self.running().clone();
        running.all().for_each(|switch| switch.retire_for(&latest));
    }

    /// Ends what has them. Sessions go on, with another process.
    pub(super) fn take_back(&self) {
        *self.lent() = Lent::default();
        let running = self.running().clone();
        running.all().for_each(|switch| switch.end.cancel());
    }

    /// The process that runs for clients of that kind; it is started if none does.
    pub(super) async fn switch(self: &Arc<Self>, era: Era) -> Result<Arc<Switch>, Refused> {
        if let Some(switch) = self.fitting(era) {
            return Ok(switch);
        }
        // In a task of its own: whoever goes away while it starts leaves nothing half done.
        let started = self.house.tasks.spawn(Arc::clone(self).start(era));
        started.await.unwrap_or(Err(Refused::NotStarted))
    }

    /// A session will speak to it.
    pub(super) fn join(&self, session: &Arc<Session>) {
        {
            let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
            sessions.retain(|other| other.strong_count() > 0);
            sessions.push(Arc::downgrade(session));
        }
        if let Some(switch) = self.fitting(Era::Legacy) {
            switch.attach(session);
        }
    }

    /// A session speaks to it no more.
    pub(super) fn leave(&self, session: &Session) {
        let running = self.running().clone();
        running.all().for_each(|switch| switch.leave(session));
    }

    /// Whether forgetting it would change nothing.
    pub(super) fn is_forgotten(&self) -> bool {
        self.running().all().next().is_none() && self.backoff().rests().is_none()
    }

    fn fitting(&self, era: Era) -> Option<Arc<Switch>> {
        self.running().fitting(era, &self.eras)
    }

    async fn start(self: Arc<Self>, era: Era) -> Result<Arc<Switch>, Refused> {
        let _starting = self.starting.lock().await;
        // Several may have waited for the lock.
        if let Some(switch) = self.fitting(era) {
            return Ok(switch);
        }
        let begun = match self.begin(era).await {
            Ok(begun) => begun,
            // Worse than the client's own revision is better than nothing.
            Err(refused) => return self.running().of(era.other()).ok_or(refused),
        };
        let (switch, sessions) = {
            let mut running = self.running();
            // It knows what another one knows that runs already.
            if let Some(switch) = running.of(begun.era()) {
                begun.end.cancel();
                return Ok(switch);
            }
            *running.place(begun.era()) = Some(Arc::clone(&begun));
            let serves_sessions = running.fitting(Era::Legacy, &self.eras);
            let sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner).clone();
            (serves_sessions.filter(|serves| Arc::ptr_eq(serves, &begun)), sessions)
        };
        // What it was given may have been renewed while it started, when it was not yet seen here.
        self.renew();
        if let Some(switch) = switch {
            let sessions = sessions.iter().filter_map(Weak::upgrade);
            sessions
                .filter(|session| !session.end.is_cancelled())
                .for_each(|session| switch.attach(&session));
        }
        Ok(begun)
    }

    /// A process that can be used.
    async fn begin(self: &Arc<Self>, era: Era) -> Result<Arc<Switch>, Refused> {
        if let Some(rests) = self.backoff().rests() {
            return Err(Refused::Resting(rests));
        }
        let (limits, eras) = (&self.house.limits, &*self.eras);
        let first = eras.first(era);
        let mut switch = self.started()?;
        let mut opened = timeout(limits.start, switch.open(era, eras)).await.unwrap_or(Err(NotOpened::Late));
        // Some end when they hear what they do not know.
        if matches!(opened, Err(NotOpened::Ended(_))) && first == Era::Modern && eras.knows(first).is_none() {
            switch = self.started()?;
            let again = timeout(limits.start, switch.open(era.other(), eras)).await;
            opened = again.unwrap_or(Err(NotOpened::Late));
            if opened.is_ok() {
                eras.learn(first, false);
            }
        }
        match opened {
            Ok(()) => Ok(switch),
            Err(error) => {
                tracing::error!(session = self.name, %error, "the MCP server is of no use");
                self.backoff().failed(Duration::ZERO);
                switch.end.cancel();
                Err(Refused::NotOpened)
            }
        }
    }

    /// A process that was started, and has said nothing yet.
    fn started(self: &Arc<Self>) -> Result<Arc<Switch>, Refused> {
        let House { command, limits, tasks, closing, .. } = &*self.house;
        let place = self.house.place()?;
        let everybodys = command.process == super::ProcessFor::Shared;
        let lent = self.lent().clone();
        let (switch, lines) = Switch::new(limits, everybodys, closing.child_token());
        let switch = Arc::new(switch.with(lent.clone()));
        let process = start(command, limits, &self.told, &lent).map_err(|error| {
            tracing::error!(program = ?command.program, %error, "the MCP server does not start");
            self.backoff().failed(Duration::ZERO);
            Refused::NotStarted
        })?;
        tracing::info!(session = self.name, "an MCP server is started");
        let begun = Instant::now();
        let (this, running) = (Arc::clone(self), Arc::clone(&switch));
        tasks.spawn(async move {
            let limits = this.house.limits.clone();
            let count = |ended| {
                // Who did not even begin is counted where it was begun.
                if ended == Ended::ByItself && running.has_opened() {
                    this.backoff().failed(begun.elapsed());
                }
            };
            let audience = Audience::Several(Arc::clone(&running));
            process.run(audience, lines, limits, this.name.clone(), count).await;
            drop(place);
        });
        Ok(switch)
    }

    fn lent(&self) -> MutexGuard<'_, Lent> {
        self.lent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn running(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn backoff(&self) -> MutexGuard<'_, Backoff> {
        self.backoff.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
