//! How many bytes may wait for somebody who does not read.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Room for so many bytes. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Room {
    left: Arc<Semaphore>,
    size: u32,
}

/// Bytes that wait. Their room is free again when they are taken out, or dropped with whoever should
/// have read them.
#[derive(Debug)]
pub(super) struct Held {
    bytes: Bytes,
    _room: Option<OwnedSemaphorePermit>,
}

impl Room {
    pub(super) fn new(bytes: usize) -> Self {
        let size = u32::try_from(bytes).unwrap_or(u32::MAX);
        Self { left: Arc::new(Semaphore::new(size as usize)), size }
    }

    /// Holds all of them or none.
    pub(super) fn try_hold<'b>(&self, all: impl Iterator<Item = &'b Bytes> + Clone) -> Option<Vec<Held>> {
        let total = all.clone().map(|bytes| self.cost(bytes)).try_fold(0_u32, u32::checked_add)?;
        let mut room = Arc::clone(&self.left).try_acquire_many_owned(total).ok()?;
        all.map(|bytes| {
            let own = room.split(self.cost(bytes) as usize)?;
            Some(Held { bytes: bytes.clone(), _room: Some(own) })
        })
        .collect()
    }

    /// Waits until there is room.
    pub(super) async fn hold(&self, bytes: Bytes) -> Option<Held> {
        let own = Arc::clone(&self.left).acquire_many_owned(self.cost(&bytes)).await.ok()?;
        Some(Held { bytes, _room: Some(own) })
    }

    /// What is longer than the room takes all of it, and so waits until it is alone. Short messages
    /// cost what keeping them costs.
    fn cost(&self, bytes: &Bytes) -> u32 {
        u32::try_from(bytes.len()).unwrap_or(u32::MAX).max(256).min(self.size)
    }
}

impl Held {
    /// The last words of a session: short, and few.
    pub(super) fn beyond(bytes: Bytes) -> Self {
        Self { bytes, _room: None }
    }

    /// Other bytes in the same room: what it costs to keep them is about the same.
    pub(super) fn replaced(self, bytes: Bytes) -> Self {
        Self { bytes, ..self }
    }

    pub(super) fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    pub(super) fn into_bytes(self) -> Bytes {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(lengths: &[usize]) -> Vec<Bytes> {
        lengths.iter().map(|length| Bytes::from(vec![b'x'; *length])).collect()
    }

    #[tokio::test]
    async fn what_is_held_takes_room_until_it_is_gone() {
        let room = Room::new(1000);
        let held = room.try_hold(of(&[400, 400]).iter()).unwrap();
        assert!(room.try_hold(of(&[300]).iter()).is_none());
        drop(held);
        assert!(room.try_hold(of(&[300, 300, 300]).iter()).is_some());
        // All or none.
        assert!(room.try_hold(of(&[900, 200]).iter()).is_none());
        assert!(room.try_hold(of(&[900]).iter()).is_some());
    }

    #[tokio::test]
    async fn what_is_longer_than_the_room_waits_until_it_is_alone() {
        let room = Room::new(1000);
        let long = room.hold(of(&[5000]).remove(0)).await.unwrap();
        assert!(room.try_hold(of(&[1]).iter()).is_none());
        assert_eq!(long.bytes().len(), 5000);
        assert_eq!(long.into_bytes().len(), 5000);
        assert!(room.try_hold(of(&[1]).iter()).is_some());
    }
}
