//! Where a person is sent (OAuth 2.1 §4.1.1, OpenID Connect Core §3.1.2.1).

use hallpass_protocol::pkce::{CodeVerifier, S256};
use hallpass_protocol::scope::ScopeSet;
use hallpass_protocol::secret::Secret;
use hallpass_protocol::time::Timestamp;
use url::Url;

use super::{Discovered, Provider, ProviderError};

/// What is asked of a provider, in a browser.
#[derive(Clone, Copy, Debug)]
pub struct AuthorizationRequest<'a> {
    /// Where the answer goes.
    pub redirect_uri: &'a str,
    /// What the answer comes back with.
    pub state: &'a Secret,
    /// The secret half of the proof key; its public half goes along.
    pub verifier: &'a CodeVerifier,
    /// What the ID token has to hold.
    pub nonce: Option<&'a str>,
    /// What is asked for.
    pub scopes: &'a ScopeSet,
    /// What the tokens are to be for (RFC 8707), where the provider knows that.
    pub resource: Option<&'a str>,
    /// Whether refresh tokens are wanted: with `offline_access` among the scopes, the person is asked for consent where the
    /// provider wants that (OpenID Connect Core §11).
    pub offline: bool,
    /// Further parameters: `prompt`, `max_age`, `login_hint`. None of them replaces one of the above.
    pub extra: &'a [(&'a str, &'a str)],
}

impl Provider {
    /// The URL that a browser is sent to.
    ///
    /// # Errors
    /// Where the provider's metadata cannot be had, or names no place that a person may be sent to.
    pub async fn authorization_url(
        &self,
        request: &AuthorizationRequest<'_>,
        now: Timestamp,
    ) -> Result<Url, ProviderError> {
        let (settings, discovered) = (self.settings(), self.discovered(now).await?);
        let metadata = discovered.metadata();
        let endpoint = metadata.authorization_endpoint.as_ref();
        let mut url = discovered.endpoint(settings, "authorization_endpoint", endpoint)?;
        let challenge = request.verifier.challenge();
        let scope = request.scopes.to_string();
        let mut parameters = vec![
            ("response_type", "code"),
            ("client_id", settings.client_id.as_str()),
            ("redirect_uri", request.redirect_uri),
            ("state", request.state.expose()),
        ];
        if self.takes_s256(&discovered) {
            parameters.extend([("code_challenge", challenge.as_str()), ("code_challenge_method", S256)]);
        }
        if !scope.is_empty() {
            parameters.push(("scope", &scope));
        }
        parameters.extend(request.nonce.map(|nonce| ("nonce", nonce)));
        parameters.extend(self.resource(request.resource));
        let profile = &settings.profile;
        let profiled = profile.authorization_parameters.iter();
        let offline = profile.offline_parameters.iter().filter(|_| request.offline);
        let profiled = profiled.chain(offline).map(|(name, value)| (name.as_str(), value.as_str()));
        let asks_consent = request.offline && profile.needs_consent(request.scopes, metadata);
        let extra = request.extra.iter().map(|(name, value)| match (*name, *value) {
            // A new login says nothing of consent, and both may be asked for (OpenID Connect Core §3.1.2.1).
            ("prompt", "login") if asks_consent => ("prompt", "login consent"),
            other => other,
        });
        let consent = asks_consent.then_some(("prompt", "consent"));
        for (name, value) in extra.chain(profiled).chain(consent) {
            if !parameters.iter().any(|(known, _)| *known == name) {
                parameters.push((name, value));
            }
        }
        url.query_pairs_mut().extend_pairs(parameters);
        Ok(url)
    }

    /// RFC 7636: always, unless the provider says that it knows other methods alone. One that says nothing ignores what it
    /// does not know (RFC 6749 §3.1).
    pub(super) fn takes_s256(&self, discovered: &Discovered) -> bool {
        let metadata = discovered.metadata();
        let silent = metadata.code_challenge_methods_supported.as_ref().is_none_or(Vec::is_empty);
        silent || self.settings().profile.s256 || metadata.supports_s256()
    }

    /// RFC 8707 §2, where the provider does not refuse it.
    pub(super) fn resource<'a>(&self, resource: Option<&'a str>) -> Option<(&'static str, &'a str)> {
        resource.filter(|_| !self.settings().profile.omit_resource).map(|resource| ("resource", resource))
    }
}
