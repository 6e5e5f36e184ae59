//! What an opaque access token is, as the resource server that it is for will see it (RFC 7662).

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use hallpass_protocol::secret::Secret;
use tokio::time::timeout;

/// Longer than a fetch may take; shorter than what is left of a turn at the provider.
pub(super) const PATIENCE: Duration = Duration::from_secs(12);

/// Why a token would be of no use to whoever gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotTaken {
    /// It would be refused; in words.
    Refused(String),
    /// Nobody knows at this moment.
    Unknown,
}

type Answer = Pin<Box<dyn Future<Output = Result<(), NotTaken>> + Send>>;

/// Asks what a token is. Clones are the same.
#[derive(Clone)]
pub struct Introspect(Arc<dyn Fn(Secret) -> Answer + Send + Sync>);

impl Introspect {
    /// By this: it says whether the resource server takes the token.
    #[must_use]
    pub fn new<F>(ask: impl Fn(Secret) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), NotTaken>> + Send + 'static,
    {
        Self(Arc::new(move |token| Box::pin(ask(token))))
    }

    pub(super) async fn ask(&self, token: &Secret) -> Result<(), NotTaken> {
        timeout(PATIENCE, (self.0)(token.clone())).await.unwrap_or(Err(NotTaken::Unknown))
    }
}

impl std::fmt::Debug for Introspect {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Introspect")
    }
}
