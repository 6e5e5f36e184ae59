//! The suite's own command line.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::checks::{self, Measured};
use crate::{place, process};

const PACKAGE: &str = "@modelcontextprotocol/conformance";

/// The suite, ready for its arguments.
fn command() -> Result<Command> {
    let mut command = process::node()?;
    command.arg(place::node_module(PACKAGE).join("dist/index.js"));
    Ok(command)
}

/// The release that is installed.
pub(crate) fn version() -> Result<String> {
    #[derive(Deserialize)]
    struct Package {
        version: String,
    }
    let text = fs::read_to_string(place::node_module(PACKAGE).join("package.json"))
        .context("the conformance suite is not installed; run `cargo xtask setup`")?;
    Ok(serde_json::from_str::<Package>(&text)?.version)
}

/// The scenarios of a client suite. Only running a suite tells them, so it runs with a program that does nothing.
pub(crate) fn scenarios(suite: &str) -> Result<Vec<String>> {
    let output = command()?
        .args(["client", "--suite", suite, "--command", "true"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .context("cannot start the conformance suite")?;
    let scenarios = summary_names(&String::from_utf8_lossy(&output.stdout));
    if scenarios.is_empty() {
        bail!("the conformance suite names no scenario of its suite `{suite}`");
    }
    Ok(scenarios)
}

/// The client scenarios that the suite itself requires of a revision.
pub(crate) fn required(revision: &str) -> Result<Vec<String>> {
    let output = command()?
        .args(["list", "--requirements", revision])
        .stdin(Stdio::null())
        .output()
        .context("cannot start the conformance suite")?;
    let scenarios = client_names(&String::from_utf8_lossy(&output.stdout));
    if scenarios.is_empty() {
        bail!("the conformance suite requires nothing of a client of {revision}");
    }
    Ok(scenarios)
}

/// Reads the lines `  - auth/basic-cimd` under the title of the client's part, up to the empty line.
fn client_names(output: &str) -> Vec<String> {
    let lines = output.lines().skip_while(|line| !line.starts_with("Client scenarios")).skip(1);
    lines.map_while(|line| line.strip_prefix("  - ")).map(str::to_owned).collect()
}

/// Reads the lines `✗ auth/basic-cimd: 0 passed, 5 failed` of a suite's summary.
fn summary_names(output: &str) -> Vec<String> {
    output
        .lines()
        .filter(|line| line.contains(" passed, ") && !line.starts_with("Total"))
        .filter_map(|line| line.split_once(' ')?.1.split_once(": "))
        .map(|(name, _)| name.to_owned())
        .collect()
}

/// A scenario, and the revision to speak in it where one is required.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Run {
    pub(crate) scenario: String,
    pub(crate) revision: Option<String>,
}

impl Run {
    /// What the run is called in the baseline.
    pub(crate) fn name(&self) -> String {
        let at = self.revision.as_ref().map(|revision| format!(" @ {revision}"));
        format!("{}{}", self.scenario, at.unwrap_or_default())
    }
}

/// Runs one client scenario. How the program ended counts too: by itself, the suite then fails.
pub(crate) fn client_scenario(run: &Run, program: &Path, folder: &Path) -> Result<Measured> {
    let folder = folder.join(run.revision.as_deref().unwrap_or("suites")).join(&run.scenario);
    fs::create_dir_all(&folder)?;
    // The suite hands the command to a shell.
    let program = format!("'{}'", program.display());
    let log = File::create(folder.join("suite.txt"))?;
    let mut command = command()?;
    command.args(["client", "--scenario", &run.scenario, "--timeout", "30000", "--command", &program]);
    if let Some(revision) = &run.revision {
        // As the suite's own `--requirements` runs it: the set decides, not the scenario.
        command.args(["--spec-version", revision, "--force"]);
    }
    let status = command
        .arg("--output-dir")
        .arg(&folder)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .status()
        .context("cannot start the conformance suite")?;
    Ok(Measured { scenario: run.name(), checks: checks::read(&folder)?, content: status.success() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_a_requirement_set_are_those_of_the_client() {
        let output = "Required for 2025-11-25 (3 scenarios, frozen):\n\nServer scenarios (test against a server):\n  - ping\n\n\
            Client scenarios (test against a client):\n  - initialize\n  - auth/one\n\n\
            Run and reported, but never scored:\n  extension (1):\n    - auth/two [client]\n";
        assert_eq!(client_names(output), ["initialize", "auth/one"]);
        assert!(client_names("Invalid requirements revision").is_empty());
    }

    #[test]
    fn the_names_of_a_suite_are_read_from_its_summary() {
        let output = "Running backcompat suite (2 scenarios) in parallel...\n\n=== SUITE SUMMARY ===\n\n\
            ✗ auth/one: 0 passed, 4 failed\n✓ auth/two: 3 passed, 0 failed, 1 warnings\n\nTotal: 3 passed, 4 failed, 1 warnings\n";
        assert_eq!(summary_names(output), ["auth/one", "auth/two"]);
    }
}
