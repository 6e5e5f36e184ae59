//! One request with a token, in the scheme that the token needs.

use hallpass_protocol::{challenge::parse_challenges, dpop, secret::Secret};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use url::Url;

use super::{
    Inner,
    exchange::{Credentials, Exchange},
    in_use::InUse,
};
use crate::error::{Error, Rule, Step};

impl Inner {
    /// Sends a request with a login's token, or as it is; once more, where the server wants its nonce in the
    /// proof (RFC 9449 §9).
    pub(super) async fn attempt<X: Exchange>(
        &self,
        account: Option<&InUse>,
        exchange: &mut X,
    ) -> Result<X::Answer, X::Error> {
        let Some(account) = account else { return exchange.send(None).await };
        if account.dpop_key.is_none() {
            let authorization = account.authorization()?;
            return exchange.send(Some(Credentials { authorization, proof: None })).await;
        }
        let (method, url) = exchange.target().ok_or(Error::NotRepeatable)?;
        let (method, url) = (method.clone(), url.clone());
        let mut nonce = self.nonces.of(&url);
        for is_repeated in [false, true] {
            let credentials = self.credentials(account, &method, &url, nonce.as_deref())?;
            let answer = exchange.send(Some(credentials)).await?;
            let (status, headers) = X::head(&answer);
            let newer = self.nonces.learn(&url, headers).filter(|newer| nonce.as_ref() != Some(newer));
            if !wants_nonce(status, headers) {
                return Ok(answer);
            }
            let Some(newer) = newer.filter(|_| !is_repeated) else { break };
            nonce = Some(newer);
        }
        Err(at(&url, Rule::NonceNotTaken).into())
    }

    /// The token under its own scheme and, where it is bound, a proof for this very request (RFC 9449 §7.1).
    pub(super) fn credentials(
        &self,
        account: &InUse,
        method: &Method,
        url: &Url,
        nonce: Option<&str>,
    ) -> Result<Credentials, Error> {
        let authorization = account.authorization()?;
        let Some(key) = &account.dpop_key else { return Ok(Credentials { authorization, proof: None }) };
        let proof = key.prove(method, url, Some(&account.access_token), nonce, self.clock.now());
        Ok(Credentials { authorization, proof: Some(proof.map_err(|rule| at(url, rule))?) })
    }
}

fn at(url: &Url, rule: Rule) -> Error {
    Error::Misconfigured { step: Step::Send, url: dpop::htu(url), rule }
}

fn wants_nonce(status: StatusCode, headers: &HeaderMap) -> bool {
    let asks = |challenge: &hallpass_protocol::Challenge| {
        challenge.is(dpop::SCHEME) && challenge.error() == Some(dpop::USE_NONCE)
    };
    status == StatusCode::UNAUTHORIZED && parse_challenges(headers).iter().any(asks)
}

/// RFC 9110 §11.6.2.
pub(super) fn field(scheme: &str, token: &Secret) -> Result<HeaderValue, Error> {
    let mut value =
        HeaderValue::try_from(format!("{scheme} {}", token.expose())).map_err(|_| Error::Misconfigured {
            step: Step::Send,
            url: String::new(),
            rule: Rule::Malformed("the access token holds characters that no header may hold".into()),
        })?;
    value.set_sensitive(true);
    Ok(value)
}
