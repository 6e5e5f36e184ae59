//! One request to a token endpoint, or to another endpoint where clients show who they are: client
//! authentication, proof of possession, and what the answer means.

mod assertion;
mod authentication;

pub use assertion::{AssertionSigner, PrivateKey, SignerError};
pub(crate) use authentication::{Means, auth_to_register, choose_auth};

use hallpass_guarded_fetch::{Fetched, Fetcher};
use hallpass_protocol::{
    client_assertion::ClientAssertion, dpop, issuer::Issuer, oauth_error::OAuthError, secret::Secret,
    time::Clock, token::TokenResponse,
};
use http::Method;
use serde::Deserialize;
use url::Url;

use crate::{
    dpop::{DpopKey, Nonces, jti},
    error::{Error, Rule, Step, printable},
    fetched,
    profile::{Profile, Profiles},
    store::{Registration, TokenEndpointAuth},
};

/// An answer that is no token.
#[derive(Debug)]
pub(crate) enum TokenError {
    /// The server's own verdict (RFC 6749 §5.2).
    Refused(OAuthError),
    /// Everything else; nothing is known about the grant.
    Failed(Error),
}

/// Who asks an authorization server, and how it shows who it is.
#[derive(Clone, Copy)]
pub(crate) struct Requester<'a> {
    pub(crate) fetcher: &'a Fetcher,
    pub(crate) client: &'a Registration,
    /// The authorization server, which alone an assertion is for.
    pub(crate) issuer: &'a str,
    pub(crate) signer: Option<&'a dyn AssertionSigner>,
    /// What authorization servers do differently.
    pub(crate) profiles: &'a Profiles,
    /// What the tokens are to be bound to.
    pub(crate) key: Option<&'a DpopKey>,
    /// Whether a token that is not bound is refused.
    pub(crate) bound: bool,
    /// Whether the server is meant to see this client's certificate, if there is one.
    pub(crate) shows_certificate: bool,
    pub(crate) nonces: &'a Nonces,
    /// A person may think for minutes between two requests.
    pub(crate) clock: &'a Clock,
}

impl Requester<'_> {
    /// Sends `grant` and reads the tokens.
    pub(crate) async fn tokens(
        &self,
        step: Step,
        endpoint: &str,
        grant: &[(&str, &str)],
    ) -> Result<TokenResponse, TokenError> {
        let mut grant = grant.to_vec();
        self.drop_unwanted(&mut grant);
        let mut tokens: TokenResponse = self.answered(step, endpoint, &grant).await?;
        if self.profile().id_token_as_bearer
            && let Some(id_token) = tokens.id_token.take()
        {
            tokens.access_token = id_token;
        }
        self.check_type(&tokens.token_type).map_err(|rule| misconfigured(step, endpoint, rule))?;
        if !is_vschar(tokens.access_token.expose()) {
            return Err(misconfigured(step, endpoint, Rule::TokenCharacters));
        }
        Ok(tokens)
    }

    /// What this authorization server does differently.
    pub(crate) fn profile(&self) -> &Profile {
        self.profiles.of(self.issuer)
    }

    /// Drops the parameters that this authorization server refuses.
    pub(crate) fn drop_unwanted(&self, parameters: &mut Vec<(&str, &str)>) {
        if self.profile().omit_resource {
            parameters.retain(|(name, _)| *name != "resource");
        }
    }

    /// Sends `parameters` and reads an answer of the kind that RFC 6749 §5 describes.
    pub(crate) async fn answered<T: for<'de> Deserialize<'de>>(
        &self,
        step: Step,
        endpoint: &str,
        parameters: &[(&str, &str)],
    ) -> Result<T, TokenError> {
        let answer = self.post(step, endpoint, parameters).await.map_err(TokenError::Failed)?;
        if fetched::is_transient(answer.status) {
            return Err(TokenError::Failed(fetched::transient(step, endpoint, &answer)));
        }
        if let Some(error) = fetched::redirected(step, endpoint, &answer) {
            return Err(TokenError::Failed(error));
        }
        if !answer.status.is_success() {
            // A refusal counts only in the form that RFC 6749 §5.2 gives it: a proxy's 403 page proves nothing.
            return Err(match serde_json::from_slice::<OAuthError>(&answer.body) {
                Ok(error) => TokenError::Refused(error),
                Err(_) => TokenError::Failed(fetched::transient(step, endpoint, &answer)),
            });
        }
        serde_json::from_slice(&answer.body).map_err(|_| {
            // GitHub refuses with 200.
            if let Ok(refusal) = serde_json::from_slice::<OAuthError>(&answer.body) {
                return TokenError::Refused(refusal);
            }
            let label = fetched::labelled(&answer);
            let rule = Rule::Malformed(format!("the answer, {label}, is no token response (RFC 6749 §5.1)"));
            misconfigured(step, endpoint, rule)
        })
    }

    /// RFC 6749 §7.1, RFC 9449 §5: `DPoP` only where a proof was sent; `Bearer` where it may be.
    fn check_type(&self, token_type: &str) -> Result<(), Rule> {
        match token_type {
            name if name.eq_ignore_ascii_case("Bearer") && self.bound => Err(Rule::TokenNotBound),
            name if name.eq_ignore_ascii_case("Bearer") => Ok(()),
            name if name.eq_ignore_ascii_case(dpop::SCHEME) && self.key.is_some() => Ok(()),
            other => Err(Rule::TokenType(printable(other))),
        }
    }

    /// Sends `parameters` with the client's authentication and, where there is a key, a proof; once more, where
    /// the server wants its nonce in it (RFC 9449 §8).
    pub(crate) async fn post(
        &self,
        step: Step,
        endpoint: &str,
        parameters: &[(&str, &str)],
    ) -> Result<Fetched, Error> {
        let failed = |rule| Error::Misconfigured { step, url: printable(endpoint), rule };
        let url = Url::parse(endpoint).map_err(|error| failed(Rule::Malformed(error.to_string())))?;
        let fetcher = if self.shows_certificate { &self.fetcher.showing_identity() } else { self.fetcher };
        let mut nonce = self.nonces.of(&url);
        for is_repeated in [false, true] {
            let assertion = self.assertion().await.map_err(failed)?;
            let (form, mut headers) =
                authentication::authenticated(self.client, assertion.as_ref(), parameters);
            if let Some(key) = self.key {
                let proof = key.prove(&Method::POST, &url, None, nonce.as_deref(), self.clock.now());
                headers.insert(dpop::PROOF, proof.map_err(failed)?);
            }
            let answer = fetcher.post_form(&url, &form, headers).await;
            let answer = answer.map_err(|error| fetched::failed(step, endpoint, error))?;
            let newer =
                self.nonces.learn(&url, &answer.headers).filter(|newer| nonce.as_ref() != Some(newer));
            if self.key.is_none() || !wants_nonce(&answer) {
                return Ok(answer);
            }
            match newer {
                Some(newer) if !is_repeated => nonce = Some(newer),
                _ => break,
            }
        }
        Err(failed(Rule::NonceNotTaken))
    }

    async fn assertion(&self) -> Result<Option<Secret>, Rule> {
        if self.client.auth != TokenEndpointAuth::PrivateKeyJwt {
            return Ok(None);
        }
        let signer = self.signer.ok_or(Rule::NoSigner)?;
        let issuer = Issuer::parse(self.issuer).map_err(|_| Rule::InvalidIssuer(printable(self.issuer)))?;
        let claims = ClientAssertion::new(&self.client.client_id, &issuer, jti(), self.clock.now());
        signer.sign(&claims).await.map(Some).map_err(|error| Rule::NotSigned(error.to_string()))
    }
}

fn wants_nonce(answer: &Fetched) -> bool {
    let error = serde_json::from_slice::<OAuthError>(&answer.body).map(|refusal| refusal.error.to_string());
    answer.status.is_client_error() && error.is_ok_and(|error| error == dpop::USE_NONCE)
}

/// RFC 6749 A.12: one or more visible ASCII characters or spaces.
fn is_vschar(token: &str) -> bool {
    !token.is_empty() && token.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

fn misconfigured(step: Step, url: &str, rule: Rule) -> TokenError {
    TokenError::Failed(Error::Misconfigured { step, url: printable(url), rule })
}
