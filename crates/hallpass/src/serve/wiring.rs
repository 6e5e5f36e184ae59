//! Puts the parts together: one authorization server, and a gateway for each protected server.

use std::sync::Arc;

use hallpass_authorization_server::AuthorizationServer;
use tokio::task::JoinSet;
use url::Url;

use super::authorization_server;
use super::foundation::Foundation;
use super::plan::Plan;
use super::protected::{self, Protected};
use crate::exit::Failure;

/// Everything that serves, ready to go.
pub(crate) struct Wired {
    /// The embedded authorization server, if there is one.
    pub(super) authorization_server: Option<AuthorizationServer>,
    /// In the order of the plan.
    pub(super) protected: Vec<Arc<Protected>>,
}

/// Builds everything that the plan asks for. Of what was there before, whatever would be the same again goes on.
pub(super) async fn wire(
    plan: &Plan,
    beneath: &mut Foundation,
    before: Option<&Wired>,
) -> Result<Wired, Failure> {
    let running = before.and_then(|before| before.authorization_server.as_ref());
    let issues = authorization_server::wire(plan, beneath, running).await?;
    if issues.is_none() {
        beneath.keep_house(plan.authorization_server.audit_lifetime.0);
    }
    let mut protected = Vec::new();
    for server in &plan.servers {
        let former = before.and_then(|before| before.at(&plan.endpoint(server, &beneath.public_url)));
        protected.push(protected::put_together(plan, server, beneath, issues.as_ref(), former).await?);
    }
    Ok(Wired { authorization_server: issues, protected })
}

impl Wired {
    /// The link under which the first user is made, while there is none.
    pub(crate) fn setup_link(&self) -> Option<Url> {
        self.authorization_server.as_ref().and_then(AuthorizationServer::setup_link)
    }

    /// What is at that endpoint.
    pub(super) fn at(&self, endpoint: &str) -> Option<&Arc<Protected>> {
        self.protected.iter().find(|protected| protected.endpoint == endpoint)
    }

    /// Ends every session and every process, and writes what is not yet written.
    pub(super) async fn close(&self) -> Result<(), Failure> {
        let mut closing = JoinSet::new();
        for protected in &self.protected {
            let gateway = protected.gateway.clone();
            closing.spawn(async move { gateway.close().await });
        }
        while let Some(closed) = closing.join_next().await {
            closed?;
        }
        match &self.authorization_server {
            Some(authorization_server) => Ok(authorization_server.close().await?),
            None => Ok(()),
        }
    }
}
