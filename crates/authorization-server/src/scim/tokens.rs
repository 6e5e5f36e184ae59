//! Tokens by which an identity provider provisions people.

use std::time::Duration;

use hallpass_protocol::secret::Secret;
use hallpass_protocol::time::Timestamp;

use crate::audit::{AuditKind, By, NewEvent};
use crate::random::{digest, id, token};
use crate::store::{Store, StoreError};

/// What each begins with, so that people and scanners of leaked secrets know what they have found.
const PREFIX: &str = "hps_";
/// The prefix, and 256 bits in base64url.
const LENGTH: usize = PREFIX.len() + 43;

/// Whether it could be one. What could not be one is never looked for.
pub(super) fn is_one(text: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    text.len() == LENGTH && text.strip_prefix(PREFIX).is_some_and(|rest| rest.bytes().all(letter))
}

/// A token as the operator sees it. What opens is not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvisioningToken {
    /// Its name here, for revoking it.
    pub id: String,
    /// What the operator noted when it was issued.
    pub note: String,
    /// Since when.
    pub created_at: Timestamp,
    /// Until when.
    pub expires_at: Timestamp,
}

/// The tokens by which identity providers provision people (SCIM), for an operator. Works on a bare store, while a server
/// runs on it too.
#[derive(Clone, Debug)]
pub struct ProvisioningTokens(Store);

impl ProvisioningTokens {
    /// Issues one. It is told once: only its hash is kept. Says its id, too.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn issue(&self, note: &str, lifetime: Duration) -> Result<(String, Secret), StoreError> {
        let secret = Secret::new(format!("{PREFIX}{}", token()));
        let issued = ProvisioningToken {
            id: id(),
            note: crate::pages::shown(note),
            created_at: self.0.now(),
            expires_at: self.0.now().after(lifetime),
        };
        self.0.insert_scim_token(&issued, &digest(secret.expose())).await?;
        self.note(AuditKind::ProvisioningTokenIssued, &issued.id).await;
        Ok((issued.id, secret))
    }

    /// Those that have not ended, newest first.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn list(&self) -> Result<Vec<ProvisioningToken>, StoreError> {
        self.0.list_scim_tokens().await
    }

    /// Ends one; people whom it has provisioned stay. False where there is none with this id.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn revoke(&self, id: &str) -> Result<bool, StoreError> {
        let done = self.0.delete_scim_token(id).await?;
        if done {
            self.note(AuditKind::ProvisioningTokenRevoked, id).await;
        }
        Ok(done)
    }

    async fn note(&self, kind: AuditKind, id: &str) {
        self.0.record_now(NewEvent::new(kind).by(&By::Operator).detail(id)).await;
    }
}

impl Store {
    /// The tokens by which identity providers provision people.
    #[must_use]
    pub fn provisioning_tokens(&self) -> ProvisioningTokens {
        ProvisioningTokens(self.clone())
    }
}
