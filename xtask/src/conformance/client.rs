//! The client before the official suite.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};

use super::baseline::Baseline;
use super::checks::Measured;
use super::{judge, suite};
use crate::step::Tally;
use crate::{place, process};

/// The name of the baseline file.
const PART: &str = "client";

/// Scenarios that run at the same time. The servers in them are small; so is the machine.
const AT_ONCE: usize = 2;

#[derive(Debug, Default, Args)]
#[command(after_help = "\
Examples:
  cargo xtask conformance client
  cargo xtask conformance client --suite auth --release
  cargo xtask conformance client --scenario auth/basic-cimd
  cargo xtask conformance client --bless       take the result as the new baseline")]
pub(crate) struct Options {
    /// The suites to run [default: all of them]
    #[arg(long, value_enum)]
    suite: Vec<Suite>,
    /// Run these scenarios only
    #[arg(long, conflicts_with = "suite", value_name = "NAME")]
    scenario: Vec<String>,
    /// Build and run the optimised client
    #[arg(long)]
    release: bool,
    /// Write what was measured into the baseline
    #[arg(long)]
    bless: bool,
}

/// A suite of the official suite. A scenario may be in several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Suite {
    /// What every client must pass: discovery, registration, scopes, token endpoint
    Auth,
    /// Servers of the revision 2025-03-26
    Backcompat,
    /// What the revision 2026-07-28 added
    Draft,
    /// Client credentials, enterprise-managed authorization, DPoP, workload identity
    Extensions,
}

impl Suite {
    const DEFAULT: [Self; 4] = [Self::Auth, Self::Backcompat, Self::Draft, Self::Extensions];

    fn name(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::Backcompat => "backcompat",
            Self::Draft => "draft",
            Self::Extensions => "extensions",
        }
    }
}

/// `cargo xtask conformance client`.
pub(crate) fn build_and_run(options: &Options, tally: &mut Tally) -> Result<()> {
    let mut build = process::cargo();
    build.args(["build", "--locked", "--package", "hallpass-client", "--example", "conformance_client"]);
    if options.release {
        build.arg("--release");
    }
    process::run(&mut build)?;
    run(options, tally)
}

/// Runs the scenarios with the program that is built.
pub(crate) fn run(options: &Options, tally: &mut Tally) -> Result<()> {
    let program = place::artefacts(options.release)?.join("examples/conformance_client");
    if !program.exists() {
        bail!("{} is not built", program.display());
    }
    let scenarios = chosen(options)?;
    let folder = results()?;
    let measured = measure(&scenarios.keys().cloned().collect::<Vec<_>>(), &program, &folder)?;

    if options.bless {
        let mut baseline =
            Baseline::read(PART).unwrap_or(Baseline { suite: String::new(), scenarios: BTreeMap::new() });
        let always = |name: &str| scenarios.get(name) == Some(&Some(Suite::Auth));
        baseline.bless(&suite::version()?, &measured, always);
        baseline.write(PART)?;
    }
    let baseline = Baseline::read(PART)?;
    let installed = suite::version()?;
    if baseline.suite != installed {
        bail!(
            "the baseline is from {}, installed is {installed}; look at the difference, then `--bless`",
            baseline.suite
        );
    }
    anstream::println!("what each program printed: {}", folder.display());
    judge::judge(&measured, &baseline, tally)?;
    if options.suite.is_empty() && options.scenario.is_empty() {
        judge::all_there(&measured, &baseline)?;
    }
    Ok(())
}

/// The scenarios to run, each with the first suite that names it.
fn chosen(options: &Options) -> Result<BTreeMap<String, Option<Suite>>> {
    let mut scenarios = BTreeMap::new();
    for scenario in &options.scenario {
        scenarios.insert(scenario.clone(), None);
    }
    if options.scenario.is_empty() {
        let suites = if options.suite.is_empty() { Suite::DEFAULT.to_vec() } else { options.suite.clone() };
        for suite in suites {
            for scenario in suite::scenarios(suite.name())? {
                scenarios.entry(scenario).or_insert(Some(suite));
            }
        }
    }
    Ok(scenarios)
}

/// An empty folder for what the suite writes.
fn results() -> Result<PathBuf> {
    let folder = place::target()?.join("conformance").join(PART);
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// Runs the scenarios, a few at a time. The result is in the order of the names.
fn measure(scenarios: &[String], program: &Path, folder: &Path) -> Result<Vec<Measured>> {
    let waiting = Mutex::new(scenarios.iter());
    let next = || waiting.lock().ok()?.next();
    let work = || -> Result<Vec<Measured>> {
        let mut done = Vec::new();
        while let Some(scenario) = next() {
            done.push(suite::client_scenario(scenario, program, folder)?);
        }
        Ok(done)
    };
    let mut measured = thread::scope(|scope| {
        let workers: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(work)).collect();
        let mut all = Vec::new();
        for worker in workers {
            all.extend(worker.join().unwrap_or_else(|_| bail!("a thread of this program panicked"))?);
        }
        anyhow::Ok(all)
    })?;
    measured.sort_by(|one, other| one.scenario.cmp(&other.scenario));
    Ok(measured)
}
