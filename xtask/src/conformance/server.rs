//! A full MCP server before the official suite: alone, behind hallpass, and behind hallpass over stdio.
//!
//! A gateway is right when nobody can tell that it is there, so what counts is that the same checks end the same way.
//! `tests/conformance/server.js` starts everything and runs the suite; this compares what the suite wrote.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};

use super::baseline::Baseline;
use super::checks::{self, Measured, Status};
use super::{judge, suite};
use crate::step::Tally;
use crate::table::Table;
use crate::{place, process};

/// The name of the baseline file.
const PART: &str = "server";

/// What the suite is asked for: what it requires of each revision, and all that it has.
const RUNS: [&str; 3] = ["2025-11-25", "2026-07-28", "all"];

#[derive(Debug, Default, Args)]
#[command(after_help = "\
Examples:
  cargo xtask conformance server
  cargo xtask conformance server --only http
  cargo xtask conformance server --bless        take the result as the new baseline")]
pub(crate) struct Options {
    /// Compare one way through hallpass with the server alone [default: both]
    #[arg(long, value_enum)]
    only: Option<Way>,
    /// Build and run the optimised programs
    #[arg(long)]
    release: bool,
    /// Write what the server passed alone into the baseline
    #[arg(long)]
    bless: bool,
}

/// How hallpass reaches the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Way {
    /// Over streamable HTTP: nothing at all may differ
    Http,
    /// Over its standard input and output
    Stdio,
}

impl Way {
    const ALL: [Self; 2] = [Self::Http, Self::Stdio];

    fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Stdio => "stdio",
        }
    }

    /// The scenarios in which it is another server, and why.
    fn differs(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Http => &[],
            Self::Stdio => &STDIO,
        }
    }
}

/// Scenarios that are not written yet: the suite skips them, whatever the server does.
const NOT_WRITTEN: [&str; 1] = ["tasks-status-notifications"];

/// What a server over stdio cannot do.
const STDIO: [(&str, &str); 2] = [
    ("server-sse-polling", "a program's messages have no event ids, so a stream that was lost cannot go on"),
    (
        "*server-sse-multiple-streams @ 2026-07-28",
        "an answer with nothing before it is plain JSON here; the check of streams says so and judges nothing",
    ),
];

/// Whether a line of such a list is about a scenario: by its name, or with a `*` for what comes before or after.
fn is_about(pattern: &str, scenario: &str) -> bool {
    let name = scenario.split(" @ ").next().unwrap_or_default();
    match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        (Some(end), _) => scenario.ends_with(end),
        (None, Some(begin)) => name.starts_with(begin),
        (None, None) => name == pattern,
    }
}

/// `cargo xtask conformance server`.
pub(crate) fn build_and_run(options: &Options, tally: &mut Tally) -> Result<()> {
    for what in [&["hallpass"][..], &["hallpass-testkit", "--example", "conformance_server"]] {
        let mut build = process::cargo();
        build.args(["build", "--locked", "--package"]).args(what);
        process::run(build.args(options.release.then_some("--release")))?;
    }
    run(options, tally)
}

/// Runs the suite against the programs that are built.
pub(crate) fn run(options: &Options, tally: &mut Tally) -> Result<()> {
    let folder = super::emptied(PART)?;
    let ways = options.only.map_or(Way::ALL.to_vec(), |way| vec![way]);
    let mut node = process::node()?;
    node.env("HALLPASS", place::artefacts(options.release)?.join("hallpass"));
    node.arg("conformance/server.js").arg(&folder).arg("bare").args(ways.iter().map(|way| way.name()));
    process::run(&mut node)?;

    let bare = measured(&folder.join("bare"))?;
    if options.bless {
        let mut baseline =
            Baseline::read(PART).unwrap_or(Baseline { suite: String::new(), scenarios: BTreeMap::new() });
        baseline.bless(&suite::version()?, &bare, |_| true);
        baseline.write(PART)?;
    }
    let baseline = Baseline::read(PART)?;
    judge::judge(&bare, &baseline, tally)?;
    judge::all_there(&bare, &baseline)?;
    for way in ways {
        compare(way, &bare, &measured(&folder.join(way.name()))?, tally)?;
    }
    Ok(())
}

/// The suite makes one folder `server-SCENARIO-TIME` a scenario, within one folder for each of [`RUNS`].
fn measured(folder: &Path) -> Result<Vec<Measured>> {
    let mut all = Vec::new();
    for run in RUNS {
        for entry in fs::read_dir(folder.join(run)).with_context(|| format!("nothing was run as {run}"))? {
            let entry = entry?;
            let scenario = scenario(&entry.file_name().to_string_lossy());
            if let Some(scenario) = scenario.filter(|name| !NOT_WRITTEN.contains(&name.as_str())) {
                // A scenario that broke off has written nothing, and so has no check to show.
                let wrote = checks::find(&entry.path(), "checks.json")?.is_some();
                let checks = if wrote { checks::read(&entry.path())? } else { Vec::new() };
                let content = checks.iter().all(|check| check.status != Status::Failure);
                all.push(Measured { scenario: format!("{scenario} @ {run}"), checks, content });
            }
        }
    }
    all.sort_by(|one, other| one.scenario.cmp(&other.scenario));
    Ok(all)
}

/// Takes the scenario's name out of a folder's name: `-2026-11-22T10-00-00-000Z` follows it.
fn scenario(folder: &str) -> Option<String> {
    const TIME: usize = "-2026-11-22T10-00-00-000Z".len();
    let name = folder.strip_prefix("server-")?;
    let end = name.len().checked_sub(TIME)?;
    name.get(end..)?.starts_with('-').then(|| name[..end].to_owned())
}

/// How each check ended that says anything: `id` may come several times, and its order is part of the result.
fn verdicts(measured: &Measured) -> Vec<(&str, Status)> {
    let judged = measured.checks.iter().filter(|check| check.status != Status::Info);
    judged.map(|check| (check.id.as_str(), check.status)).collect()
}

/// What is not as it is without hallpass, in words.
fn difference(alone: &Measured, through: &Measured) -> Option<String> {
    let (alone, through) = (verdicts(alone), verdicts(through));
    let first = alone.iter().zip(&through).find(|(alone, through)| alone != through);
    match first {
        Some((alone, through)) => {
            Some(format!("{} {:?}, through hallpass {} {:?}", alone.0, alone.1, through.0, through.1))
        }
        None if alone.len() != through.len() => {
            Some(format!("{} checks, through hallpass {}", alone.len(), through.len()))
        }
        None => None,
    }
}

/// Prints the table of a way, and fails if a check ends otherwise than without hallpass where it may not.
fn compare(way: Way, alone: &[Measured], through: &[Measured], tally: &mut Tally) -> Result<()> {
    let mut table = Table::new(&["scenario", "alone", "through hallpass", "verdict"]);
    let (mut wrong, mut excused) = (Vec::new(), Vec::new());
    for one in alone {
        let excuse = way.differs().iter().find(|(pattern, _)| is_about(pattern, &one.scenario));
        let other = through.iter().find(|other| other.scenario == one.scenario);
        let difference = match other {
            Some(other) => difference(one, other),
            None => Some("did not run".to_owned()),
        };
        let verdict = match (&difference, excuse) {
            (None, None) => "the same",
            (None, Some(_)) => "the same all the same",
            (Some(_), Some(_)) => "cannot",
            (Some(_), None) => "WRONG",
        };
        let count = |measured: &Measured| {
            format!("{} passed, {} failed", measured.count(Status::Success), measured.count(Status::Failure))
        };
        table.row([
            one.scenario.clone(),
            count(one),
            other.map(count).unwrap_or_default(),
            verdict.to_owned(),
        ]);
        match (difference, excuse) {
            (Some(difference), Some((_, why))) => {
                excused.push(format!("{}: {why} ({difference})", one.scenario))
            }
            (Some(difference), None) => wrong.push(format!("{}: {difference}", one.scenario)),
            (None, _) => {}
        }
    }
    anstream::println!("\nthrough hallpass, the server over {}:\n{table}", way.name());
    for line in &excused {
        anstream::println!("    {line}");
    }
    tally.passed += alone.len() - wrong.len();
    tally.failed += wrong.len();
    if !wrong.is_empty() {
        bail!("over {}, {} scenarios end otherwise: {}", way.name(), wrong.len(), wrong.join("; "));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::checks::Check;
    use super::*;

    fn measured(verdicts: &[(&str, Status)]) -> Measured {
        let check = |(id, status): &(&str, Status)| Check {
            id: (*id).into(),
            description: String::new(),
            status: *status,
            error_message: None,
        };
        Measured {
            scenario: "ping @ all".into(),
            checks: verdicts.iter().map(check).collect(),
            content: true,
        }
    }

    #[test]
    fn a_folder_is_named_after_scenario_and_time() {
        for (folder, name) in [
            ("server-ping-2026-11-22T10-00-00-000Z", "ping"),
            ("server-sep-2164-resource-not-found-2026-11-22T10-00-00-000Z", "sep-2164-resource-not-found"),
            ("server-json-schema-2020-12-2026-11-22T10-00-00-000Z", "json-schema-2020-12"),
        ] {
            assert_eq!(scenario(folder).as_deref(), Some(name));
        }
        assert_eq!(scenario("client-ping-2026-11-22T10-00-00-000Z"), None);
    }

    #[test]
    fn a_line_of_a_list_is_about_some_scenarios() {
        assert!(is_about("tasks-*", "tasks-lifecycle @ all"));
        assert!(is_about("* @ 2026-07-28", "ping @ 2026-07-28"));
        assert!(is_about("ping", "ping @ 2025-11-25"));
        assert!(!is_about("* @ 2026-07-28", "ping @ 2025-11-25"));
        assert!(!is_about("ping", "pinging @ all"));
    }

    #[test]
    fn each_check_has_to_end_the_same_way() {
        use Status::{Failure, Info, Success, Warning};
        let alone = measured(&[("a", Success), ("b", Success)]);
        assert_eq!(difference(&alone, &measured(&[("a", Success), ("x", Info), ("b", Success)])), None);
        for other in [
            &[("a", Success)][..],
            &[("a", Success), ("b", Failure)],
            &[("a", Success), ("b", Warning)],
            &[("b", Success), ("a", Success)],
            &[("a", Success), ("b", Success), ("b", Success)],
        ] {
            assert!(difference(&alone, &measured(other)).is_some(), "{other:?}");
        }
    }

    #[test]
    fn a_scenario_that_did_not_run_is_wrong() {
        let mut tally = Tally::default();
        let alone = [measured(&[("a", Status::Success)])];
        assert!(compare(Way::Http, &alone, &[], &mut tally).is_err());
        assert_eq!(tally, Tally { passed: 0, failed: 1 });
    }
}
