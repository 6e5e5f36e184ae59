//! How many instructions things take, held to what was recorded: a count that grows shows a regression on any machine,
//! however busy. The programs counted are those that the tests build, unoptimised: the counts say nothing about speed, and
//! cost no build of their own.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::Value;

use crate::setup::{self, Need};
use crate::step::Tally;
use crate::table::Table;
use crate::{place, process};

/// How much more than what was recorded is a failure, in per cent; as much less is worth recording anew.
const ALLOWED: f64 = 8.0;
/// What is counted, and how many times. Of a token that was never seen, a signature's own instructions are taken off: they
/// differ between processors. A start varies by a million instructions (random numbers are seeded); the times make that
/// little.
const COUNTED: [(&str, Option<&str>, u64); 3] =
    [("cached", None, 2_000), ("policy", None, 2_000), ("cold", Some("bare"), 400)];
/// What a run with fewer times shares with one with more is no part of the difference.
const FEW: u64 = 10;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Record what is counted now
    #[arg(long)]
    bless: bool,
}

/// By name, for one time.
type Counts = BTreeMap<String, u64>;

pub(crate) fn run(options: &Options) -> Result<()> {
    setup::need(&[Need::Valgrind])?;
    let counted = count()?;
    if options.bless {
        let text = serde_json::to_string_pretty(&counted)? + "\n";
        fs::write(file(), text)?;
        anstream::println!("wrote {}", file().display());
        return Ok(());
    }
    judge(&counted, &recorded()?).map(drop)
}

/// The part of `cargo xtask test`.
pub(crate) fn step(tally: &mut Tally) -> Result<()> {
    let counted = count()?;
    tally.passed = counted.len();
    let judged = judge(&counted, &recorded()?);
    if judged.is_err() {
        *tally = Tally { passed: 0, failed: counted.len() };
    }
    judged
}

fn file() -> PathBuf {
    place::root().join("xtask/instructions.json")
}

fn recorded() -> Result<Counts> {
    let text = fs::read_to_string(file()).context("no counts are recorded; `--bless` records them")?;
    Ok(serde_json::from_str(&text)?)
}

fn count() -> Result<Counts> {
    let program = program()?;
    let once = |what: &str, times: u64| -> Result<u64> {
        let (few, many) = (instructions(&program, what, FEW)?, instructions(&program, what, FEW + times)?);
        Ok(many.saturating_sub(few) / times)
    };
    let mut counted = Counts::new();
    for (what, without, times) in COUNTED {
        let shared = without.map(|without| once(without, times)).transpose()?.unwrap_or(0);
        let own = once(what, times)?.saturating_sub(shared);
        counted.insert(what.to_owned(), own);
    }
    Ok(counted)
}

/// The benchmark as the tests' build makes it.
fn program() -> Result<String> {
    let mut build = process::cargo();
    build.args(["build", "--quiet", "--locked", "--workspace", "--all-targets"]);
    process::run(&mut build)?;
    let output = build.args(["--message-format", "json"]).stdin(Stdio::null()).output()?;
    let messages = String::from_utf8_lossy(&output.stdout);
    let built = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let found = built
        .filter(|built| built["target"]["name"] == "instructions")
        .find_map(|built| built["executable"].as_str().map(str::to_owned));
    found.context("the benchmark `instructions` was not built")
}

fn instructions(program: &str, what: &str, times: u64) -> Result<u64> {
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]);
    let output = valgrind.args([program, what, &times.to_string()]).stdin(Stdio::null()).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        bail!("valgrind failed: {said}");
    }
    counted_in(&said).with_context(|| format!("valgrind counted nothing: {said}"))
}

/// `==12345== I refs: 1,234,567`, with spaces as each version likes them.
fn counted_in(said: &str) -> Option<u64> {
    let line = said.lines().find(|line| line.contains("refs:"))?;
    let (_, number) = line.rsplit_once(':')?;
    number.chars().filter(char::is_ascii_digit).collect::<String>().parse().ok()
}

fn judge(counted: &Counts, recorded: &Counts) -> Result<()> {
    let mut table = Table::new(&["what", "instructions", "recorded", ""]);
    let mut grown = Vec::new();
    for (what, &now) in counted {
        let before = recorded.get(what).copied().unwrap_or(0);
        let change = (now as f64 / before as f64 - 1.0) * 100.0;
        table.row([what.clone(), now.to_string(), before.to_string(), format!("{change:+.1} %")]);
        // What was never recorded has grown beyond every bound.
        if change.is_nan() || change > ALLOWED {
            grown.push(what.as_str());
        }
    }
    anstream::println!("{table}");
    if !grown.is_empty() {
        bail!(
            "more than {ALLOWED} % more instructions: {}; if that is meant, `cargo xtask bench instructions --bless`",
            grown.join(", ")
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_valgrind_says_is_read_in_any_spelling() {
        assert_eq!(counted_in("==1== \n==1== I   refs:      1,234,567\n"), Some(1_234_567));
        assert_eq!(counted_in("==99== I refs: 12"), Some(12));
        assert_eq!(counted_in("==1== nothing"), None);
    }

    #[test]
    fn a_count_that_grows_fails_and_so_does_one_that_was_never_recorded() {
        let counts = |cached: u64| Counts::from([("cached".to_owned(), cached)]);
        assert!(judge(&counts(1_079), &counts(1_000)).is_ok());
        assert!(judge(&counts(500), &counts(1_000)).is_ok());
        assert!(judge(&counts(1_081), &counts(1_000)).is_err());
        assert!(judge(&counts(1), &Counts::new()).is_err());
    }

    #[test]
    fn all_that_is_counted_is_recorded() {
        let recorded = recorded().unwrap();
        assert!(COUNTED.iter().all(|(what, ..)| recorded.contains_key(*what)), "{recorded:?}");
    }
}
