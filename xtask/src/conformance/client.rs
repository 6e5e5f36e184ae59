//! The client before the official suite.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Mutex;
use std::thread;

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};

use super::baseline::Baseline;
use super::checks::Measured;
use super::suite::Run;
use super::{judge, suite};
use crate::step::Tally;
use crate::{place, process};

/// The name of the baseline file.
const PART: &str = "client";

/// The revisions for which the suite keeps a list of what a client must pass.
const REVISIONS: [&str; 2] = ["2025-11-25", "2026-07-28"];

/// Scenarios that run at the same time. The servers in them are small; so is the machine.
const AT_ONCE: usize = 2;

#[derive(Debug, Default, Args)]
#[command(after_help = "\
Examples:
  cargo xtask conformance client
  cargo xtask conformance client --suite auth --release
  cargo xtask conformance client --requirements 2026-07-28
  cargo xtask conformance client --scenario auth/basic-cimd
  cargo xtask conformance client --bless       take the result as the new baseline")]
pub(crate) struct Options {
    /// The suites to run [default: all of them, and all requirements]
    #[arg(long, value_enum)]
    suite: Vec<Suite>,
    /// What the suite requires of clients of these revisions
    #[arg(long, value_name = "REVISION", value_parser = REVISIONS)]
    requirements: Vec<String>,
    /// Run these scenarios only
    #[arg(long, conflicts_with_all = ["suite", "requirements"], value_name = "NAME")]
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

impl Options {
    /// Nothing is singled out.
    fn is_everything(&self) -> bool {
        self.suite.is_empty() && self.requirements.is_empty() && self.scenario.is_empty()
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
    let chosen = chosen(options)?;
    let folder = super::emptied(PART)?;
    let measured = measure(&chosen.keys().cloned().collect::<Vec<_>>(), &program, &folder)?;

    if options.bless {
        let mut baseline =
            Baseline::read(PART).unwrap_or(Baseline { suite: String::new(), scenarios: BTreeMap::new() });
        let must: BTreeSet<String> =
            chosen.iter().filter(|(_, must)| **must).map(|(run, _)| run.name()).collect();
        baseline.bless(&suite::version()?, &measured, |name| must.contains(name));
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
    let verdict = judge::judge(&measured, &baseline, tally);
    let revisions: BTreeSet<&str> = chosen.keys().filter_map(|run| run.revision.as_deref()).collect();
    for revision in revisions {
        anstream::println!("{}", score(revision, &measured));
    }
    verdict?;
    if options.is_everything() {
        judge::all_there(&measured, &baseline)?;
    }
    Ok(())
}

/// How many of the scenarios that the suite requires of a revision passed whole.
fn score(revision: &str, measured: &[Measured]) -> String {
    let at = format!(" @ {revision}");
    let required: Vec<_> = measured.iter().filter(|one| one.scenario.ends_with(&at)).collect();
    let passed = required.iter().filter(|one| one.is_passed()).count();
    format!("requirements {revision}: {passed}/{}", required.len())
}

/// What to run, and whether it has to pass in any case.
fn chosen(options: &Options) -> Result<BTreeMap<Run, bool>> {
    let mut chosen = BTreeMap::new();
    for scenario in &options.scenario {
        chosen.insert(Run { scenario: scenario.clone(), revision: None }, false);
    }
    let suites = if options.is_everything() { Suite::DEFAULT.to_vec() } else { options.suite.clone() };
    for suite in suites {
        for scenario in suite::scenarios(suite.name())? {
            *chosen.entry(Run { scenario, revision: None }).or_default() |= suite == Suite::Auth;
        }
    }
    let all = REVISIONS.map(str::to_owned).to_vec();
    for revision in if options.is_everything() { &all } else { &options.requirements } {
        for scenario in suite::required(revision)? {
            chosen.insert(Run { scenario, revision: Some(revision.clone()) }, true);
        }
    }
    Ok(chosen)
}

/// Runs the scenarios, a few at a time. The result is in the order of the names.
fn measure(runs: &[Run], program: &Path, folder: &Path) -> Result<Vec<Measured>> {
    let waiting = Mutex::new(runs.iter());
    let next = || waiting.lock().ok()?.next();
    let work = || -> Result<Vec<Measured>> {
        let mut done = Vec::new();
        while let Some(run) = next() {
            done.push(suite::client_scenario(run, program, folder)?);
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
