//! The ID token (OpenID Connect Core 1.0 §2, §3.1.3.7).

use std::time::Duration;

use hallpass_protocol::issuer::Issuer;
use hallpass_protocol::jose::{Expected, JoseError, UnverifiedJwt, VerifiedJwt, VerifyingKeys};
use hallpass_protocol::time::Timestamp;
use hallpass_protocol::token::TokenResponse;
use serde_json::Value;
use subtle::ConstantTimeEq;

use super::{Discovered, Identity, Provider, ProviderError};
use crate::clients::KeySource;

/// How far a provider's clock may be apart.
const LEEWAY: Duration = Duration::from_secs(30);
/// What stands for a tenant in metadata of all of them (Entra ID).
const TENANT: &str = "{tenantid}";

impl Provider {
    /// Signature, `iss`, `aud`, `exp` and `iat`; then `azp`, `nonce`, `auth_time`.
    pub(super) async fn id_token(
        &self,
        tokens: &TokenResponse,
        nonce: &str,
        max_age: Option<u64>,
        now: Timestamp,
    ) -> Result<Identity, ProviderError> {
        let token = tokens.id_token.as_ref().ok_or(ProviderError::NoIdToken)?;
        let token = UnverifiedJwt::parse(token.expose()).map_err(ProviderError::IdToken)?;
        let discovered = self.discovered(now).await?;
        let issuer = self.issuer_of(&token, &discovered)?;
        let verified = self.verify(&token, &discovered, &issuer, now).await?;
        check_authorized_party(&verified, &self.settings().client_id)?;
        check_nonce(&verified, nonce)?;
        check_age(&verified, max_age, now)?;
        let claims = verified.claims();
        let (issuer, subject) = (claims.issuer.clone(), claims.subject.clone());
        Ok(Identity { issuer, subject, claims: verified.into_all() })
    }

    /// Rule 2. Where one name stands for all tenants, the token's own is put into it, if it is listed.
    fn issuer_of(&self, token: &UnverifiedJwt<'_>, of: &Discovered) -> Result<Issuer, ProviderError> {
        let said = &of.metadata().issuer;
        if !said.contains(TENANT) {
            return Ok(of.issuer().clone());
        }
        let tenant = token.unverified_claims().get("tid").and_then(Value::as_str).unwrap_or_default();
        let listed = self.settings().tenants.iter().any(|listed| listed == tenant);
        let issuer = Issuer::parse(&said.replace(TENANT, tenant)).ok().filter(|_| listed);
        issuer.ok_or(ProviderError::Tenant)
    }

    /// Rules 2, 3 and 6 to 10.
    async fn verify(
        &self,
        token: &UnverifiedJwt<'_>,
        discovered: &Discovered,
        issuer: &Issuer,
        now: Timestamp,
    ) -> Result<VerifiedJwt, ProviderError> {
        let keys = self.keys_of(token, discovered, now).await?;
        let expected = Expected {
            issuer,
            audience: &[self.settings().client_id.as_str()],
            // An access token of the same provider says another type.
            typ: &["JWT", ""],
            now,
            leeway: LEEWAY,
        };
        token.verify(&keys, &expected).map_err(ProviderError::IdToken)
    }

    /// Who it is, and its keys, with the one that a token names among them if it can be had.
    pub(crate) async fn keys(
        &self,
        token: &UnverifiedJwt<'_>,
        now: Timestamp,
    ) -> Result<(Issuer, VerifyingKeys), ProviderError> {
        let discovered = self.discovered(now).await?;
        let keys = self.keys_of(token, &discovered, now).await?;
        Ok((discovered.issuer().clone(), keys))
    }

    async fn keys_of(
        &self,
        token: &UnverifiedJwt<'_>,
        discovered: &Discovered,
        now: Timestamp,
    ) -> Result<VerifyingKeys, ProviderError> {
        let uri = discovered.metadata().jwks_uri.as_ref();
        let uri = discovered.endpoint(self.settings(), "jwks_uri", uri)?;
        let source = KeySource::Uri(uri.to_string());
        let wanted = (token.kid(), token.algorithm());
        Ok(self.0.keys.find(&self.settings().fetcher, &source, wanted, now).await?)
    }
}

/// Rules 3 to 5: this client alone, or as the authorized party; never for somebody else's.
fn check_authorized_party(token: &VerifiedJwt, client_id: &str) -> Result<(), ProviderError> {
    let ours = match token.claim("azp") {
        Some(party) => party.as_str() == Some(client_id),
        None => token.claims().audience.0.len() == 1,
    };
    ours.then_some(()).ok_or(ProviderError::AuthorizedParty)
}

/// Rule 11.
fn check_nonce(token: &VerifiedJwt, nonce: &str) -> Result<(), ProviderError> {
    let said = token.claim("nonce").and_then(Value::as_str).unwrap_or_default();
    let same = !nonce.is_empty() && bool::from(said.as_bytes().ct_eq(nonce.as_bytes()));
    same.then_some(()).ok_or(ProviderError::Nonce)
}

/// Rule 13: `auth_time` has to be there once `max_age` was asked for (§2).
fn check_age(token: &VerifiedJwt, max_age: Option<u64>, now: Timestamp) -> Result<(), ProviderError> {
    let Some(max_age) = max_age else { return Ok(()) };
    let at = token.claim("auth_time").and_then(Value::as_i64).map(Timestamp::from_unix);
    let at = at.ok_or(ProviderError::IdToken(JoseError::ClaimType("auth_time")))?;
    let recent = now <= at.after(Duration::from_secs(max_age)).after(LEEWAY);
    recent.then_some(()).ok_or(ProviderError::LongAgo)
}
