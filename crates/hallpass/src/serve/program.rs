//! Whether the program of a stdio server is there, asked before anyone needs it.

use std::path::{Path, PathBuf};

/// Why the program can't be started.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProgramError {
    /// Not a file, or not one that may be run.
    #[error("the program {} is not there, or may not be run; check the command", .0.display())]
    Missing(PathBuf),
    /// A bare name that no folder of PATH has.
    #[error("no folder of PATH has the program {0}; install it, or give its whole path")]
    NotOnPath(String),
    /// The folder that it is to run in.
    #[error("directory = {} is not a folder", .0.display())]
    NoDirectory(PathBuf),
}

/// Looks where the system will look.
pub(crate) fn check(program: &str, directory: Option<&Path>) -> Result<(), ProgramError> {
    if let Some(directory) = directory
        && !directory.is_dir()
    {
        return Err(ProgramError::NoDirectory(directory.to_owned()));
    }
    let path = Path::new(program);
    if path.components().count() > 1 {
        // Where a relative path with a folder begins differs between systems; only absolute ones are sure.
        return match path.is_absolute() && !can_run(path) {
            true => Err(ProgramError::Missing(path.to_owned())),
            false => Ok(()),
        };
    }
    match find(program) {
        Some(_) => Ok(()),
        None => Err(ProgramError::NotOnPath(program.to_owned())),
    }
}

/// The file that a bare name stands for.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let endings: &[&str] = if cfg!(windows) { &["", ".exe", ".cmd", ".bat"] } else { &[""] };
    let folders = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders)
        .flat_map(|folder| endings.iter().map(move |ending| folder.join(format!("{name}{ending}"))))
        .find(|path| can_run(path))
}

#[cfg(unix)]
fn can_run(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|about| about.is_file() && about.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn can_run(path: &Path) -> bool {
    path.is_file()
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_as_the_system_finds_it() {
        assert!(check("sh", None).is_ok());
        assert!(check("/bin/sh", Some(Path::new("/"))).is_ok());
    }

    #[test]
    fn what_is_not_there_is_named() {
        assert!(matches!(check("no-such-program-here", None), Err(ProgramError::NotOnPath(_))));
        assert!(matches!(check("/no/such/program", None), Err(ProgramError::Missing(_))));
        let file = tempfile::NamedTempFile::new().unwrap();
        let not_executable = file.path().to_str().unwrap();
        assert!(matches!(check(not_executable, None), Err(ProgramError::Missing(_))));
        assert!(matches!(check("sh", Some(file.path())), Err(ProgramError::NoDirectory(_))));
    }
}
