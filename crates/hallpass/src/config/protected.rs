//! A server that the file names: the only one (`[server]`), or one of several (`[servers.NAME]`).

use std::sync::LazyLock;

use super::{Config, EndpointPath, PublicUrl, Section, Server};

/// What is protected where the file names nothing: the command line says what.
static UNSAID: LazyLock<Server> = LazyLock::new(Server::default);

pub(super) fn unsaid() -> &'static Server {
    &UNSAID
}

/// A server, and where in the file its settings stand.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Protected<'c> {
    pub(crate) server: &'c Server,
    pub(crate) section: Section<'c>,
}

impl Protected<'_> {
    /// The path of its endpoint, below that of its tenant.
    pub(crate) fn path(&self) -> EndpointPath {
        self.server.path.clone().unwrap_or_else(|| EndpointPath::usual(self.section.name()))
    }
}

impl Config {
    /// What clients call the listener, where the file says it.
    pub(crate) fn said_url(&self) -> Option<PublicUrl> {
        let url = self.public_url.as_ref()?;
        let over_tls = self.tls.is_some() || (self.tls_in_front && !url.is_loopback());
        Some(if over_tls { url.over_tls() } else { url.clone() })
    }

    /// What clients call it where neither the file nor the command line says it.
    pub(crate) fn usual_url(&self) -> Option<PublicUrl> {
        let url = PublicUrl::loopback(self.listen.clone().unwrap_or_default().port()).ok()?;
        Some(if self.tls.is_some() { url.over_tls() } else { url })
    }
}
