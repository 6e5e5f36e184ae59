//! A token that the caller provides (RFC 6750 §2.1).

use hallpass_protocol::secret::Secret;
use http::{StatusCode, header::AUTHORIZATION};
use reqwest::{Request, Response};

use super::{Inner, attempt::credentials};
use crate::{
    error::{Error, Rule, Step},
    secret_source::SecretSource,
};

impl Inner {
    /// The token as it is now.
    pub(super) async fn given(&self, source: &SecretSource) -> Result<Secret, Error> {
        source.read().await.map_err(|rule| self.at_send(rule))
    }

    fn at_send(&self, rule: Rule) -> Error {
        Error::Misconfigured { step: Step::Send, url: self.server.to_string(), rule }
    }

    /// Sends with the token from `source`. A refusal may mean that it has been renewed meanwhile: then once more.
    pub(super) async fn send_given(
        &self,
        source: &SecretSource,
        mut request: Request,
    ) -> Result<Response, Error> {
        let refused = || self.at_send(Rule::GivenTokenRefused(source.to_string()));
        let token = self.given(source).await?;
        let again = request.try_clone();
        request.headers_mut().insert(AUTHORIZATION, credentials("Bearer", &token)?);
        let response = self.http.execute(request).await?;
        if response.status() != StatusCode::UNAUTHORIZED {
            return Ok(response);
        }
        let renewed = self.given(source).await?;
        if renewed == token {
            return Err(refused());
        }
        let mut request = again.ok_or(Error::NotRepeatable)?;
        request.headers_mut().insert(AUTHORIZATION, credentials("Bearer", &renewed)?);
        let response = self.http.execute(request).await?;
        if response.status() == StatusCode::UNAUTHORIZED {
            return Err(refused());
        }
        Ok(response)
    }
}
