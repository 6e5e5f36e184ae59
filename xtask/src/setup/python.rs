//! fastmcp, in a Python environment of its own, as `xtask/fastmcp.txt` pins it.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{place, process};

/// All that is installed, each with its hashes.
const LOCK: &str = "xtask/fastmcp.txt";

/// Inside the environment lies a copy of the lock file that it was made from.
const INSTALLED: &str = "installed-from-lock.txt";

/// The Python that has fastmcp, once [`install_fastmcp`] has run.
pub(crate) fn fastmcp() -> Result<PathBuf> {
    Ok(environment()?.join("bin/python"))
}

fn environment() -> Result<PathBuf> {
    Ok(place::tools()?.join("fastmcp"))
}

/// Makes the environment anew unless it was made from this very lock file.
pub(crate) fn install_fastmcp() -> Result<()> {
    let lock = fs::read(place::root().join(LOCK)).with_context(|| format!("{LOCK} is missing"))?;
    let environment = environment()?;
    let installed = environment.join(INSTALLED);
    if fs::read(&installed).is_ok_and(|from| from == lock) && runs()? {
        return Ok(());
    }
    process::with_patience(|| {
        // The machine's pip installs into it: one that the environment brings itself takes longer to make than all else.
        process::run(
            Command::new("python3").args(["-m", "venv", "--without-pip", "--clear"]).arg(&environment),
        )?;
        let mut pip = Command::new("python3");
        pip.current_dir(place::root()).args(["-m", "pip", "--python"]).arg(fastmcp()?);
        pip.args(["install", "--quiet", "--no-input", "--disable-pip-version-check"])
            .args(["--root-user-action", "ignore", "--no-deps", "--only-binary", ":all:"])
            .args(["--require-hashes", "--requirement", LOCK]);
        process::run(&mut pip)
    })?;
    if !runs()? {
        bail!("fastmcp was installed but does not run: {}", environment.display());
    }
    fs::write(installed, lock).context("cannot note which lock file is installed")
}

fn runs() -> Result<bool> {
    Ok(process::ask(fastmcp()?, &["-c", "import importlib.metadata as m; m.version('fastmcp')"]).is_some())
}
