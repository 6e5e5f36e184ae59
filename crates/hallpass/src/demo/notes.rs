//! Notes, kept in memory, apart for each person.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many notes one person may keep, so that a demo can't eat the machine.
const MOST: usize = 1_000;

/// Everyone's notes. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notes(Arc<Mutex<HashMap<String, Vec<String>>>>);

impl Notes {
    /// The notes of one person, oldest first.
    pub(crate) fn of(&self, subject: &str) -> Vec<String> {
        self.lock().get(subject).cloned().unwrap_or_default()
    }

    /// Adds a note and says how many there are now; `None` where there is no room.
    pub(crate) fn add(&self, subject: &str, note: String) -> Option<usize> {
        let mut all = self.lock();
        let notes = all.entry(subject.to_owned()).or_default();
        if notes.len() >= MOST {
            return None;
        }
        notes.push(note);
        Some(notes.len())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Vec<String>>> {
        // A panic elsewhere leaves whole notes behind: each change is one step.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_kept_apart() {
        let notes = Notes::default();
        assert_eq!(notes.add("alice", "milk".to_owned()), Some(1));
        assert_eq!(notes.of("alice"), ["milk"]);
        assert!(notes.of("bob").is_empty());
    }

    #[test]
    fn a_full_notebook_takes_no_more() {
        let notes = Notes::default();
        for _ in 0..MOST {
            notes.add("alice", String::new());
        }
        assert_eq!(notes.add("alice", "one more".to_owned()), None);
    }
}
