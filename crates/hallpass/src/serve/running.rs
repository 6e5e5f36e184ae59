//! What is served at this moment, and how it becomes something else while requests come.

use std::sync::Arc;
use std::time::Duration;

use hallpass_gateway::{Gateway, Served, Site};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::foundation::Foundation;
use super::plan::Plan;
use super::sites::sites;
use super::wiring::{self, Wired};
use crate::exit::Failure;

/// How long requests to a stdio server may go on that is served no more, or by another command: as long as at a shutdown.
const GRACE: Duration = Duration::from_secs(10);
/// How long until it is tried again to serve a tenant whose database is away.
const AGAIN: Duration = Duration::from_secs(2);

/// What is served at this moment.
pub(super) struct Running {
    plan: Plan,
    beneath: Foundation,
    wired: Wired,
    served: Served,
    /// Servers that are served no more, until the last of their processes is gone.
    leaving: TaskTracker,
    stop: CancellationToken,
}

/// What has become of a plan.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Changed {
    /// It is what is served already.
    Nothing,
    /// It is served: these servers were not there before, have changed, or are gone.
    Now {
        /// Endpoints.
        new: Vec<String>,
        /// Endpoints.
        other: Vec<String>,
        /// Endpoints.
        gone: Vec<String>,
    },
    /// Nothing of it is served, since these settings cannot change while the process runs.
    NeedsRestart(Vec<&'static str>),
}

impl Running {
    /// Serves a plan for the first time.
    pub(super) async fn start(
        plan: Plan,
        mut beneath: Foundation,
        stop: CancellationToken,
    ) -> Result<Self, Failure> {
        let (wired, sites) = wire(&plan, &mut beneath, None).await?;
        let served = Served::new(sites);
        Ok(Self { plan, beneath, wired, served, leaving: TaskTracker::new(), stop })
    }

    pub(super) fn plan(&self) -> &Plan {
        &self.plan
    }

    pub(super) fn wired(&self) -> &Wired {
        &self.wired
    }

    /// For the listeners: follows every change.
    pub(super) fn served(&self) -> Served {
        self.served.clone()
    }

    /// Serves another plan from now on, whole or not at all. Requests under way are answered by what they began with.
    pub(super) async fn change(&mut self, mut plan: Plan) -> Result<Changed, Failure> {
        if self.plan.mark == plan.mark {
            return Ok(Changed::Nothing);
        }
        let fixed = self.plan.needs_restart_for(&plan);
        if !fixed.is_empty() {
            return Ok(Changed::NeedsRestart(fixed));
        }
        // Logs and counts go on.
        plan.edge = self.plan.edge.clone();
        let served = match wire(&plan, &mut self.beneath, Some(&self.wired)).await {
            Ok(served) => served,
            Err(failure) => {
                // Of a tenant that did not come.
                self.beneath.grounds.keep_those_of(&self.plan);
                return Err(failure);
            }
        };
        let (wired, sites) = served;
        self.served.exchange(sites);
        self.beneath.grounds.keep_those_of(&plan);
        let before = std::mem::replace(&mut self.wired, wired);
        self.plan = plan;
        let changed = self.compared_with(&before);
        self.let_go(before).await;
        Ok(changed)
    }

    /// Serves those whose database was away and is there by now, and says who they are.
    pub(super) async fn come_back(&mut self) -> Result<Vec<String>, Failure> {
        let away = |wired: &Wired| wired.houses.iter().filter(|house| house.is_away).count();
        let before = away(&self.wired);
        if before == 0 {
            return Ok(Vec::new());
        }
        let (wired, sites) = wire(&self.plan, &mut self.beneath, Some(&self.wired)).await?;
        if away(&wired) == before {
            return Ok(Vec::new());
        }
        self.served.exchange(sites);
        let before = std::mem::replace(&mut self.wired, wired);
        let mut back = Vec::new();
        for (now, former) in self.wired.houses.iter().zip(&before.houses) {
            if former.is_away && !now.is_away {
                back.push(now.tenant.as_ref().map_or_else(|| "no tenant".to_owned(), ToString::to_string));
            }
        }
        Ok(back)
    }

    fn compared_with(&self, before: &Wired) -> Changed {
        let (mut new, mut other) = (Vec::new(), Vec::new());
        for now in self.wired.protected() {
            match before.at(&now.endpoint) {
                None => new.push(now.endpoint.clone()),
                Some(former) if !Arc::ptr_eq(former, now) => other.push(now.endpoint.clone()),
                Some(_) => {}
            }
        }
        let gone = before.protected().filter(|former| self.wired.at(&former.endpoint).is_none());
        Changed::Now { new, other, gone: gone.map(|former| former.endpoint.clone()).collect() }
    }

    /// Streams of what has changed end, and after a while processes that nobody reaches any more.
    async fn let_go(&mut self, before: Wired) {
        for former in before.protected() {
            let now = self.wired.at(&former.endpoint);
            if now.is_some_and(|now| Arc::ptr_eq(now, former)) {
                continue;
            }
            former.gateway.retire();
            if now.is_none_or(|now| !Arc::ptr_eq(&now.upstream, &former.upstream)) {
                self.leaving.spawn(leave(former.gateway.clone(), self.stop.clone()));
            }
        }
        for house in before.houses {
            let stays = self.wired.houses.iter().any(|now| Arc::ptr_eq(now, &house));
            let Some(issues) = house.authorization_server.as_ref().filter(|_| !stays) else { continue };
            // An authorization server that is there no more writes no events later.
            if let Err(error) = issues.close().await {
                tracing::warn!(%error, "the last events of the audit log cannot be written");
            }
        }
    }

    /// Ends every session and process, and writes what is not yet written.
    pub(super) async fn close(&mut self) -> Result<(), Failure> {
        self.leaving.close();
        self.leaving.wait().await;
        self.wired.close().await
    }
}

/// Puts all of a plan together.
async fn wire(
    plan: &Plan,
    beneath: &mut Foundation,
    before: Option<&Wired>,
) -> Result<(Wired, Vec<Site>), Failure> {
    let wired = wiring::wire(plan, beneath, before).await?;
    let sites = sites(plan, &beneath.public_url, &wired)?;
    Ok((wired, sites))
}

/// Looks after those whose database is away, until `stop`.
pub(super) async fn wait_for_those_away(running: Arc<Mutex<Running>>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(AGAIN) => {}
        }
        match running.lock().await.come_back().await {
            Ok(back) => back.iter().for_each(|name| tracing::warn!("the database of {name} is there again")),
            Err(failure) => tracing::warn!("who is away stays away: {}", failure.text()),
        }
    }
}

async fn leave(gateway: Gateway, stop: CancellationToken) {
    tokio::select! {
        () = tokio::time::sleep(GRACE) => {}
        () = stop.cancelled() => {}
    }
    gateway.close().await;
}
