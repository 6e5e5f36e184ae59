//! The servers that a file names: one (`[server]`), or several (`[servers.NAME]`).

use std::sync::LazyLock;

use super::{Config, EndpointPath, PublicUrl, Section, Server};

/// What is protected where the file names nothing: the command line says what.
static UNSAID: LazyLock<Server> = LazyLock::new(Server::default);

/// A server, and where in the file its settings stand.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Protected<'c> {
    pub(crate) server: &'c Server,
    pub(crate) section: Section<'c>,
}

impl Protected<'_> {
    /// The path of its endpoint.
    pub(crate) fn path(&self) -> EndpointPath {
        self.server.path.clone().unwrap_or_else(|| EndpointPath::usual(self.section.name()))
    }
}

impl Config {
    /// Every server, in the order of the file; one at least.
    pub(crate) fn protected(&self) -> Vec<Protected<'_>> {
        let of = |name, server| Protected { server, section: Section::new(&self.source, name) };
        if self.servers.is_empty() {
            return vec![of(None, self.server.as_ref().unwrap_or(&UNSAID))];
        }
        let mut all: Vec<_> = self.servers.iter().map(|(name, server)| of(Some(name), server)).collect();
        all.sort_by_key(|one| one.section.line());
        all
    }

    /// What clients call the listener, where the file says it.
    pub(crate) fn said_url(&self) -> Option<PublicUrl> {
        let url = self.public_url.as_ref()?;
        let over_tls = self.tls.is_some() || (self.tls_in_front && !url.is_loopback());
        Some(if over_tls { url.over_tls() } else { url.clone() })
    }

    /// The endpoint of that server, where the file says its public URL.
    pub(crate) fn endpoint(&self, of: &Protected<'_>) -> Option<String> {
        let origin = self.said_url()?.of_host(of.server.host.as_ref(), self.tls_in_front);
        Some(format!("{origin}{}", of.path().as_str()))
    }

    /// That `[server]` and `[servers.NAME]` do not stand side by side; `Err` is line, column and advice.
    pub(super) fn check_one_or_several(&self) -> Result<(), String> {
        let Some((name, _)) = self.servers.first_key_value() else { return Ok(()) };
        if self.server.is_none() {
            return Ok(());
        }
        let place = self.source.position(&["server"]);
        let place =
            place.map_or_else(String::new, |(line, column)| format!("at line {line}, column {column}: "));
        Err(format!(
            "{place}[server] and [servers.{name}] are both there; [server] is for a server that is the only one: call it \
             [servers.NAME], too (its path is /NAME/mcp then, unless it says path = \"…\")"
        ))
    }

    /// The server with that name.
    pub(crate) fn named(&self, name: &str) -> Option<Protected<'_>> {
        self.protected()
            .into_iter()
            .find(|one| one.section.name().is_some_and(|known| known.as_str() == name))
    }
}
