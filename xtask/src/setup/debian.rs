//! The browser and its driver, from Debian's packages.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Result, bail};

use crate::process;

const PACKAGES: [&str; 2] = ["chromium", "chromium-driver"];

/// Where the tests look for them (`tests/peers/browser.js`).
const PROGRAMS: [&str; 2] = ["/usr/bin/chromium", "/usr/bin/chromedriver"];

/// Installs the browser where it is missing and this user may.
pub(crate) fn browser() -> Result<()> {
    let missing: Vec<_> = PROGRAMS.into_iter().filter(|program| !Path::new(program).exists()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let by_hand = format!("apt-get update && apt-get install {}", PACKAGES.join(" "));
    let missing = missing.join(" and ");
    if process::ask("apt-get", &["--version"]).is_none() {
        bail!("the browser tests need {missing}; on Debian: {by_hand}");
    }
    let Some(asking) = privilege() else {
        bail!("the browser tests need {missing}; installing them needs root: sudo sh -c '{by_hand}'");
    };
    process::with_patience(|| {
        process::run(apt_get(asking).args(["--quiet=2", "update"]))?;
        let mut install = apt_get(asking);
        install.args(["--quiet=2", "--yes", "--no-install-recommends", "install"]).args(PACKAGES);
        // What goes wrong is on standard error; the rest is a line for each step of each package.
        process::run(install.stdout(Stdio::null()))
    })
}

/// How this user becomes root without being asked for anything: not at all, or by sudo.
fn privilege() -> Option<Privilege> {
    if process::ask("id", &["-u"]).as_deref() == Some("0") {
        return Some(Privilege::Root);
    }
    process::ask("sudo", &["-n", "true"]).map(|_| Privilege::Sudo)
}

#[derive(Clone, Copy, Debug)]
enum Privilege {
    Root,
    Sudo,
}

fn apt_get(privilege: Privilege) -> Command {
    match privilege {
        Privilege::Root => {
            let mut command = Command::new("apt-get");
            command.env("DEBIAN_FRONTEND", "noninteractive");
            command
        }
        Privilege::Sudo => {
            let mut command = Command::new("sudo");
            command.args(["-n", "DEBIAN_FRONTEND=noninteractive", "apt-get"]);
            command
        }
    }
}
