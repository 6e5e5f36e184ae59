//! The next access token: asked for under a lease, and written before anybody has it.

use std::time::Duration;

use hallpass_protocol::time::Timestamp;
use hallpass_protocol::token::TokenResponse;
use tokio::time::{sleep, timeout};

use super::kept::{Kept, ends};
use super::session::{end, tell};
use super::{NoToken, Vault};
use crate::provider::{ProviderError, TokenRequest};
use crate::store::{Ends, StoreError, VaultRow};

/// How long whoever asks has for it, writing included. A process that is killed meanwhile holds nobody up for longer.
pub(super) const LEASE: Duration = Duration::from_secs(60);
/// How long a third party that does not answer is left alone.
const AGAIN: Duration = Duration::from_secs(5);
/// How long before a token that ends sooner is asked for again. Whoever comes meanwhile waits for that one: used on, it would be good for
/// longer than the third party has said.
const REST: Duration = Duration::from_secs(1);
/// How long the third party has for its answer, discovery included.
const ASKING: Duration = Duration::from_secs(20);
/// How long it is tried to write what the third party gave, and how far apart: the token before it is good for nothing any more.
const WRITING: Duration = Duration::from_secs(30);
const BETWEEN_TRIES: Duration = Duration::from_secs(1);

/// One request to the third party. What comes of it stands in the database.
pub(super) async fn renew(
    vault: Vault,
    user_id: String,
    row: VaultRow,
    kept: Kept,
    lease: String,
) -> Result<(), NoToken> {
    let (store, party, now) = (&vault.store, &vault.party, vault.store.now());
    let Some(refresh) = &kept.refresh else {
        return Ok(end(store, party, &user_id, &row, "its token has ended, and nothing renews it").await?);
    };
    let request = TokenRequest::Refresh { token: refresh, scopes: &kept.asked };
    match asked(&vault, request, now).await {
        Ok(tokens) => {
            // RFC 6749 §6: where there is no new one, the old one goes on.
            let ends = ends(&tokens, true, now);
            let refresh = tokens.refresh_token.or(kept.refresh);
            let next = Kept { access: tokens.access_token, refresh, asked: kept.asked, whose: kept.whose };
            match timeout(WRITING, write(&vault, &row, &next, ends)).await {
                Ok(Ok(true)) => Ok(()),
                // Unlinked meanwhile: nobody needs what the third party gave. Linked anew, it may be that session's, too.
                Ok(Ok(false)) => {
                    if store.find_in_vault(&user_id, &party.name).await?.is_none() {
                        tell(store.clone(), (**party).clone(), next).await;
                    }
                    Ok(())
                }
                Ok(Err(error)) => Err(error.into()),
                Err(_) => {
                    tracing::error!(
                        third_party = party.name,
                        servers = party.acts_for(),
                        "a renewed token could not be written, and is lost: the person may have to link again"
                    );
                    Err(vault.unavailable())
                }
            }
        }
        Err(error) if error.ends_session() => {
            Ok(end(store, party, &user_id, &row, &error.to_string()).await?)
        }
        // Nothing is known of the session: it goes on.
        Err(error) => {
            let (third_party, servers) = (&party.name, party.acts_for());
            tracing::warn!(third_party, servers, %error, "a token could not be renewed; it is tried again");
            Ok(store.release_in_vault(&row.id, &lease, now.after(AGAIN)).await?)
        }
    }
}

/// Within the lease: whoever has the next one must not meet this one's request on its way.
async fn asked(
    vault: &Vault,
    request: TokenRequest<'_>,
    now: Timestamp,
) -> Result<TokenResponse, ProviderError> {
    let asking = vault.party.provider.tokens(request, None, now);
    timeout(ASKING, asking).await.unwrap_or(Err(ProviderError::Slow))
}

/// Persist before use. A database that is away for a moment must not cost the session. False where it was unlinked, or linked
/// anew, meanwhile.
async fn write(vault: &Vault, row: &VaultRow, next: &Kept, ends: Ends) -> Result<bool, StoreError> {
    let sealed = next.seal(&vault.store, &row.id)?;
    loop {
        let not_before = vault.store.now().after(REST);
        match vault.store.renew_in_vault(row, &sealed, ends, not_before).await {
            Ok(written) => return Ok(written),
            Err(error) => tracing::warn!(%error, "a renewed token is not written yet"),
        }
        sleep(BETWEEN_TRIES).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_longer_than_what_is_done_under_it() {
        assert!(ASKING + WRITING < LEASE);
    }
}
