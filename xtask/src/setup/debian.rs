//! The browser and its driver, PostgreSQL, valgrind, faketime and proxies, from Debian's packages.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Result, bail};

use crate::process;

/// Where the tests look for them (`tests/peers/browser.js`).
const BROWSER: [&str; 2] = ["/usr/bin/chromium", "/usr/bin/chromedriver"];

/// Installs the browser where it is missing and this user may.
pub(crate) fn browser() -> Result<()> {
    let missing: Vec<_> = BROWSER.into_iter().filter(|program| !Path::new(program).exists()).collect();
    match missing.is_empty() {
        true => Ok(()),
        false => install("the browser tests", &missing.join(" and "), &["chromium", "chromium-driver"]),
    }
}

/// Installs PostgreSQL where `initdb` is neither in the search path nor where Debian keeps it.
pub(crate) fn postgres() -> Result<()> {
    let search = std::env::var_os("PATH").unwrap_or_default();
    let debian = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders = std::env::split_paths(&search).chain(debian.map(|version| version.path().join("bin")));
    match folders.any(|folder| folder.join("initdb").exists()) {
        true => Ok(()),
        // Its own cluster is not needed and not started by the tests; they make theirs in a temporary folder.
        false => install("the tests on PostgreSQL", "initdb", &["postgresql"]),
    }
}

/// Installs valgrind where it is not in the search path.
pub(crate) fn valgrind() -> Result<()> {
    match process::ask("valgrind", &["--version"]) {
        Some(_) => Ok(()),
        None => install("counts of instructions", "valgrind", &["valgrind"]),
    }
}

/// Installs libfaketime where it is not where Debian keeps it.
pub(crate) fn faketime() -> Result<()> {
    let folders = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    let mut libraries = folders.map(|folder| folder.path().join("faketime/libfaketimeMT.so.1"));
    match libraries.any(|library| library.exists()) {
        true => Ok(()),
        false => install("the tests with a wrong clock", "libfaketime", &["faketime"]),
    }
}

/// Installs Caddy where it is not in the search path. The tests start one of their own.
pub(crate) fn caddy() -> Result<()> {
    match process::ask("caddy", &["version"]) {
        Some(_) => Ok(()),
        None => install("the tests of ACME", "caddy", &["caddy"]),
    }
}

/// Installs HAProxy and nginx where they are not in the search path. Only their programs are wanted: each run brings its own
/// configuration.
pub(crate) fn proxies() -> Result<()> {
    let missing: Vec<_> = [("haproxy", "haproxy"), ("nginx", "nginx-light")]
        .into_iter()
        .filter(|(program, _)| process::ask(program, &["-v"]).is_none())
        .collect();
    match missing.is_empty() {
        true => Ok(()),
        false => {
            let (programs, packages): (Vec<_>, Vec<_>) = missing.into_iter().unzip();
            install("benchmarks of the gateway", &programs.join(" and "), &packages)
        }
    }
}

fn install(who: &str, missing: &str, packages: &[&str]) -> Result<()> {
    let by_hand = format!("apt-get update && apt-get install {}", packages.join(" "));
    if process::ask("apt-get", &["--version"]).is_none() {
        bail!("{who} need {missing}; on Debian: {by_hand}");
    }
    let Some(asking) = privilege() else {
        bail!("{who} need {missing}; installing needs root: sudo sh -c '{by_hand}'");
    };
    process::with_patience(|| {
        process::run(apt_get(asking).args(["--quiet=2", "update"]))?;
        let mut install = apt_get(asking);
        install.args(["--quiet=2", "--yes", "--no-install-recommends", "install"]).args(packages);
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
