//! The handler itself: send, notice a refusal, cure it, send again.

mod attempt;
mod builder;
mod endpoint;
mod examined;
mod flight;
mod given;
mod renew;
mod session;
mod step_up;
mod unattended;

pub use builder::{BuildError, Builder};
pub use session::{AccessToken, LoggedOut, Login, Revocation};

use std::sync::{Arc, RwLock};

use hallpass_guarded_fetch::Fetcher;
use hallpass_protocol::{issuer::Issuer, resource::ResourceIdentifier, time::Clock};
use reqwest::{Request, Response};
use url::Url;

use self::{
    flight::{Flights, Outcome, Want, Wish},
    step_up::StepUps,
};
use crate::{
    discover::Refusal,
    dpop::{DpopUse, Nonces},
    error::{Error, Rule, Step},
    interaction::Interaction,
    mode::Mode,
    profile::Profiles,
    register::Identity,
    store::{Account, TokenStore},
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
    authorization_server: Option<Issuer>,
    profiles: Profiles,
    http: reqwest::Client,
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
}

/// What this process knows of the store, so that a request with a valid token reads no file.
enum Known {
    /// Nothing was read yet.
    Unread,
    /// The login in use, if any.
    Read(Option<Arc<Account>>),
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

    /// Sends a request to the MCP server with a token, if one is known; on 401 and on 403 `insufficient_scope`
    /// obtains one and sends the request again. A server that asks for nothing gets nothing.
    ///
    /// # Errors
    /// See [`Error`]. Every answer of the server that is not about authorization is returned as it is.
    pub async fn send(&self, request: Request) -> Result<Response, Error> {
        let operation = format!("{} {}", request.method(), request.url().path());
        self.send_operation(&operation, request).await
    }

    /// The same, with a name for what is done: step-ups are counted for each name apart.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn send_operation(&self, operation: &str, mut request: Request) -> Result<Response, Error> {
        let inner = &self.inner;
        inner.ensure_own(request.url())?;
        match &inner.mode {
            Mode::None => return Ok(inner.http.execute(request).await?),
            Mode::Bearer(source) => return inner.send_given(source, request).await,
            Mode::OAuth if inner.account_for_request().await?.is_none() => self.login_unasked().await?,
            _ => {}
        }
        let mut cure = Cure::Any;
        loop {
            let account = inner.account_for_request().await?;
            let sent = account.as_ref().map(|account| account.access_token.clone());
            // A body that is a stream can be sent once: then the caller has to repeat the request.
            let (attempt, next) = match request.try_clone() {
                Some(copy) => (copy, Some(request)),
                None => (request, None),
            };
            let response = inner.attempt(account.as_deref(), attempt).await?;
            let Some(refusal) = Refusal::of(response.status(), response.headers()) else {
                inner.step_ups.succeeded(operation);
                return Ok(response);
            };
            cure = match refusal {
                Refusal::Unauthorized(challenge) => {
                    cure.after_401(inner.server.as_str())?;
                    let want = Want::Token { login: cure == Cure::Login };
                    cure.next(inner.obtain(Wish { sent, want, attended: self.attended }, challenge).await?)
                }
                Refusal::InsufficientScope(challenge) => {
                    let scopes = challenge.scope().unwrap_or_default();
                    step_up::ensure_lacking(operation, inner.server.as_str(), &scopes, account.as_deref())?;
                    let want = Want::Scopes { scopes, operation: operation.to_owned() };
                    inner.obtain(Wish { sent, want, attended: self.attended }, Some(challenge)).await?;
                    cure
                }
            };
            request = next.ok_or(Error::NotRepeatable)?;
        }
    }
}

/// What may still be tried after a 401. Each step is tried once, so a request ends after three refusals.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cure {
    /// Adopt a newer token, refresh, or log in.
    Any,
    /// A refresh did not help: log in.
    Login,
    /// A token that was just issued by a login was refused.
    Nothing,
}

impl Cure {
    fn after_401(self, server: &str) -> Result<(), Error> {
        if self != Self::Nothing {
            return Ok(());
        }
        Err(Error::Misconfigured {
            step: Step::Send,
            url: server.to_owned(),
            rule: Rule::FreshTokenRefused(". Its audience or issuer may be set up wrongly".into()),
        })
    }

    fn next(self, outcome: Outcome) -> Self {
        match (self, outcome) {
            (Self::Any, Outcome::Adopted | Outcome::Refreshed) => Self::Login,
            _ => Self::Nothing,
        }
    }
}

impl Inner {
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
