//! When one signing key takes the place of another: by schedule, or by the operator's command.

use std::time::Duration;

use hallpass_protocol::jose::Algorithm;
use hallpass_protocol::time::Timestamp;

use super::signing::make;
use crate::audit::{AuditKind, By, NewEvent};
use crate::store::{Store, StoreError, revocation_ends};

/// How keys come and go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// What new keys sign with: ES256. Where it is changed, a key of the new kind comes next.
    pub algorithm: Algorithm,
    /// How long a key signs before another one does: 90 days.
    pub every: Duration,
    /// How long a key is published before it signs: a day. Whoever checks tokens keeps key sets for a while.
    pub ahead: Duration,
}

impl Default for Rotation {
    fn default() -> Self {
        const DAY: u64 = 24 * 60 * 60;
        Self {
            algorithm: Algorithm::ES256,
            every: Duration::from_secs(90 * DAY),
            ahead: Duration::from_secs(DAY),
        }
    }
}

/// What a key is for at a time.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// Published, and signs later.
    Next,
    /// Signs.
    Current,
    /// Has signed tokens that may still be alive.
    Previous,
    /// No token that it signed is alive.
    Dead,
}

impl KeyState {
    /// In one word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Next => "next",
            Self::Current => "current",
            Self::Previous => "previous",
            Self::Dead => "dead",
        }
    }
}

/// What the key at that place in line is at this time. The times are in order. The first has begun, whatever the clock says:
/// there is no other, and it may have been made by a clock that was ahead.
pub(super) fn state(active_from: &[Timestamp], at: usize, now: Timestamp) -> KeyState {
    let begun = |time: &&Timestamp| **time <= now;
    if at > 0 && active_from.get(at).filter(begun).is_none() {
        return KeyState::Next;
    }
    match active_from.get(at + 1).filter(begun) {
        None => KeyState::Current,
        Some(replaced) if revocation_ends(*replaced) <= now => KeyState::Dead,
        Some(_) => KeyState::Previous,
    }
}

/// The signing keys, for an operator. Works on a bare store, while a server runs on it too.
#[derive(Clone, Debug)]
pub struct SigningKeys(Store);

/// A signing key as an operator sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishedKey {
    /// Its id, which tokens name.
    pub kid: String,
    /// What it signs with.
    pub algorithm: String,
    /// What it is for now.
    pub state: KeyState,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it begins to sign, or began.
    pub active_from: Timestamp,
    place: i64,
}

impl SigningKeys {
    pub(crate) fn new(store: Store) -> Self {
        Self(store)
    }

    /// All keys, oldest first.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn list(&self) -> Result<Vec<PublishedKey>, StoreError> {
        let (rows, now) = (self.0.signing_keys().await?, self.0.now());
        let times: Vec<Timestamp> = rows.iter().map(|row| row.active_from).collect();
        Ok(rows
            .into_iter()
            .enumerate()
            .map(|(at, row)| PublishedKey {
                state: state(&times, at, now),
                kid: row.kid,
                algorithm: row.algorithm,
                created_at: row.created_at,
                active_from: row.active_from,
                place: row.place,
            })
            .collect())
    }

    /// Puts a new key in line, or brings the one that waits there forward; the result signs after `ahead`, which may be
    /// zero. Running servers notice within a second. Says which key that is.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn rotate(&self, algorithm: Algorithm, ahead: Duration) -> Result<String, StoreError> {
        let kid = self.next(algorithm, ahead).await?;
        self.0.record_now(NewEvent::new(AuditKind::KeyPublished).by(&By::Operator).detail(&kid)).await;
        Ok(kid)
    }

    async fn next(&self, algorithm: Algorithm, ahead: Duration) -> Result<String, StoreError> {
        let active_from = self.0.now().after(ahead);
        let keys = self.list().await?;
        let waits = |key: &&PublishedKey| key.state == KeyState::Next && key.algorithm == algorithm.name();
        if let Some(next) = keys.last().filter(waits) {
            if ahead.is_zero() {
                self.0.activate_signing_key(&next.kid).await?;
            }
            return Ok(next.kid.clone());
        }
        let place = keys.last().map_or(0, |last| last.place + 1);
        // A key that waits signs first: the line stays in order.
        let active_from = keys.last().map_or(active_from, |last| active_from.max(last.active_from));
        make(&self.0, algorithm, active_from, place).await?;
        let newest = self.list().await?.pop();
        newest.map(|key| key.kid).ok_or_else(StoreError::unreadable_key)
    }

    /// What housekeeping does: makes the next key when it is time, and takes away those whose tokens are dead.
    pub(crate) async fn keep(&self, rotation: &Rotation) -> Result<(), StoreError> {
        let (keys, now) = (self.list().await?, self.0.now());
        if let Some(newest) = keys.last()
            && newest.state != KeyState::Next
        {
            let due = newest.active_from.after(rotation.every).before(rotation.ahead) <= now;
            let other = newest.algorithm != rotation.algorithm.name();
            if due || other {
                let kid = self.next(rotation.algorithm, rotation.ahead).await?;
                self.0.record(NewEvent::new(AuditKind::KeyPublished).detail(&kid));
                tracing::info!(kid, "a new signing key is published; it signs later");
            }
        }
        for dead in keys.iter().filter(|key| key.state == KeyState::Dead) {
            self.0.delete_signing_key(&dead.kid).await?;
            self.0.record(NewEvent::new(AuditKind::KeyRemoved).detail(&dead.kid));
            tracing::info!(kid = dead.kid, "a signing key is gone: no token that it signed is alive");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_what_its_time_says() {
        let at = |times: &[i64], now| -> Vec<KeyState> {
            let times: Vec<_> = times.iter().map(|time| Timestamp::from_unix(*time)).collect();
            (0..times.len()).map(|at| state(&times, at, Timestamp::from_unix(now))).collect()
        };
        use KeyState::{Current, Dead, Next, Previous};
        assert_eq!(at(&[10], 9), [Current], "there is no other");
        assert_eq!(at(&[10, 20], 9), [Current, Next]);
        assert_eq!(at(&[10], 10), [Current]);
        assert_eq!(at(&[10, 20], 19), [Current, Next]);
        assert_eq!(at(&[10, 20], 20), [Previous, Current]);
        assert_eq!(at(&[10, 20], 20 + 24 * 3600 + 299), [Previous, Current]);
        assert_eq!(at(&[10, 20], 20 + 24 * 3600 + 300), [Dead, Current]);
        assert_eq!(at(&[10, 20, 20], 20), [Previous, Previous, Current], "brought forward twice");
    }
}
