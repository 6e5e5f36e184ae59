//! A token that the caller provides (RFC 6750 §2.1).

use hallpass_protocol::secret::Secret;
use http::StatusCode;

use super::{
    Inner,
    attempt::field,
    exchange::{Credentials, Exchange},
};
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
    pub(super) async fn carry_given<X: Exchange>(
        &self,
        source: &SecretSource,
        exchange: &mut X,
    ) -> Result<X::Answer, X::Error> {
        let refused = || self.at_send(Rule::GivenTokenRefused(source.to_string()));
        let is_refused = |answer: &X::Answer| X::head(answer).0 == StatusCode::UNAUTHORIZED;
        let token = self.given(source).await?;
        let answer = exchange.send(Some(given_credentials(&token)?)).await?;
        if !is_refused(&answer) {
            return Ok(answer);
        }
        drop(answer);
        let renewed = self.given(source).await?;
        if renewed == token {
            return Err(refused().into());
        }
        let answer = exchange.send(Some(given_credentials(&renewed)?)).await?;
        if is_refused(&answer) { Err(refused().into()) } else { Ok(answer) }
    }
}

pub(super) fn given_credentials(token: &Secret) -> Result<Credentials, Error> {
    Ok(Credentials { authorization: field("Bearer", token)?, proof: None })
}
