//! The provider's token endpoint (RFC 6749 §4.1.3, §6) and its revocation endpoint (RFC 7009).

use hallpass_guarded_fetch::Fetched;
use hallpass_protocol::oauth_error::{ErrorCode, OAuthError};
use hallpass_protocol::pkce::CodeVerifier;
use hallpass_protocol::scope::ScopeSet;
use hallpass_protocol::secret::Secret;
use hallpass_protocol::time::Timestamp;
use hallpass_protocol::token::TokenResponse;
use url::Url;

use super::authentication::show;
use super::discovery::in_trouble;
use super::{Discovered, Provider, ProviderError};

/// What tokens are asked for with.
#[derive(Clone, Copy, Debug)]
pub enum TokenRequest<'a> {
    /// A code that came back.
    Code {
        /// The code.
        code: &'a Secret,
        /// Where it came back to.
        redirect_uri: &'a str,
        /// The secret half of the proof key.
        verifier: &'a CodeVerifier,
    },
    /// A refresh token.
    Refresh {
        /// The token.
        token: &'a Secret,
        /// What the new tokens are for: what was granted, where the provider wants to be told or less is wanted.
        scopes: &'a ScopeSet,
    },
}

impl Provider {
    /// Redeems a code or refreshes. For a refresh, [`ProviderError::ends_session`] tells a session that is over from
    /// everything else.
    ///
    /// # Errors
    /// Where the provider refuses, does not answer, or answers something else than tokens.
    pub async fn tokens(
        &self,
        request: TokenRequest<'_>,
        resource: Option<&str>,
        now: Timestamp,
    ) -> Result<TokenResponse, ProviderError> {
        let discovered = self.discovered(now).await?;
        let endpoint = discovered.metadata().token_endpoint.as_ref();
        let url = discovered.endpoint(self.settings(), "token_endpoint", endpoint)?;
        let scope;
        let mut form = match request {
            TokenRequest::Code { code, redirect_uri, verifier } => {
                let mut form = vec![
                    ("grant_type", "authorization_code"),
                    ("code", code.expose()),
                    ("redirect_uri", redirect_uri),
                ];
                if self.takes_s256(&discovered) {
                    form.push(("code_verifier", verifier.expose()));
                }
                form
            }
            TokenRequest::Refresh { token, scopes } => {
                let mut form = vec![("grant_type", "refresh_token"), ("refresh_token", token.expose())];
                if self.settings().profile.refresh_scope && !scopes.is_empty() {
                    scope = scopes.to_string();
                    form.push(("scope", &scope));
                }
                form
            }
        };
        form.extend(self.resource(resource));
        let answer = self.post(&discovered, &url, &form, now).await?;
        let tokens = read(&answer).map_err(|error| match (request, error) {
            (TokenRequest::Refresh { .. }, ProviderError::Refused(said)) if self.is_dead(&said) => {
                ProviderError::SessionEnded(said)
            }
            (_, error) => error,
        })?;
        check(&tokens)?;
        Ok(tokens)
    }

    /// Ends a token at the provider (RFC 7009). False where the provider has no place for that.
    ///
    /// # Errors
    /// Where the provider refuses or does not answer: the token lives on there.
    pub async fn revoke(&self, token: &Secret, hint: &str, now: Timestamp) -> Result<bool, ProviderError> {
        let discovered = self.discovered(now).await?;
        let Some(endpoint) = &discovered.metadata().revocation_endpoint else { return Ok(false) };
        let url = discovered.endpoint(self.settings(), "revocation_endpoint", Some(endpoint))?;
        let form = [("token", token.expose()), ("token_type_hint", hint)];
        let answer = self.post(&discovered, &url, &form, now).await?;
        match answer.status.is_success() {
            true => Ok(true),
            false => Err(refusal(&answer)),
        }
    }

    async fn post(
        &self,
        discovered: &Discovered,
        url: &Url,
        form: &[(&str, &str)],
        now: Timestamp,
    ) -> Result<Fetched, ProviderError> {
        let shown = show(self.settings(), discovered, now)?;
        let shows = shown.parameters.iter().map(|(name, value)| (*name, value.expose()));
        let form: Vec<(&str, &str)> = form.iter().copied().chain(shows).collect();
        Ok(self.settings().fetcher.post_form(url, &form, shown.headers).await?)
    }

    /// Only the provider's own word ends a session, in the form that RFC 6749 §5.2 or a profile gives it.
    fn is_dead(&self, said: &OAuthError) -> bool {
        let dead = &self.settings().profile.dead_refresh_errors;
        said.error == ErrorCode::InvalidGrant || dead.iter().any(|error| error == said.error.as_str())
    }
}

fn read(answer: &Fetched) -> Result<TokenResponse, ProviderError> {
    if !answer.status.is_success() {
        return Err(refusal(answer));
    }
    answer.json().map_err(|_| match answer.json::<OAuthError>() {
        // GitHub refuses with 200.
        Ok(said) => ProviderError::Refused(said),
        Err(_) => ProviderError::NoTokens,
    })
}

/// A refusal counts in the form that RFC 6749 §5.2 gives it: a proxy's page proves nothing.
fn refusal(answer: &Fetched) -> ProviderError {
    if in_trouble(answer.status) {
        return ProviderError::InTrouble(answer.status.as_u16());
    }
    match answer.json::<OAuthError>() {
        Ok(said) if answer.status.is_client_error() => ProviderError::Refused(said),
        _ => ProviderError::NoTokens,
    }
}

/// RFC 6749 §7.1 and appendix A.12.
fn check(tokens: &TokenResponse) -> Result<(), ProviderError> {
    if !tokens.token_type.eq_ignore_ascii_case("Bearer") {
        return Err(ProviderError::TokenType(tokens.token_type.clone()));
    }
    let token = tokens.access_token.expose();
    let plain = !token.is_empty() && token.bytes().all(|byte| matches!(byte, b'!'..=b'~'));
    plain.then_some(()).ok_or(ProviderError::TokenCharacters)
}
