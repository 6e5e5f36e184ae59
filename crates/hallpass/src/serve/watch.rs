//! Whether files that are watched have to be read again.

use std::path::{Path, PathBuf};

use super::seen::{Seen, seen_all};

/// Files that are looked at again and again.
pub(super) struct Watch {
    files: Vec<PathBuf>,
    /// As they were when they were read last.
    read: Vec<Seen>,
    /// As they were at the last look, where that is something else.
    moving: Option<Vec<Seen>>,
}

impl Watch {
    /// Of a file that is about to be read, and of those that it is known to name.
    pub(super) fn new(file: &Path, named: Vec<PathBuf>) -> Self {
        let files: Vec<PathBuf> = std::iter::once(file.to_owned()).chain(named).collect();
        Self { read: seen_all(&files), files, moving: None }
    }

    /// Whether they have to be read now: one has changed, or somebody asks. Half a file may be one that could be served, so
    /// what nobody asks for is read once it stands still from one look to the next. Each change is told once.
    pub(super) fn is_due(&mut self, asked: bool) -> bool {
        let now = seen_all(&self.files);
        let (changed, still) = (now != self.read, self.moving.as_ref() == Some(&now));
        let due = asked || (changed && still);
        if !due {
            self.moving = changed.then_some(now);
            return false;
        }
        (self.read, self.moving) = (now, None);
        true
    }

    /// The file was read, and names these now; they are read after this. What was written to the file since it was looked at
    /// shows at the next look.
    pub(super) fn follow(&mut self, named: Vec<PathBuf>) {
        self.files.truncate(1);
        self.files.extend(named);
        let named = seen_all(self.files.get(1..).unwrap_or_default());
        self.read.truncate(1);
        self.read.extend(named);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(file: &Path, text: &str) {
        std::fs::write(file, text).unwrap();
    }

    #[test]
    fn a_file_is_due_once_when_it_stands_still() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("hallpass.toml");
        write(&file, "a");
        let mut watch = Watch::new(&file, Vec::new());
        assert!(!watch.is_due(false) && watch.is_due(true));
        for half in ["ab", "abc"] {
            write(&file, half);
            assert!(!watch.is_due(false), "somebody is writing");
        }
        assert!(watch.is_due(false));
        assert!(!watch.is_due(false) && !watch.is_due(false), "told once");
        write(&file, "abcd");
        assert!(watch.is_due(true), "who asks does not wait");
        assert!(!watch.is_due(false) && !watch.is_due(false));
        std::fs::remove_file(&file).unwrap();
        assert!(!watch.is_due(false) && watch.is_due(false));
    }

    #[test]
    fn files_that_are_named_count_as_long_as_they_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let (file, other) = (folder.path().join("hallpass.toml"), folder.path().join("policy.cedar"));
        write(&file, "a");
        write(&other, "a");
        let mut watch = Watch::new(&file, vec![other.clone()]);
        write(&other, "ab");
        assert!(!watch.is_due(false) && watch.is_due(false));
        watch.follow(Vec::new());
        write(&other, "abc");
        assert!(!watch.is_due(false) && !watch.is_due(false));
        // Written between the look at it and the reading.
        assert!(watch.is_due(true));
        write(&file, "ab");
        watch.follow(vec![other]);
        assert!(!watch.is_due(false) && watch.is_due(false));
    }
}
