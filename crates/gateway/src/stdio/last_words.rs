//! What a program wrote to stderr last: it says why it ended.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// So many lines.
const LINES: usize = 10;
/// Each so many characters long.
const LINE: usize = 500;

/// The last lines. Clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct LastWords(Arc<Mutex<VecDeque<String>>>);

impl LastWords {
    pub(super) fn hear(&self, line: &str) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() >= LINES {
            lines.pop_front();
        }
        lines.push_back(line.chars().take(LINE).collect());
    }

    pub(super) fn all(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_lines_are_kept_and_so_much_of_each() {
        let words = LastWords::default();
        assert!(words.all().is_empty());
        (0..LINES + 3).for_each(|number| words.hear(&format!("{number} {}", "é".repeat(LINE))));
        let all = words.all();
        assert_eq!(all.len(), LINES);
        assert!(all[0].starts_with("3 ") && all.iter().all(|line| line.chars().count() == LINE));
    }
}
