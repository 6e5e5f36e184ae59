//! A second place of the same server, for HTTP+SSE of MCP 2024-11-05.

use std::sync::PoisonError;

use url::Url;

use super::{Client, Inner};

impl Client {
    /// Takes the place for messages that the server has named on its stream; `None` where it is of another
    /// origin, since tokens go to the server that they were issued for and nowhere else.
    pub(crate) fn adopt_endpoint(&self, named: &str) -> Option<Url> {
        let server = self.inner.server.url();
        let endpoint = server.join(named).ok().filter(|endpoint| endpoint.origin() == server.origin())?;
        *self.inner.endpoint.write().unwrap_or_else(PoisonError::into_inner) = Some(endpoint.clone());
        Some(endpoint)
    }
}

impl Inner {
    /// Whether the server has named this place for its messages.
    pub(super) fn has_named(&self, url: &Url) -> bool {
        self.endpoint.read().unwrap_or_else(PoisonError::into_inner).as_ref() == Some(url)
    }
}
