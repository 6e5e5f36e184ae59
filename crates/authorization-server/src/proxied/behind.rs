//! The provider's refresh token, sealed under a key that only the client's own refresh token yields.

use hallpass_protocol::secret::Secret;

use crate::keys::SealingKey;
use crate::random::digest;
use crate::store::StoreError;

/// The provider's token, as it is stored beside ours.
pub(super) fn seal(ours: &Secret, theirs: &Secret) -> Result<String, StoreError> {
    Ok(key(ours).seal(&digest(ours.expose()), theirs.expose().as_bytes())?)
}

/// The provider's token.
pub(super) fn open(ours: &Secret, sealed: &str) -> Result<Secret, StoreError> {
    let theirs = key(ours).open(&digest(ours.expose()), sealed)?;
    String::from_utf8(theirs).map(Secret::new).map_err(|_| StoreError::Sealed)
}

fn key(ours: &Secret) -> SealingKey {
    SealingKey::derive(ours.expose().as_bytes(), "the refresh token of a provider")
}
