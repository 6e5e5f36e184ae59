//! Whether a file is what it was.

use std::path::Path;
use std::time::SystemTime;

/// What there was of a file: when it was written, how long it is, and which one it is. None, where it is not there.
pub(super) type Seen = Option<(SystemTime, u64, u64)>;

/// Links are followed: some systems put another folder in the place of the one with the files.
pub(super) fn seen(file: &Path) -> Seen {
    let there = std::fs::metadata(file).ok()?;
    #[cfg(unix)]
    let inode = std::os::unix::fs::MetadataExt::ino(&there);
    #[cfg(not(unix))]
    let inode = 0;
    Some((there.modified().ok()?, there.len(), inode))
}

/// Of several, in their order.
pub(super) fn seen_all<P: AsRef<Path>>(files: &[P]) -> Vec<Seen> {
    files.iter().map(|file| seen(file.as_ref())).collect()
}
