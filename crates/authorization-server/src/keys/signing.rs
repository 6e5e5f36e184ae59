//! The keys that sign access tokens, and the public halves for those who check them.
//!
//! | a key is | published | signs |
//! |---|---|---|
//! | next: made, and its time has not come | yes, so that it is known before the first token that needs it | no |
//! | current | yes | yes |
//! | previous: another has taken its place | until the last token that it signed is dead | no |
//!
//! What a key is follows from the times in its row alone, so all processes on one database agree.

use std::sync::{Arc, PoisonError, RwLock};

use hallpass_protocol::jose::{Algorithm, JwkSet, SigningKey, VerifyingKeys};
use hallpass_protocol::time::Timestamp;

use super::rotation::{KeyState, state};
use crate::store::{NewSigningKey, SigningKeyRow, Store, StoreError};

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
    keys: RwLock<Arc<Vec<LineKey>>>,
    handle: KeyHandle,
}

/// A key with its time.
pub(super) struct LineKey {
    pub(super) key: SigningKey,
    pub(super) active_from: Timestamp,
}

impl KeyRing {
    /// The stored keys; the first start makes one, which signs at once.
    pub(crate) async fn load_or_create(store: &Store, algorithm: Algorithm) -> Result<Self, StoreError> {
        if store.signing_key_line().await?.is_empty() {
            make(store, algorithm, store.now(), 0).await?;
        }
        let handle = KeyHandle(Arc::new(RwLock::new(Arc::new(VerifyingKeys::default()))));
        let ring = Self { keys: RwLock::default(), handle };
        ring.load(store).await?;
        Ok(ring)
    }

    /// Reads the keys again where others have changed them.
    pub(crate) async fn follow(&self, store: &Store) -> Result<(), StoreError> {
        let line = self.line();
        let known = line.iter().map(|line| (line.key.kid(), line.active_from));
        let stored = store.signing_key_line().await?;
        if !known.eq(stored.iter().map(|(kid, active_from)| (kid.as_str(), *active_from))) {
            self.load(store).await?;
        }
        Ok(())
    }

    async fn load(&self, store: &Store) -> Result<(), StoreError> {
        let mut line = Vec::new();
        for row in store.signing_keys().await? {
            line.push(LineKey { key: open(&row)?, active_from: row.active_from });
        }
        let set = published(&line);
        let verifying = VerifyingKeys::from_jwk_set(&set, &Algorithm::ALL);
        *self.handle.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(verifying);
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(line);
        Ok(())
    }

    /// The key whose time it is.
    pub(crate) fn signing(&self, now: Timestamp) -> Result<SigningKey, StoreError> {
        let line = self.line();
        let times: Vec<Timestamp> = line.iter().map(|key| key.active_from).collect();
        line.iter()
            .enumerate()
            .find(|(at, _)| state(&times, *at, now) == KeyState::Current)
            .map(|(_, line)| line.key.clone())
            .ok_or_else(StoreError::unreadable_key)
    }

    pub(crate) fn published(&self) -> JwkSet {
        published(&self.line())
    }

    /// The algorithms that tokens may be signed with at this time.
    pub(crate) fn algorithms(&self) -> Vec<Algorithm> {
        let mut all: Vec<Algorithm> = self.line().iter().map(|line| line.key.algorithm()).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    pub(crate) fn handle(&self) -> &KeyHandle {
        &self.handle
    }

    fn line(&self) -> Arc<Vec<LineKey>> {
        Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Makes a key and puts it in line. False where another process was faster.
pub(super) async fn make(
    store: &Store,
    algorithm: Algorithm,
    active_from: Timestamp,
    place: i64,
) -> Result<bool, StoreError> {
    // An RSA key is searched for, which takes a while.
    let made = tokio::task::spawn_blocking(move || SigningKey::generate(algorithm)).await;
    let made = made.ok().and_then(Result::ok).ok_or_else(StoreError::unreadable_key)?;
    let pkcs8 = made.to_pkcs8();
    let (kid, algorithm, pkcs8) = (made.kid(), made.algorithm().name(), pkcs8.expose());
    store.insert_signing_key(&NewSigningKey { kid, algorithm, pkcs8, active_from, place }).await
}

fn open(row: &SigningKeyRow) -> Result<SigningKey, StoreError> {
    Algorithm::from_name(&row.algorithm)
        .and_then(|algorithm| SigningKey::from_pkcs8(row.kid.as_str(), &row.pkcs8, algorithm).ok())
        .ok_or_else(StoreError::unreadable_key)
}

/// The newest first: who takes the first that fits finds it sooner.
fn published(line: &[LineKey]) -> JwkSet {
    JwkSet { keys: line.iter().rev().map(|line| line.key.public_jwk()).collect() }
}
