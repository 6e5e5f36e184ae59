//! Access tokens of this server that are shown to it again: JWTs, or opaque ones that it looks up.

use std::time::Duration;

use hallpass_protocol::jose::{AccessTokenClaims, Expected, JoseError, UnverifiedJwt};
use hallpass_protocol::secret::Secret;
use hallpass_protocol::time::Timestamp;
use tokio::time::timeout;

use crate::random::{digest, token};
use crate::server::{AuthorizationServer, Inner};
use crate::settings::Settings;
use crate::store::{Store, StoreError};

/// What every opaque token begins with, so that people and scanners of leaked secrets know what they have found.
const PREFIX: &str = "hpa_";
/// The prefix, and 256 bits in base64url.
const LENGTH: usize = PREFIX.len() + 43;

/// A new opaque token.
pub(crate) fn opaque_token() -> Secret {
    Secret::new(format!("{PREFIX}{}", token()))
}

/// Whether it could be an opaque token of this server. What could not be one is never looked for.
fn is_opaque(text: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    text.len() == LENGTH && text.strip_prefix(PREFIX).is_some_and(|rest| rest.bytes().all(letter))
}

/// Why a token is no good access token of this server.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotIssued {
    /// A JWT breaks a rule, or an opaque token is for another time or resource.
    #[error(transparent)]
    Jose(#[from] JoseError),
    /// An opaque token that is not stored here: never, or not any more.
    #[error("the token is not known here, or has ended long ago")]
    Unknown,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What an access token of this server says, whatever its form. Whether it was revoked is not asked.
pub(crate) async fn access_token(
    server: &Inner,
    token: &str,
    leeway: Duration,
) -> Result<AccessTokenClaims, NotIssued> {
    let now = server.store.now();
    if is_opaque(token) {
        let found = server.store.find_access_token(&digest(token)).await?;
        let claims = found.ok_or(NotIssued::Unknown)?;
        check(&claims, &server.settings, now, leeway)?;
        return Ok(claims);
    }
    let audience = audience(&server.settings);
    let expected = Expected {
        issuer: &server.settings.issuer,
        audience: &audience,
        typ: &[AccessTokenClaims::TYP],
        now,
        leeway,
    };
    let verified = UnverifiedJwt::parse(token)?.verify(&server.keys.handle().current(), &expected)?;
    Ok(verified.decode()?)
}

/// What verifying a JWT asks for, beside the signature: this server may have another name by now, or other resources.
fn check(
    claims: &AccessTokenClaims,
    settings: &Settings,
    now: Timestamp,
    leeway: Duration,
) -> Result<(), JoseError> {
    if settings.issuer != *claims.iss {
        return Err(JoseError::WrongIssuer);
    }
    if !audience(settings).into_iter().any(|resource| claims.aud.contains(resource)) {
        return Err(JoseError::WrongAudience);
    }
    if now >= claims.exp.after(leeway) { Err(JoseError::Expired) } else { Ok(()) }
}

fn audience(settings: &Settings) -> Vec<&str> {
    settings.resources.iter().map(|resource| resource.identifier.as_str()).collect()
}

/// The opaque access tokens of an authorization server, for a resource server in the same process. Clones are the same.
#[derive(Clone, Debug)]
pub struct OpaqueTokens {
    store: Store,
    patience: Duration,
}

impl OpaqueTokens {
    /// What each of them begins with.
    pub const PREFIX: &str = PREFIX;

    /// What a token says, also after its end, until it is swept; nothing where it is not known. It may have been revoked:
    /// [`Revocations`](crate::Revocations) knows its `jti`.
    ///
    /// # Errors
    /// Where the store fails, or answers nothing for too long ([`Settings::patience`]).
    pub async fn find(&self, token: &str) -> Result<Option<AccessTokenClaims>, StoreError> {
        if !is_opaque(token) {
            return Ok(None);
        }
        let hash = digest(token);
        let found = self.store.find_access_token(&hash);
        timeout(self.patience, found).await.unwrap_or(Err(StoreError::NoAnswer(self.patience)))
    }

    /// Whether there is one that has not ended. Where no resource has opaque tokens any more and this is so, none will come,
    /// and none need be looked for.
    ///
    /// # Errors
    /// As [`Self::find`].
    pub async fn are_there(&self) -> Result<bool, StoreError> {
        let found = self.store.has_access_tokens();
        timeout(self.patience, found).await.unwrap_or(Err(StoreError::NoAnswer(self.patience)))
    }
}

impl AuthorizationServer {
    /// The opaque access tokens, where a resource is configured to have such ones.
    #[must_use]
    pub fn opaque_tokens(&self) -> OpaqueTokens {
        let (store, patience) = self.store_and_patience();
        OpaqueTokens { store, patience }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_a_whole_one_is_looked_for() {
        let whole = opaque_token().expose().to_owned();
        assert!(is_opaque(&whole));
        for other in [
            &whole[1..],
            &whole[..whole.len() - 1],
            &format!("{whole}A"),
            &whole.replace("hpa_", "hpk_"),
            &format!("hpa_{}", "é".repeat(21) + "A"),
            &format!("hpa_{}", "=".repeat(43)),
            "hpa_",
            "",
        ] {
            assert!(!is_opaque(other), "{other}");
        }
    }
}
