//! Whose tokens they are. The account here is a name for a person of the provider's: nobody can log in with it, and an operator
//! can disable it.

use hallpass_protocol::time::Timestamp;
use hallpass_protocol::token::TokenResponse;
use serde_json::Value;

use super::{Proxied, given};
use crate::checks::AuthorizationRequest;
use crate::login::unknown_password;
use crate::pages::shown;
use crate::provider::{Leg, ProviderError};
use crate::random::digest;
use crate::store::{Store, StoreError};

/// A person of the provider's.
pub(super) struct Person {
    issuer: String,
    subject: String,
    /// What people know the person by.
    name: Option<String>,
}

impl Person {
    /// By the ID token or what stands in for it; where none was asked for, by the access token.
    pub(super) async fn of(
        proxied: &Proxied,
        tokens: &TokenResponse,
        leg: &Leg,
        max_age: Option<u64>,
        now: Timestamp,
    ) -> Result<Self, ProviderError> {
        let settings = proxied.provider.settings();
        if settings.profile.people.is_some() || settings.scopes.contains("openid") {
            let identity = proxied.provider.identity(tokens, &leg.nonce, max_age, &[], now).await?;
            let name = identity.claim("preferred_username").or_else(|| identity.claim("email"));
            return Ok(Self {
                issuer: identity.issuer().to_owned(),
                subject: identity.subject().to_owned(),
                name: name.and_then(Value::as_str).map(str::to_owned),
            });
        }
        // It came from the token endpoint, over a connection that was asked for (as OpenID Connect Core §3.1.3.7, rule 6).
        let claims = given::claims(&tokens.access_token);
        let subject = claims.as_ref().and_then(|claims| claims.get("sub")?.as_str());
        let subject = subject.filter(|subject| !subject.is_empty());
        let subject =
            subject.ok_or(ProviderError::Nobody("ask for an ID token, with `openid` among the scopes"))?;
        Ok(Self { issuer: settings.issuer.to_string(), subject: subject.to_owned(), name: None })
    }

    /// The id of the account, the same at each login. One that is not there yet is made.
    pub(super) async fn account(&self, store: &Store) -> Result<String, StoreError> {
        let id = digest(&format!("proxied\0{}\0{}", self.issuer, self.subject));
        // Two people may have one name, and nobody takes that of another.
        let of = shown(self.name.as_deref().unwrap_or(&self.subject));
        let name = format!("{of} at {} ({})", self.issuer, &id[..8]);
        store.keep_provided_user(&id, &name, &unknown_password()).await?;
        Ok(id)
    }
}

/// How long ago the login at the provider may be, in seconds, where the client says so (OpenID Connect Core §3.1.2.1).
pub(super) fn max_age(request: &AuthorizationRequest, now: Timestamp) -> Option<u64> {
    request.earliest_login.map(|earliest| earliest.until(now).as_secs())
}
