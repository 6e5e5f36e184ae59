//! hallpass's authorization server before the official suite.
//!
//! The suite prints an authorization URL and waits for a person. `tests/conformance/authorization-server.js` is that
//! person: it starts hallpass and the suite, follows the URL, logs in and consents.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::Result;
use clap::Args;

use super::baseline::Baseline;
use super::checks::{self, Measured};
use super::{judge, suite};
use crate::step::Tally;
use crate::{place, process};

/// The name of the baseline file.
const PART: &str = "authorization-server";

#[derive(Debug, Default, Args)]
#[command(after_help = "Example:\n  cargo xtask conformance authorization-server")]
pub(crate) struct Options {
    /// Write what was measured into the baseline
    #[arg(long)]
    bless: bool,
}

/// `cargo xtask conformance authorization-server`.
pub(crate) fn build_and_run(options: &Options, tally: &mut Tally) -> Result<()> {
    process::run(process::cargo().args(["build", "--locked", "--package", "hallpass"]))?;
    run(options, tally)
}

/// Runs the suite against the hallpass that is built.
pub(crate) fn run(options: &Options, tally: &mut Tally) -> Result<()> {
    let folder = super::emptied(PART)?;
    let outcome = process::run(
        process::node()?
            .env("HALLPASS", place::artefacts(false)?.join("hallpass"))
            .arg("conformance/authorization-server.js")
            .arg(&folder),
    );
    // What was measured says more than the exit code, so it is shown first.
    let measured = measured(&folder, outcome.is_ok())?;
    if options.bless {
        let mut baseline =
            Baseline::read(PART).unwrap_or(Baseline { suite: String::new(), scenarios: BTreeMap::new() });
        baseline.bless(&suite::version()?, &measured, |_| true);
        baseline.write(PART)?;
    }
    let baseline = Baseline::read(PART)?;
    judge::judge(&measured, &baseline, tally)?;
    judge::all_there(&measured, &baseline)?;
    outcome
}

/// The suite makes one folder `authorization-server-SCENARIO-TIME` a scenario.
fn measured(folder: &Path, content: bool) -> Result<Vec<Measured>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if let Some(scenario) = scenario(&entry.file_name().to_string_lossy()) {
            all.push(Measured { scenario, checks: checks::read(&entry.path())?, content });
        }
    }
    all.sort_by(|one, other| one.scenario.cmp(&other.scenario));
    Ok(all)
}

/// Takes the scenario's name out of a folder's name: the time after it starts with the first digit.
fn scenario(folder: &str) -> Option<String> {
    let name = folder.strip_prefix("authorization-server-")?;
    let end = name.find(|c: char| c.is_ascii_digit())?;
    Some(name[..end].trim_end_matches('-').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_named_after_scenario_and_time() {
        assert_eq!(
            scenario("authorization-server-authorization-code-grant-2026-11-21T22-56-48-178Z").as_deref(),
            Some("authorization-code-grant")
        );
        assert_eq!(scenario("something-else"), None);
    }
}
