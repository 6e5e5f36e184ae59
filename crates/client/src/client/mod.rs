//! The handler itself: what it knows, and the ways through it.

mod attempt;
mod builder;
mod carry;
mod endpoint;
mod examined;
mod exchange;
mod flight;
mod given;
mod in_use;
mod log_in;
mod probe;
mod renew;
mod request;
mod rest;
mod session;
mod step_up;
mod unattended;
mod unsaved;

pub use builder::{BuildError, Builder};
#[cfg(feature = "tower")]
pub(crate) use exchange::{Credentials, Exchange};
pub use session::{AccessToken, LoggedOut, Login, Revocation, TokenType};

use std::sync::{Arc, RwLock};

use hallpass_guarded_fetch::{Fetcher, Proxies};
use hallpass_protocol::{issuer::Issuer, resource::ResourceIdentifier, time::Clock};
use url::Url;

use self::{
    flight::{Flights, Outcome, Want, Wish},
    in_use::InUse,
    rest::Rest,
    step_up::StepUps,
    unsaved::Unsaved,
};
use crate::{
    dpop::{DpopUse, Nonces},
    error::{Error, Rule, Step},
    interaction::Interaction,
    mode::Mode,
    profile::Profiles,
    register::Identity,
    store::TokenStore,
    unreached::safe_url,
};

/// An OAuth client for one MCP server. Clones share everything, so that one login or refresh serves them all.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
    attended: bool,
}

pub(crate) struct Inner {
    server: ResourceIdentifier,
    /// What the person asked for.
    scopes: hallpass_protocol::scope::ScopeSet,
    /// Where messages go in HTTP+SSE of 2024-11-05.
    endpoint: RwLock<Option<Url>>,
    account_name: String,
    /// What a message tells a person to run.
    login_command: Option<String>,
    /// A public client by hand, for whichever authorization server there is.
    client_id: Option<String>,
    authorization_server: Option<Issuer>,
    profiles: Profiles,
    /// What the caller adds to authorization requests.
    authorization_parameters: Vec<(String, String)>,
    http: reqwest::Client,
    /// Those that `http` goes through, as far as that is known.
    proxies: Proxies,
    fetcher: Fetcher,
    store: Arc<dyn TokenStore>,
    interaction: Arc<dyn Interaction>,
    identity: Identity,
    clock: Clock,
    mode: Mode,
    dpop: DpopUse,
    nonces: Nonces,
    known: RwLock<Known>,
    flights: Flights,
    step_ups: StepUps,
    rest: Rest,
    unsaved: Unsaved,
}

/// What this process knows of the store, so that a request with a valid token reads no file.
enum Known {
    /// Nothing was read yet.
    Unread,
    /// The login in use, if any.
    Read(Option<Arc<InUse>>),
}

impl Client {
    /// Starts a client for the MCP server at `server`. Without further settings: tokens in memory, nobody to
    /// log in, the system's clock.
    ///
    /// # Errors
    /// When `server` is not an absolute http(s) URL without a fragment.
    pub fn builder(server: &str) -> Result<Builder, BuildError> {
        Builder::new(server)
    }

    /// The MCP server.
    #[must_use]
    pub fn server(&self) -> &ResourceIdentifier {
        &self.inner.server
    }

    /// The same client for requests that no person is waiting for: it refreshes, and adopts what others obtain,
    /// but never asks anyone to log in.
    #[must_use]
    pub fn in_background(&self) -> Self {
        Self { inner: Arc::clone(&self.inner), attended: false }
    }
}

impl Inner {
    /// Why a request over the client's own connection did not get there.
    pub(crate) fn unreached(&self, error: reqwest::Error) -> Error {
        match self.proxies.origin_for(self.server.url()) {
            Some(proxy) => Error::ThroughProxy { proxy, error: Arc::new(safe_url(error)) },
            None => error.into(),
        }
    }

    /// Tokens go to the server they were issued for and nowhere else.
    fn ensure_own(&self, url: &Url) -> Result<(), Error> {
        if self.server.covers(url) || self.has_named(url) {
            return Ok(());
        }
        let rule = Rule::ForeignRequest(self.server.to_string());
        Err(Error::Misconfigured { step: Step::Send, url: url.origin().ascii_serialization(), rule })
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("server", &self.inner.server).finish_non_exhaustive()
    }
}
