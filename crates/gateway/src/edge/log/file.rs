//! A file that is put aside when it is large or old.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// How often it is looked whether the file was moved away.
const LOOK: Duration = Duration::from_secs(1);

/// When a file is put aside: `log` becomes `log.1`, `log.1` becomes `log.2`, and the last is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// Before it would be larger, in bytes: 100 MB.
    pub size: u64,
    /// When it is older: never.
    pub age: Option<Duration>,
    /// So many are kept beside it: 7.
    pub keep: u32,
}

impl Default for Rotation {
    fn default() -> Self {
        Self { size: 100_000_000, age: None, keep: 7 }
    }
}

pub(super) struct RotatingFile {
    path: PathBuf,
    rotation: Rotation,
    file: BufWriter<File>,
    size: u64,
    since: SystemTime,
    looked: SystemTime,
}

impl RotatingFile {
    pub(super) fn open(path: PathBuf, rotation: Rotation, now: SystemTime) -> io::Result<Self> {
        let (file, size, since) = open(&path, now)?;
        Ok(Self { path, rotation, file, size, since, looked: now })
    }

    pub(super) fn write(&mut self, line: &str, now: SystemTime) -> io::Result<()> {
        let length = line.len() as u64 + 1;
        // What was moved away while there was nothing to write may be packed by now, or gone.
        self.look(now)?;
        if self.is_due(length, now) {
            self.put_aside(now)?;
        }
        // A second write for the end would let another program's line stand between.
        self.file.write_all(format!("{line}\n").as_bytes())?;
        self.size += length;
        Ok(())
    }

    pub(super) fn rest(&mut self, now: SystemTime) -> io::Result<()> {
        self.file.flush()?;
        self.look(now)
    }

    /// Begins a new file where the path leads to this one no more.
    fn look(&mut self, now: SystemTime) -> io::Result<()> {
        if now.duration_since(self.looked).is_ok_and(|since| since >= LOOK) {
            self.looked = now;
            if !is_there(self.file.get_ref(), &self.path) {
                self.file.flush()?;
                (self.file, self.size, self.since) = open(&self.path, now)?;
            }
        }
        Ok(())
    }

    fn is_due(&self, length: u64, now: SystemTime) -> bool {
        let age = now.duration_since(self.since).unwrap_or_default();
        let is_old = self.rotation.age.is_some_and(|most| age >= most);
        self.size > 0 && (self.size + length > self.rotation.size || is_old)
    }

    fn put_aside(&mut self, now: SystemTime) -> io::Result<()> {
        self.file.flush()?;
        let aside = |number: u32| numbered(&self.path, number);
        let keep = self.rotation.keep;
        let _ = std::fs::remove_file(if keep == 0 { self.path.clone() } else { aside(keep) });
        for number in (1..keep).rev() {
            // Not every number was reached yet.
            let _ = std::fs::rename(aside(number), aside(number + 1));
        }
        if keep > 0 {
            match std::fs::rename(&self.path, aside(1)) {
                // Somebody has moved it away; a new one is opened all the same.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                renamed => renamed?,
            }
        }
        (self.file, self.size, self.since) = open(&self.path, now)?;
        Ok(())
    }
}

fn numbered(path: &Path, number: u32) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(format!(".{number}"));
    name.into()
}

/// With its size, and the time it began.
fn open(path: &Path, now: SystemTime) -> io::Result<(BufWriter<File>, u64, SystemTime)> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    let known = file.metadata()?;
    let since = match known.len() {
        0 => now,
        _ => known.created().or_else(|_| known.modified()).unwrap_or(now),
    };
    Ok((BufWriter::with_capacity(64 * 1024, file), known.len(), since))
}

/// Whether the path still leads to the file.
#[cfg(unix)]
fn is_there(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let place = |known: io::Result<std::fs::Metadata>| known.ok().map(|known| (known.dev(), known.ino()));
    place(std::fs::metadata(path)) == place(file.metadata())
}

/// A file that is open cannot be moved here.
#[cfg(not(unix))]
fn is_there(_: &File, path: &Path) -> bool {
    path.exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: SystemTime = SystemTime::UNIX_EPOCH;

    fn written(rotation: Rotation, lines: &[(&str, u64)]) -> Vec<(String, String)> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut file = RotatingFile::open(path, rotation, NOW).unwrap();
        for (line, second) in lines {
            file.write(line, NOW + Duration::from_secs(*second)).unwrap();
        }
        file.rest(NOW).unwrap();
        let files = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap());
        let mut files: Vec<_> = files
            .map(|entry| {
                let text = std::fs::read_to_string(entry.path()).unwrap();
                (entry.file_name().into_string().unwrap(), text.replace('\n', " "))
            })
            .collect();
        files.sort();
        files
    }

    fn files(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        expected.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn a_large_file_is_put_aside_and_so_many_are_kept() {
        let rotation = Rotation { size: 4, age: None, keep: 2 };
        let lines = ["a", "b", "c", "d", "e", "f", "g"].map(|line| (line, 0));
        assert_eq!(written(rotation, &lines), files(&[("log", "g "), ("log.1", "e f "), ("log.2", "c d ")]));
        let none = Rotation { keep: 0, ..rotation };
        assert_eq!(written(none, &lines), files(&[("log", "g ")]));
        let long = [("long enough", 0), ("longer than that", 0)];
        assert_eq!(
            written(rotation, &long),
            files(&[("log", "longer than that "), ("log.1", "long enough ")])
        );
    }

    #[test]
    fn an_old_file_is_put_aside() {
        let rotation = Rotation { age: Some(Duration::from_secs(60)), keep: 9, ..Rotation::default() };
        let lines = [("a", 0), ("b", 59), ("c", 60), ("d", 61), ("e", 300)];
        let expected = [("log", "e "), ("log.1", "c d "), ("log.2", "a b ")];
        assert_eq!(written(rotation, &lines), files(&expected));
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_was_moved_away_is_begun_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut file = RotatingFile::open(path.clone(), Rotation::default(), NOW).unwrap();
        file.write("a", NOW).unwrap();
        file.rest(NOW).unwrap();
        std::fs::rename(&path, folder.path().join("aside")).unwrap();
        // Nothing happens in between.
        file.write("b", NOW + LOOK).unwrap();
        file.rest(NOW + LOOK).unwrap();
        assert_eq!(std::fs::read_to_string(folder.path().join("aside")).unwrap(), "a\n");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "b\n");
    }

    /// The size limit comes before anybody has looked.
    #[test]
    fn a_file_that_was_moved_away_and_is_full_is_begun_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let rotation = Rotation { size: 3, ..Rotation::default() };
        let mut file = RotatingFile::open(path.clone(), rotation, NOW).unwrap();
        file.write("a", NOW).unwrap();
        std::fs::rename(&path, folder.path().join("aside")).unwrap();
        file.write("b", NOW).unwrap();
        file.rest(NOW).unwrap();
        assert_eq!(std::fs::read_to_string(folder.path().join("aside")).unwrap(), "a\n");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "b\n");
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_reads_it() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        drop(RotatingFile::open(path.clone(), Rotation::default(), NOW).unwrap());
        assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn what_is_there_already_counts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        std::fs::write(&path, "abc\n").unwrap();
        let mut file = RotatingFile::open(path, Rotation { size: 5, age: None, keep: 1 }, NOW).unwrap();
        file.write("d", NOW).unwrap();
        file.rest(NOW).unwrap();
        assert_eq!(std::fs::read_to_string(folder.path().join("log.1")).unwrap(), "abc\n");
    }
}
