//! The next access token: asked for under a lease, and written before anybody has it.

use std::time::Duration;

use tokio::time::sleep;

use super::kept::{Kept, ends};
use super::session::end;
use super::{NoToken, Vault};
use crate::provider::TokenRequest;
use crate::store::{Ends, VaultRow};

/// How long whoever asks has for it, writing included. A process that is killed meanwhile holds nobody up for longer.
pub(super) const LEASE: Duration = Duration::from_secs(60);
/// How long a third party that does not answer is left alone.
const AGAIN: Duration = Duration::from_secs(5);
/// How often, and how far apart, it is tried to write what the third party gave: the token before it is good for nothing any more.
const TRIES: u32 = 30;
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
    match party.provider.tokens(request, None, now).await {
        Ok(tokens) => {
            // RFC 6749 §6: where there is no new one, the old one goes on.
            let ends = ends(&tokens, true, now);
            let refresh = tokens.refresh_token.or(kept.refresh);
            let next = Kept { access: tokens.access_token, refresh, asked: kept.asked };
            write(&vault, &row, &next, ends).await
        }
        Err(error) if error.ends_session() => {
            Ok(end(store, party, &user_id, &row, &error.to_string()).await?)
        }
        // Nothing is known of the session: it goes on.
        Err(error) => {
            tracing::warn!(third_party = party.name, %error, "a token could not be renewed; it is tried again");
            Ok(store.release_in_vault(&row.id, &lease, now.after(AGAIN)).await?)
        }
    }
}

/// Persist before use. A database that is away for a moment must not cost the session.
async fn write(vault: &Vault, row: &VaultRow, next: &Kept, ends: Ends) -> Result<(), NoToken> {
    let sealed = next.seal(&vault.store, &row.id)?;
    for attempt in 1..=TRIES {
        match vault.store.renew_in_vault(row, &sealed, ends).await {
            // Or it was unlinked, or linked anew, meanwhile: then nobody needs it.
            Ok(_) => return Ok(()),
            Err(error) => tracing::warn!(%error, attempt, "a renewed token is not written yet"),
        }
        sleep(BETWEEN_TRIES).await;
    }
    tracing::error!(
        third_party = vault.party.name,
        "a renewed token could not be written, and is lost: the person may have to link again"
    );
    Err(vault.unavailable())
}
