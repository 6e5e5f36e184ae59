//! Where things are in this repository.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The workspace's root.
pub(crate) fn root() -> &'static Path {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest)
}

/// The folder of the tests that are not Rust.
pub(crate) fn tests() -> PathBuf {
    root().join("tests")
}

/// A file that `npm ci` brought.
pub(crate) fn node_module(path: &str) -> PathBuf {
    tests().join("node_modules").join(path)
}

/// The Node.js that `npm ci` brought. The machine's own may be too old for the conformance suite.
pub(crate) fn node() -> PathBuf {
    node_module(".bin/node")
}

/// The target folder. It is the one that this program was built into.
pub(crate) fn target() -> Result<PathBuf> {
    let program = std::env::current_exe().context("cannot tell where this program is")?;
    let profile = program.parent().and_then(Path::parent);
    Ok(profile.context("this program is in no target folder")?.to_owned())
}

/// The folder of the artefacts of the dev or the release profile.
pub(crate) fn artefacts(release: bool) -> Result<PathBuf> {
    Ok(target()?.join(if release { "release" } else { "debug" }))
}

/// The folder of tools that `cargo xtask setup` installed for this repository alone.
pub(crate) fn tools() -> Result<PathBuf> {
    Ok(target()?.join("tools"))
}
