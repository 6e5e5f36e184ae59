//! The key that signs access tokens, and the public half for those who check them.

use std::sync::{Arc, PoisonError, RwLock};

use hallpass_protocol::jose::{Algorithm, JwkSet, SigningKey, VerifyingKeys};

use crate::store::{Store, StoreError};

/// The keys that this server's access tokens verify with. Clones follow a rotation together.
#[derive(Clone)]
pub struct KeyHandle(Arc<RwLock<Arc<VerifyingKeys>>>);

impl std::fmt::Debug for KeyHandle {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("KeyHandle")
    }
}

impl KeyHandle {
    /// The keys as of now. Cheap: a read lock and a count.
    #[must_use]
    pub fn current(&self) -> Arc<VerifyingKeys> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What signs, what is published, and what verifies.
pub(crate) struct KeyRing {
    signing: SigningKey,
    published: JwkSet,
    handle: KeyHandle,
}

impl KeyRing {
    /// The stored keys; the first start makes one.
    pub(crate) async fn load_or_create(store: &Store) -> Result<Self, StoreError> {
        let mut rows = store.signing_keys().await?;
        if rows.is_empty() {
            let made = SigningKey::generate_es256().map_err(|_| StoreError::unreadable_key())?;
            store
                .insert_first_signing_key(made.kid(), made.algorithm().name(), made.to_pkcs8().expose())
                .await?;
            rows = store.signing_keys().await?;
        }
        let mut keys = Vec::new();
        for (kid, algorithm, pkcs8) in rows {
            let key = Algorithm::from_name(&algorithm)
                .and_then(|algorithm| SigningKey::from_pkcs8(kid, &pkcs8, algorithm).ok());
            keys.push(key.ok_or_else(StoreError::unreadable_key)?);
        }
        let published = JwkSet { keys: keys.iter().map(SigningKey::public_jwk).collect() };
        let verifying = VerifyingKeys::from_jwk_set(&published, &Algorithm::ALL);
        let signing = keys.into_iter().next().ok_or_else(StoreError::unreadable_key)?;
        Ok(Self { signing, published, handle: KeyHandle(Arc::new(RwLock::new(Arc::new(verifying)))) })
    }

    pub(crate) fn signing(&self) -> &SigningKey {
        &self.signing
    }

    pub(crate) fn published(&self) -> &JwkSet {
        &self.published
    }

    pub(crate) fn handle(&self) -> &KeyHandle {
        &self.handle
    }
}
