//! One request with a token, in the scheme that the token needs.

use hallpass_protocol::{challenge::parse_challenges, dpop, secret::Secret};
use http::{HeaderValue, StatusCode, header::AUTHORIZATION};
use reqwest::{Request, Response};
use url::Url;

use super::Inner;
use crate::{
    error::{Error, Rule, Step},
    store::Account,
};

impl Inner {
    /// Sends a request with a login's token, or as it is; once more, where the server wants its nonce in the
    /// proof (RFC 9449 §9).
    pub(super) async fn attempt(
        &self,
        account: Option<&Account>,
        mut request: Request,
    ) -> Result<Response, Error> {
        let Some(account) = account else { return Ok(self.http.execute(request).await?) };
        let url = request.url().clone();
        let mut nonce = self.nonces.of(&url);
        for is_repeated in [false, true] {
            let again = account.dpop_key.as_ref().and_then(|_| request.try_clone());
            self.authorize(account, &mut request, nonce.as_deref())?;
            let response = self.http.execute(request).await?;
            if account.dpop_key.is_none() {
                return Ok(response);
            }
            let newer =
                self.nonces.learn(&url, response.headers()).filter(|newer| nonce.as_ref() != Some(newer));
            if !wants_nonce(&response) {
                return Ok(response);
            }
            let Some(newer) = newer.filter(|_| !is_repeated) else { break };
            nonce = Some(newer);
            request = again.ok_or(Error::NotRepeatable)?;
        }
        Err(at(&url, Rule::NonceNotTaken))
    }

    /// The token under its own scheme and, where it is bound, a proof for this very request (RFC 9449 §7.1).
    pub(super) fn authorize(
        &self,
        account: &Account,
        request: &mut Request,
        nonce: Option<&str>,
    ) -> Result<(), Error> {
        let token = &account.access_token;
        let Some(key) = &account.dpop_key else {
            request.headers_mut().insert(AUTHORIZATION, credentials("Bearer", token)?);
            return Ok(());
        };
        let proof = key.prove(request.method(), request.url(), Some(token), nonce, self.clock.now());
        let proof = proof.map_err(|rule| at(request.url(), rule))?;
        request.headers_mut().insert(AUTHORIZATION, credentials(dpop::SCHEME, token)?);
        request.headers_mut().insert(dpop::PROOF, proof);
        Ok(())
    }
}

fn at(url: &Url, rule: Rule) -> Error {
    Error::Misconfigured { step: Step::Send, url: dpop::htu(url), rule }
}

fn wants_nonce(response: &Response) -> bool {
    let asks = |challenge: &hallpass_protocol::Challenge| {
        challenge.is(dpop::SCHEME) && challenge.error() == Some(dpop::USE_NONCE)
    };
    response.status() == StatusCode::UNAUTHORIZED && parse_challenges(response.headers()).iter().any(asks)
}

/// RFC 9110 §11.6.2.
pub(super) fn credentials(scheme: &str, token: &Secret) -> Result<HeaderValue, Error> {
    let mut value =
        HeaderValue::try_from(format!("{scheme} {}", token.expose())).map_err(|_| Error::Misconfigured {
            step: Step::Send,
            url: String::new(),
            rule: Rule::Malformed("the access token holds characters that no header may hold".into()),
        })?;
    value.set_sensitive(true);
    Ok(value)
}
