//! Which kinds of revisions a program knows (2026-07-28, basic/versioning, "Terminology"; stdio, "Backward Compatibility").
//!
//! A program shows it by its answers to `initialize` and to `server/discover`. Which of them came first may hold for all
//! of a process's life, so that a program that knows both has a process for each kind of clients.
//!
//! What one user's process shows holds for that user's processes: a program may be another one for somebody else, by what it finds
//! in its environment.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long `server/discover` is waited for where nobody knows whether the program has it: some answer nothing before
/// `initialize` (2026-07-28, stdio, "Backward Compatibility").
const PATIENCE: Duration = Duration::from_secs(10);
/// The same where another process of the program has said nothing before that: it is asked later, and not otherwise.
const LESS: Duration = Duration::from_secs(1);

/// Two kinds of revisions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Era {
    /// Those that begin with `initialize`: up to 2025-11-25.
    Legacy,
    /// Those whose requests stand alone: from 2026-07-28 on.
    Modern,
}

impl Era {
    pub(super) fn other(self) -> Self {
        match self {
            Self::Legacy => Self::Modern,
            Self::Modern => Self::Legacy,
        }
    }
}

/// What a program has shown so far to those who have its processes in common.
#[derive(Debug, Default)]
pub(super) struct Eras {
    known: Mutex<Known>,
    /// Whether any process of it, whose ever, said nothing before `initialize`.
    silent: Arc<AtomicBool>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Known {
    legacy: Option<bool>,
    modern: Option<bool>,
}

impl Eras {
    pub(super) fn new(silent: Arc<AtomicBool>) -> Self {
        Self { known: Mutex::default(), silent }
    }

    /// How long `server/discover` is waited for.
    pub(super) fn patience(&self) -> Duration {
        if self.silent.load(Ordering::Relaxed) { LESS } else { PATIENCE }
    }

    /// It answers nothing before `initialize`.
    pub(super) fn is_silent(&self) {
        self.silent.store(true, Ordering::Relaxed);
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the program knows revisions of that kind; `None` where it was never asked.
    pub(super) fn knows(&self, era: Era) -> Option<bool> {
        let known = self.known();
        match era {
            Era::Legacy => known.legacy,
            Era::Modern => known.modern,
        }
    }

    pub(super) fn learn(&self, era: Era, knows: bool) {
        let mut known = self.known();
        match era {
            Era::Legacy => known.legacy = Some(knows),
            Era::Modern => known.modern = Some(knows),
        }
    }

    /// What to begin a process with that clients of this kind need: with their own, unless the program is known not to have
    /// it.
    pub(super) fn first(&self, era: Era) -> Era {
        if self.knows(era) == Some(false) { era.other() } else { era }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What one user's process shows makes another's be asked sooner, and decides nothing.
    #[test]
    fn another_users_silence_shortens_the_wait_alone() {
        let silent = Arc::default();
        let [one, other] = [Eras::new(Arc::clone(&silent)), Eras::new(silent)];
        assert_eq!(other.patience(), PATIENCE);
        one.is_silent();
        one.learn(Era::Modern, false);
        assert_eq!((other.patience(), other.knows(Era::Modern)), (LESS, None));
        assert_eq!(other.first(Era::Modern), Era::Modern);
    }

    #[test]
    fn a_process_begins_as_its_clients_do_unless_it_cannot() {
        let eras = Eras::default();
        assert_eq!([Era::Legacy, Era::Modern].map(|era| eras.first(era)), [Era::Legacy, Era::Modern]);
        eras.learn(Era::Modern, false);
        assert_eq!([Era::Legacy, Era::Modern].map(|era| eras.first(era)), [Era::Legacy, Era::Legacy]);
        eras.learn(Era::Modern, true);
        eras.learn(Era::Legacy, false);
        assert_eq!([Era::Legacy, Era::Modern].map(|era| eras.first(era)), [Era::Modern, Era::Modern]);
    }
}
