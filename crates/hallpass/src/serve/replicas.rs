//! What the replicas of a protected server share: which proofs were there before, and each other's nonces.

use std::pin::Pin;
use std::time::Duration;

use hallpass_authorization_server::Store;
use hallpass_protocol::Timestamp;
use hallpass_resource_server::replays::{Memory, Once, Replays, Seen};
use hallpass_resource_server::{self as resource_server, NonceKey};

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::exit::Failure;

/// How often what has ended is deleted.
const SWEEP: Duration = Duration::from_secs(60);

/// How long a request waits for a database that answers nothing.
const PATIENCE: Duration = Duration::from_secs(10);

/// What was there before at one resource, remembered in the database.
struct InTheStore {
    store: Store,
    resource: String,
}

impl Memory for InTheStore {
    fn see<'a>(&'a self, once: Once<'a>, _: Timestamp) -> Pin<Box<dyn Future<Output = Seen> + Send + 'a>> {
        Box::pin(async move {
            // No server hears of what another one has seen. An identifier holds no space.
            let party = format!("{} {}", self.resource, once.party);
            match timeout(PATIENCE, self.store.see_once(&party, once.id, once.ends)).await {
                Ok(Ok(true)) => Seen::New,
                Ok(Ok(false)) => Seen::Before,
                Ok(Err(error)) => {
                    tracing::error!(%error, "it cannot be told which proofs were there before");
                    Seen::Unknown
                }
                Err(_) => {
                    tracing::error!("the database does not say which proofs were there before");
                    Seen::Unknown
                }
            }
        })
    }
}

/// Tells the resource server. A server that has its database for itself remembers in its own memory: a row for each request
/// would cost more than the request. Nonces are bound to their resource by themselves.
pub(super) async fn share(settings: &mut resource_server::Settings, store: &Store) -> Result<(), Failure> {
    settings.nonces = NonceKey::shared(&store.nonce_secret().await?);
    if store.is_shared() {
        let resource = settings.resource.to_string();
        settings.replays = Replays::new(InTheStore { store: store.clone(), resource });
    }
    Ok(())
}

/// Without an authorization server in this house, nobody else deletes what has ended. The audit log, in which stand what the
/// operator and the command line have done, is kept for so long.
pub(super) fn keep_house(store: Store, audit_lifetime: Duration, stop: CancellationToken) {
    store.audit_log().keep_for(audit_lifetime);
    tokio::spawn(stop.run_until_cancelled_owned(async move {
        loop {
            tokio::time::sleep(SWEEP).await;
            if let Err(error) = store.sweep().await {
                tracing::error!(%error, "what has ended cannot be deleted from the database");
            }
        }
    }));
}
