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

/// Reads the lines `✗ auth/basic-cimd: 0 passed, 5 failed` of a suite's summary.
fn summary_names(output: &str) -> Vec<String> {
    output
        .lines()
        .filter(|line| line.contains(" passed, ") && !line.starts_with("Total"))
        .filter_map(|line| line.split_once(' ')?.1.split_once(": "))
        .map(|(name, _)| name.to_owned())
        .collect()
}

/// Runs one client scenario. How the program ended counts too: by itself, the suite then fails.
pub(crate) fn client_scenario(scenario: &str, program: &Path, folder: &Path) -> Result<Measured> {
    let folder = folder.join(scenario);
    fs::create_dir_all(&folder)?;
    // The suite hands the command to a shell.
    let program = format!("'{}'", program.display());
    let log = File::create(folder.join("suite.txt"))?;
    let status = command()?
        .args(["client", "--scenario", scenario, "--timeout", "30000", "--command", &program, "--output-dir"])
        .arg(&folder)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .status()
        .context("cannot start the conformance suite")?;
    Ok(Measured { scenario: scenario.to_owned(), checks: checks::read(&folder)?, content: status.success() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_a_suite_are_read_from_its_summary() {
        let output = "Running backcompat suite (2 scenarios) in parallel...\n\n=== SUITE SUMMARY ===\n\n\
            ✗ auth/one: 0 passed, 4 failed\n✓ auth/two: 3 passed, 0 failed, 1 warnings\n\nTotal: 3 passed, 4 failed, 1 warnings\n";
        assert_eq!(summary_names(output), ["auth/one", "auth/two"]);
    }
}
