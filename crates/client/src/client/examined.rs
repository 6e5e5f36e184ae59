//! What the doctor needs of a client.

use hallpass_guarded_fetch::Fetcher;
use http::header::AUTHORIZATION;
use reqwest::Request;

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
