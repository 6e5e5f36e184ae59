//! What the suite wrote about a scenario: `checks.json`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

/// One check of a scenario, as the suite writes it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Check {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) description: String,
    pub(crate) status: Status,
    #[serde(default)]
    pub(crate) error_message: Option<String>,
}

/// How a check ended. A status that this program does not know stops it: it might mean a failure.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Status {
    Success,
    Failure,
    Warning,
    Skipped,
    Info,
}

/// All checks of one run of a scenario, and whether the suite itself was content.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    pub(crate) scenario: String,
    pub(crate) checks: Vec<Check>,
    /// The suite's exit code was 0. It also fails for a program that ended badly or too late.
    pub(crate) content: bool,
}

impl Measured {
    pub(crate) fn count(&self, status: Status) -> usize {
        self.checks.iter().filter(|check| check.status == status).count()
    }

    /// Something was checked, nothing failed, and the program ended well.
    pub(crate) fn is_passed(&self) -> bool {
        self.content && self.count(Status::Success) > 0 && self.count(Status::Failure) == 0
    }

    /// The checks that did not pass, as lines for a person.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let mut lines: Vec<String> = self
            .checks
            .iter()
            .filter(|check| matches!(check.status, Status::Failure | Status::Warning | Status::Skipped))
            .map(|check| {
                let why = check.error_message.as_deref();
                let why = why.map(|why| format!(" ({why})")).unwrap_or_default();
                format!("{:?} {}: {}{why}", check.status, check.id, check.description)
            })
            .collect();
        if !self.content {
            lines.push("the suite was not content: see what the program printed".to_owned());
        }
        lines
    }
}

/// Reads the one `checks.json` below a folder. The suite names folders after scenario and time.
pub(crate) fn read(folder: &Path) -> Result<Vec<Check>> {
    let Some(file) = find(folder, "checks.json")? else {
        bail!("the suite wrote no checks.json below {}", folder.display());
    };
    let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is not as expected", file.display()))
}

/// Finds a file by its name, at any depth.
pub(crate) fn find(folder: &Path, name: &str) -> Result<Option<PathBuf>> {
    if !folder.is_dir() {
        return Ok(None);
    }
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            if let Some(found) = find(&path, name)? {
                return Ok(Some(found));
            }
        } else if path.file_name().is_some_and(|file| file == name) {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_are_found_at_any_depth() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("auth/basic-cimd-2026");
        fs::create_dir_all(&deep).unwrap();
        fs::write(
            deep.join("checks.json"),
            r#"[{"id":"a","name":"A","description":"d","status":"SUCCESS","timestamp":"t"},
                {"id":"b","name":"B","description":"d","status":"FAILURE","errorMessage":"why","timestamp":"t"}]"#,
        )
        .unwrap();
        let checks = read(folder.path()).unwrap();
        let measured = Measured { scenario: "auth/basic-cimd".into(), checks, content: true };
        assert_eq!((measured.count(Status::Success), measured.count(Status::Failure)), (1, 1));
        assert_eq!(measured.complaints(), ["Failure b: d (why)"]);
    }

    #[test]
    fn an_unknown_status_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("checks.json"), r#"[{"id":"a","status":"MAYBE"}]"#).unwrap();
        assert!(read(folder.path()).is_err());
    }

    #[test]
    fn no_checks_json_is_an_error() {
        assert!(read(tempfile::tempdir().unwrap().path()).is_err());
    }
}
