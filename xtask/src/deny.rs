//! Licences, sources, banned crates and advisories of the dependencies, by cargo-deny.

use anyhow::{Result, ensure};

use crate::process;
use crate::setup;

/// What needs no network: banned crates, licences, sources.
pub(crate) fn check() -> Result<()> {
    run(&["bans", "licenses", "sources"])
}

/// Cedar is for those who ask for it: a default build holds none of it.
pub(crate) fn without_cedar() -> Result<()> {
    let holds_cedar = |features: &[&str]| -> Result<bool> {
        let mut found = false;
        let mut tree = process::cargo();
        tree.args([
            "tree",
            "--package",
            "hallpass",
            "--edges",
            "normal,build",
            "--prefix",
            "none",
            "--locked",
        ]);
        process::run_reading(tree.args(features), |line| found |= line.starts_with("cedar-policy"))?;
        Ok(found)
    };
    ensure!(
        !holds_cedar(&[])?,
        "a default build of hallpass holds Cedar; keep it behind the feature `cedar`"
    );
    ensure!(
        holds_cedar(&["--features", "cedar"])?,
        "the feature `cedar` brings no Cedar: has the crate another name?"
    );
    Ok(())
}

/// The advisory database sits on a host that not every machine reaches, a closed CI among them. So
/// this is a command of its own: an open CI runs it on a schedule, and a person before a release.
pub(crate) fn advisories() -> Result<()> {
    setup::need(&[setup::Need::CargoDeny])?;
    run(&["advisories"])
}

fn run(checks: &[&str]) -> Result<()> {
    let mut command = std::process::Command::new(setup::cargo_deny()?);
    command.current_dir(crate::place::root());
    // The dependency graph holds what is built, not what a lock file merely mentions.
    process::run(command.args(["--workspace", "--locked", "check", "--hide-inclusion-graph"]).args(checks))
}
