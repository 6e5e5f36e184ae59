//! What a setting was when it was read, for whoever asks whether it is another one by now.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

use super::seen::{Seen, seen_all};

/// What the file said, and which files it named then.
pub(super) struct Mark {
    said: Option<serde_json::Value>,
    files: Vec<Seen>,
}

impl Mark {
    /// Of this, and of the files that it names. To be made before they are read: what changes later shows then.
    pub(super) fn of(said: &impl Serialize, files: &[PathBuf]) -> Self {
        Self { said: serde_json::to_value(said).ok(), files: seen_all(files) }
    }
}

impl PartialEq for Mark {
    /// What cannot be told is taken for a change.
    fn eq(&self, other: &Self) -> bool {
        self.said.is_some() && self.said == other.said && self.files == other.files
    }
}

impl fmt::Debug for Mark {
    /// A command's environment may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mark")
    }
}
