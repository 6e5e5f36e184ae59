//! A process that several sessions share: started when somebody needs it, and again when it has ended.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::backoff::Backoff;
use super::environment::Variables;
use super::house::House;
use super::process::{Audience, Ended};
use super::refused::Refused;
use super::session::Session;
use super::start::start;
use super::switch::{NotOpened, Switch};

/// One process at a time, for all who have it in common.
pub(super) struct Shared {
    house: Arc<House>,
    /// For the log.
    name: String,
    /// Whose it is.
    told: Variables,
    running: tokio::sync::Mutex<Option<Arc<Switch>>>,
    backoff: Mutex<Backoff>,
    /// Those who speak to it, also to the next one.
    sessions: Mutex<Vec<Weak<Session>>>,
}

impl Shared {
    pub(super) fn new(house: Arc<House>, name: String, told: Variables) -> Self {
        Self {
            house,
            name,
            told,
            running: tokio::sync::Mutex::default(),
            backoff: Mutex::default(),
            sessions: Mutex::default(),
        }
    }

    /// The process that runs; it is started if none does.
    pub(super) async fn switch(self: &Arc<Self>) -> Result<Arc<Switch>, Refused> {
        if let Some(switch) = self.running.lock().await.as_ref().filter(|switch| !switch.is_over()) {
            return Ok(Arc::clone(switch));
        }
        // In a task of its own: whoever goes away while it starts leaves nothing half done.
        let started = self.house.tasks.spawn(Arc::clone(self).start());
        started.await.unwrap_or(Err(Refused::NotStarted))
    }

    /// A session will speak to it.
    pub(super) async fn join(&self, session: &Arc<Session>) {
        {
            let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
            sessions.retain(|other| other.strong_count() > 0);
            sessions.push(Arc::downgrade(session));
        }
        if let Some(switch) = self.running().await {
            switch.attach(session);
        }
    }

    /// What runs now, if anything does.
    pub(super) async fn running(&self) -> Option<Arc<Switch>> {
        self.running.lock().await.clone()
    }

    /// Whether forgetting it would change nothing.
    pub(super) fn is_forgotten(&self) -> bool {
        let runs = self
            .running
            .try_lock()
            .is_ok_and(|running| running.as_ref().is_none_or(|switch| switch.is_over()));
        runs && self.backoff().rests().is_none()
    }

    async fn start(self: Arc<Self>) -> Result<Arc<Switch>, Refused> {
        let mut running = self.running.lock().await;
        // Several may have waited for the lock.
        if let Some(switch) = running.as_ref().filter(|switch| !switch.is_over()) {
            return Ok(Arc::clone(switch));
        }
        if let Some(rests) = self.backoff().rests() {
            return Err(Refused::Resting(rests));
        }
        let House { command, limits, tasks, closing, .. } = &*self.house;
        let place = self.house.place()?;
        let (switch, lines) = Switch::new(limits, closing.child_token());
        let switch = Arc::new(switch);
        let process = start(command, limits, &self.told).map_err(|error| {
            tracing::error!(program = ?command.program, %error, "the MCP server does not start");
            self.backoff().failed(Duration::ZERO);
            Refused::NotStarted
        })?;
        tracing::info!(session = self.name, "an MCP server is started");
        let begun = Instant::now();
        let (this, running_switch) = (Arc::clone(&self), Arc::clone(&switch));
        tasks.spawn(async move {
            let limits = this.house.limits.clone();
            let count = |ended| {
                // Who did not even begin is counted below.
                if ended == Ended::ByItself && running_switch.has_opened() {
                    this.backoff().failed(begun.elapsed());
                }
            };
            let audience = Audience::Several(Arc::clone(&running_switch));
            process.run(audience, lines, limits, this.name.clone(), count).await;
            drop(place);
        });
        let opened = timeout(limits.start, switch.open()).await;
        if let Err(error) = opened.map_err(|_| NotOpened::Late).flatten() {
            tracing::error!(session = self.name, %error, "the MCP server is of no use");
            self.backoff().failed(Duration::ZERO);
            switch.end.cancel();
            return Err(Refused::NotOpened);
        }
        let sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let sessions = sessions.iter().filter_map(Weak::upgrade);
        sessions.filter(|session| !session.end.is_cancelled()).for_each(|session| switch.attach(&session));
        *running = Some(Arc::clone(&switch));
        Ok(switch)
    }

    fn backoff(&self) -> MutexGuard<'_, Backoff> {
        self.backoff.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
