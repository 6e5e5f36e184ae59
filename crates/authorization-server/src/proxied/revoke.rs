//! What is given back here ends at the provider, where it has a place for that (RFC 7009).

use hallpass_protocol::secret::Secret;
use hallpass_protocol::time::Timestamp;

use super::handed_on::own_name;
use super::{Proxied, behind};
use crate::grants::follow;
use crate::random::digest;
use crate::server::Inner;
use crate::store::StoreError;

/// Ends a token there. What does not succeed is noted: here it has ended in any case. False where the provider may be asked
/// again.
pub(super) async fn at_provider(proxied: &Proxied, token: &Secret, hint: &str, now: Timestamp) -> bool {
    match proxied.provider.revoke(token, hint, now).await {
        Ok(true) => true,
        Ok(false) => {
            tracing::info!("the provider takes no tokens back; what was given ends there by itself");
            true
        }
        Err(error) => {
            tracing::warn!(%error, "a token that was given back here lives on at the provider");
            !error.is_outage()
        }
    }
}

/// Ends the session at the provider that stands behind a refresh token, or behind what has come of it. False where the
/// provider does not answer, and the client may send it again.
pub(crate) async fn end_at_provider(
    server: &Inner,
    proxied: &Proxied,
    presented: &Secret,
) -> Result<bool, StoreError> {
    let Some(last) = follow(server, presented.clone()).await? else { return Ok(true) };
    let row = server.store.find_refresh_token(&digest(last.expose())).await?;
    let Some(sealed) = row.and_then(|row| row.behind) else { return Ok(true) };
    let theirs = behind::open(&last, &sealed)?;
    Ok(at_provider(proxied, &theirs, "refresh_token", server.store.now()).await)
}

/// The same for an access token that this client was given. Another client's is not touched (RFC 7009 §2.1).
pub(crate) async fn revoke_access_token(
    server: &Inner,
    proxied: &Proxied,
    client_id: &str,
    token: &str,
) -> Result<bool, StoreError> {
    let hash = digest(token);
    let Some(first) = server.store.end_handed_over(&hash, client_id).await? else { return Ok(true) };
    // Resource servers that remember it, under whatever grants it had then, hear of that: this is part of each such name. One that
    // asks finds nothing.
    if !first.is_empty() {
        server.store.revoke_access_token(&own_name(&first, &hash)).await?;
    }
    Ok(at_provider(proxied, &Secret::new(token), "access_token", server.store.now()).await)
}
