//! What callers with an HTTP client of their own need of a client, the doctor among them.

use std::sync::Arc;

use hallpass_guarded_fetch::Fetcher;
use http::{HeaderMap, Method};
use reqwest::Request;
use url::Url;

use super::{Client, Want, Wish, exchange::Credentials, given::given_credentials, in_use::InUse};
use crate::{error::Error, mode::Mode};

impl Client {
    /// The way to the MCP server itself.
    pub(crate) fn http(&self) -> &reqwest::Client {
        &self.inner.http
    }

    /// Why a request over that way did not get there.
    pub(crate) fn unreached(&self, error: reqwest::Error) -> Error {
        self.inner.unreached(error)
    }

    /// Whether logins need no person: each is as cheap as a refresh.
    pub(crate) fn needs_nobody(&self) -> bool {
        self.inner.mode.machine().is_some()
    }

    /// The guarded way to what servers name.
    pub(crate) fn fetcher(&self) -> &Fetcher {
        &self.inner.fetcher
    }

    /// The fields that authorize one request, for an HTTP client of one's own: `Authorization`, and a proof for this
    /// very method and URL where the token is bound to a key (RFC 9449 §7.1). Refreshes a token that is about to
    /// end, and fetches one in a mode that needs no person; never asks a person, and sees no answer, so a 401 is the
    /// caller's to act on, by [`login`](Self::login).
    /// [`Mode::None`] has no fields.
    ///
    /// # Errors
    /// [`Error::LoginNeeded`] where there is no token; [`Error::Misconfigured`] for the URL of another server.
    pub async fn headers(&self, method: &Method, url: &Url) -> Result<HeaderMap, Error> {
        let mut headers = HeaderMap::new();
        if let Some(credentials) = self.credentials(method, url).await? {
            credentials.put_into(&mut headers);
        }
        Ok(headers)
    }

    async fn credentials(&self, method: &Method, url: &Url) -> Result<Option<Credentials>, Error> {
        self.inner.ensure_own(url)?;
        match &self.inner.mode {
            Mode::None => Ok(None),
            Mode::Bearer(source) => given_credentials(&self.inner.given(source).await?).map(Some),
            _ => {
                let account = self.usable_account().await?;
                let nonce = account.dpop_key.as_ref().and_then(|_| self.inner.nonces.of(url));
                self.inner.credentials(&account, method, url, nonce.as_deref()).map(Some)
            }
        }
    }

    /// A login whose token has not ended, refreshed if it is about to. Never asks a person.
    pub(super) async fn usable_account(&self) -> Result<Arc<InUse>, Error> {
        let needed = |reason| self.inner.login_needed(reason);
        let has_ended = |account: &InUse| account.expires_at.is_some_and(|end| end <= self.inner.clock.now());
        let mut account = self.inner.account_for_request().await?;
        // Who needs no person has no login either, until there is use for one.
        if self.inner.mode.machine().is_some() && account.as_deref().is_none_or(has_ended) {
            self.login().await?;
            account = self.inner.account().await?;
        }
        let account = account.ok_or_else(|| needed("no login is stored"))?;
        if has_ended(&account) { Err(needed("the stored login has ended")) } else { Ok(account) }
    }

    /// A request with the stored token, for whoever wants to see a refusal as it comes.
    pub(crate) async fn authorized(&self, mut request: Request) -> Result<Request, Error> {
        if let Some(credentials) = self.credentials(request.method(), request.url()).await? {
            credentials.put_into(request.headers_mut());
        }
        Ok(request)
    }

    /// Refreshes now, though the token may be good for long.
    pub(crate) async fn refresh_now(&self) -> Result<(), Error> {
        let sent = self.inner.account().await?.map(|account| account.access_token.clone());
        let wish = Wish { sent, want: Want::Token { login: false }, attended: false };
        self.inner.obtain(wish, None).await.map(drop)
    }
}
