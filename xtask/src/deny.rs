//! Licences, sources, banned crates and advisories of the dependencies, by cargo-deny.

use anyhow::Result;

use crate::process;
use crate::setup;

/// What needs no network: banned crates, licences, sources.
pub(crate) fn check() -> Result<()> {
    run(&["bans", "licenses", "sources"])
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
