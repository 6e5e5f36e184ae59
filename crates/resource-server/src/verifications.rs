//! How JWTs were found good, for whoever counts.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts JWTs that were verified.
#[derive(Debug, Default)]
pub struct Verifications {
    remembered: AtomicU64,
    fresh: AtomicU64,
}

impl Verifications {
    /// So many were known from before.
    #[must_use]
    pub fn remembered(&self) -> u64 {
        self.remembered.load(Ordering::Relaxed)
    }

    /// So many had their signature verified.
    #[must_use]
    pub fn fresh(&self) -> u64 {
        self.fresh.load(Ordering::Relaxed)
    }

    pub(crate) fn count(&self, was_remembered: bool) {
        let counter = if was_remembered { &self.remembered } else { &self.fresh };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}
