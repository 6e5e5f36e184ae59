//! What stays while the process runs, whatever its configuration comes to say.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use anyhow::Context;
use hallpass_authorization_server::Store;
use hallpass_resource_server::Replays;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::plan::Plan;
use super::protected::Behind;
use super::replicas;
use super::server_plan::ServerPlan;
use super::upstream::Upstream;
use crate::accounts::{LiveAccounts, ServiceAccounts};
use crate::config::PublicUrl;
use crate::data::system_clock;
use crate::exit::Failure;

/// What stays while the process runs.
pub(crate) struct Foundation {
    /// What clients call this process.
    pub(super) public_url: PublicUrl,
    pub(super) store: Store,
    pub(super) accounts: LiveAccounts,
    /// What was there before, by resource: a server whose settings change takes nothing twice for that.
    pub(super) replays: HashMap<String, Replays>,
    /// What stands behind servers, as long as it does.
    pub(super) behind: Vec<Weak<Behind>>,
    pub(super) stop: CancellationToken,
    /// Whether what has ended is deleted, by nobody else.
    keeps_house: bool,
}

impl Foundation {
    /// Beneath the servers of a plan, once its ports are bound.
    pub(super) async fn lay(
        plan: &Plan,
        store: Store,
        listeners: &[TcpListener],
        stop: CancellationToken,
    ) -> Result<Self, Failure> {
        let listener = listeners.first().context("nothing to listen on")?;
        let port = listener.local_addr()?.port();
        let public_url = plan.public_url_at(port).map_err(anyhow::Error::msg)?;
        let accounts = ServiceAccounts::new(store.clone()).live(system_clock(), stop.clone()).await?;
        let (replays, behind) = (HashMap::new(), Vec::new());
        Ok(Self { public_url, store, accounts, replays, behind, stop, keeps_house: false })
    }

    /// The same HTTP server, where it stands behind another already: whose a session of it is counts in all places.
    pub(super) fn behind(&mut self, server: &ServerPlan) -> Option<Arc<Behind>> {
        self.behind.retain(|behind| behind.strong_count() > 0);
        let mut there = self.behind.iter().filter_map(Weak::upgrade);
        there.find(|behind| matches!(server.upstream, Upstream::Http(..)) && behind.is_of(server))
    }

    /// Without an authorization server nobody else deletes what has ended; beside one that comes later, it does no harm.
    pub(super) fn keep_house(&mut self, audit_lifetime: Duration) {
        if !std::mem::replace(&mut self.keeps_house, true) {
            replicas::keep_house(self.store.clone(), audit_lifetime, self.stop.clone());
        }
    }
}
