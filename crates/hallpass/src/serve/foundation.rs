//! What stays while the process runs, whatever its configuration comes to say.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use anyhow::Context;
use hallpass_resource_server::Replays;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::ground::Grounds;
use super::plan::Plan;
use super::protected::Behind;
use super::server_plan::ServerPlan;
use super::upstream::Upstream;
use crate::config::PublicUrl;
use crate::exit::Failure;

/// What stays while the process runs.
pub(crate) struct Foundation {
    /// What clients call this process.
    pub(super) public_url: PublicUrl,
    /// What each house stands on.
    pub(super) grounds: Grounds,
    /// What was there before, by resource: a server whose settings change takes nothing twice for that.
    pub(super) replays: HashMap<String, Replays>,
    /// What stands behind servers, as long as it does.
    pub(super) behind: Vec<Weak<Behind>>,
    pub(super) stop: CancellationToken,
}

impl Foundation {
    /// Beneath the servers of a plan, once its ports are bound.
    pub(super) fn lay(
        plan: &Plan,
        grounds: Grounds,
        listeners: &[TcpListener],
        stop: CancellationToken,
    ) -> Result<Self, Failure> {
        let listener = listeners.first().context("nothing to listen on")?;
        let port = listener.local_addr()?.port();
        let public_url = plan.public_url_at(port).map_err(anyhow::Error::msg)?;
        let (replays, behind) = (HashMap::new(), Vec::new());
        Ok(Self { public_url, grounds, replays, behind, stop })
    }

    /// The same HTTP server, where it stands behind another already: whose a session of it is counts in all places.
    pub(super) fn behind(&mut self, server: &ServerPlan) -> Option<Arc<Behind>> {
        self.behind.retain(|behind| behind.strong_count() > 0);
        let mut there = self.behind.iter().filter_map(Weak::upgrade);
        there.find(|behind| matches!(server.upstream, Upstream::Http(..)) && behind.is_of(server))
    }
}
