//! What callers with an HTTP client of their own need of a client, the doctor among them.

use hallpass_guarded_fetch::Fetcher;
use http::{HeaderMap, Method, header::AUTHORIZATION};
use reqwest::Request;
use url::Url;

use super::{Client, Want, Wish, attempt::credentials};
use crate::error::Error;

impl Client {
    /// The way to the MCP server itself.
    pub(crate) fn http(&self) -> &reqwest::Client {
        &self.inner.http
    }

    /// The guarded way to what servers name.
    pub(crate) fn fetcher(&self) -> &Fetcher {
        &self.inner.fetcher
    }

    /// The fields that authorize one request, for an HTTP client of one's own: `Authorization`, and a proof for this
    /// very method and URL where the token is bound to a key (RFC 9449 §7.1). Refreshes a token that is about to
    /// end; never asks a person, and sees no answer, so a 401 is the caller's to act on, by [`login`](Self::login).
    ///
    /// # Errors
    /// [`Error::LoginNeeded`] where there is no token; [`Error::Misconfigured`] for the URL of another server.
    pub async fn headers(&self, method: &Method, url: &Url) -> Result<HeaderMap, Error> {
        let mut request = self.authorized(Request::new(method.clone(), url.clone())).await?;
        Ok(std::mem::take(request.headers_mut()))
    }

    /// A request with the stored token, for whoever wants to see a refusal as it comes.
    pub(crate) async fn authorized(&self, mut request: Request) -> Result<Request, Error> {
        self.inner.ensure_own(request.url())?;
        let token = self.token().await?;
        match self.inner.account().await? {
            Some(account) => {
                let nonce = self.inner.nonces.of(request.url());
                self.inner.authorize(&account, &mut request, nonce.as_deref())?;
            }
            None => drop(request.headers_mut().insert(AUTHORIZATION, credentials("Bearer", &token.token)?)),
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
