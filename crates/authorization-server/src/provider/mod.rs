//! Somebody else's authorization server, of which this one is a client: as a relying party (OpenID Connect Core 1.0), or
//! for tokens of its own (RFC 6749).
//!
//! | room | what is in it |
//! |---|---|
//! | `settings` | who the provider is, and who this server is there |
//! | `discovery` | its metadata: fetched, checked, kept |
//! | `request` | where a person is sent |
//! | `answer` | what comes back is judged |
//! | `tokens` | redeem, refresh, revoke |
//! | `authentication` | how this server shows who it is |
//! | `id_token`, `people` | who somebody is: by signature, or by asking |
//! | `leg` | what was begun here, in which browser: good once |
//!
//! What a provider does differently is data: [`Profile`](hallpass_protocol::profile::Profile).

mod answer;
mod authentication;
mod discovery;
mod error;
mod id_token;
mod identity;
mod leg;
mod people;
mod request;
mod settings;
mod tokens;

use std::sync::Arc;

use hallpass_protocol::time::Timestamp;
use tokio::sync::Mutex;

use crate::clients::ClientKeys;
pub use discovery::Discovered;
use discovery::Known;
pub use error::ProviderError;
pub use identity::Identity;
pub use leg::{Leg, LegKind};
pub use request::AuthorizationRequest;
pub use settings::{ProviderCredentials, ProviderSettings};
pub use tokens::TokenRequest;

/// Somebody else's authorization server. Clones are the same one: what is known of it is shared.
#[derive(Clone)]
pub struct Provider(Arc<Inner>);

struct Inner {
    settings: ProviderSettings,
    known: Mutex<Known>,
    keys: ClientKeys,
}

impl std::fmt::Debug for Provider {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("Provider").field(&self.0.settings.issuer).finish()
    }
}

impl Provider {
    /// A provider of which nothing has been asked yet.
    #[must_use]
    pub fn new(settings: ProviderSettings) -> Self {
        Self(Arc::new(Inner { settings, known: Mutex::default(), keys: ClientKeys::default() }))
    }

    /// Who it is, and who this server is there.
    #[must_use]
    pub fn settings(&self) -> &ProviderSettings {
        &self.0.settings
    }

    /// What it says about itself, checked; fetched where it is not known, or not of late.
    ///
    /// # Errors
    /// Where it cannot be had, and where it speaks for another issuer.
    pub async fn discovered(&self, now: Timestamp) -> Result<Arc<Discovered>, ProviderError> {
        self.0.known.lock().await.get_or_fetch(&self.0.settings, now).await
    }
}
