//! Fuzzing: guided by coverage for as long as one likes, and a short blind run with every test.
//!
//! Coverage is what the stable compiler can put in (`-Cpasses=sancov-module`, the flags that cargo-fuzz gives): no
//! nightly, no other tool. No sanitizer either, since there is no unsafe code to watch. That build is one of its own, of
//! all dependencies; so the tests take the blind run, which is in the workspace's build anyway.

mod libfuzzer;

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

use self::libfuzzer::{Run, fuzz};
use crate::step::Tally;
use crate::table::Table;
use crate::{place, process};

/// How many blind changes of its seeds each target takes with every test: always the same ones, so that a test tells of what
/// changed and not of chance and speed. What is found goes among the seeds.
const BRIEFLY: &str = "10000";

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cargo xtask fuzz                              every target, a minute each
  cargo xtask fuzz jwt challenge --seconds 600  two targets, ten minutes each
  cargo run -p hallpass-fuzz -- jwt --input FILE    one input again, without libFuzzer")]
pub(crate) struct Options {
    /// The targets [default: all]
    targets: Vec<String>,
    /// How long each target is run
    #[arg(long, default_value_t = 60)]
    seconds: u64,
}

/// `cargo xtask fuzz`.
pub(crate) fn run(options: &Options) -> Result<()> {
    let targets = chosen(&options.targets)?;
    build(&targets)?;
    let mut table = Table::new(&["target", "inputs", "a second", "coverage", "findings"]);
    let mut found = Vec::new();
    for target in &targets {
        let Run { inputs, a_second, edges, all_edges, findings } = fuzz(target, options.seconds)?;
        let coverage = format!("{edges} of {all_edges} edges");
        let count = findings.len().to_string();
        table.row([target.clone(), inputs.to_string(), a_second.to_string(), coverage, count]);
        found.extend(findings);
    }
    anstream::println!("\n{table}");
    for path in &found {
        anstream::println!("found: {}", path.display());
    }
    ensure!(found.is_empty(), "{} inputs break a property", found.len());
    Ok(())
}

/// The names of the targets, each that of its program's file.
fn targets() -> Result<Vec<String>> {
    let folder = place::root().join("fuzz/fuzz_targets");
    let files = fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut names = Vec::new();
    for file in files {
        let path = file?.path();
        names.extend(path.file_stem().map(|name| name.to_string_lossy().into_owned()));
    }
    names.sort();
    Ok(names)
}

fn chosen(names: &[String]) -> Result<Vec<String>> {
    let all = targets()?;
    for name in names {
        ensure!(all.contains(name), "there is no target {name}; there are: {}", all.join(", "));
    }
    Ok(if names.is_empty() { all } else { names.to_vec() })
}

/// With `--target`, so that build scripts and macros are built as ever.
fn build(targets: &[String]) -> Result<()> {
    let mut cargo = process::cargo();
    cargo.env("RUSTFLAGS", libfuzzer::FLAGS.join(" ")).env_remove("CARGO_ENCODED_RUSTFLAGS");
    cargo.args(["build", "--locked", "--profile", "fuzz", "--target", &libfuzzer::host()?]);
    cargo.arg("--target-dir").arg(libfuzzer::folder()?);
    cargo.args(["--package", "hallpass-fuzz", "--features", "libfuzzer"]);
    for target in targets {
        cargo.args(["--bin", target]);
    }
    process::run(&mut cargo)
}

/// The step of `cargo xtask test`: every seed.
pub(crate) fn step(tally: &mut Tally) -> Result<()> {
    let program = place::artefacts(false)?.join(format!("hallpass-fuzz{}", std::env::consts::EXE_SUFFIX));
    let mut last = String::new();
    let outcome = process::run_reading(Command::new(program).args(["--inputs", BRIEFLY]), |line| {
        line.clone_into(&mut last)
    });
    if let Some(counted) = counted(&last) {
        *tally = counted;
    } else if outcome.is_ok() {
        bail!("the fuzz targets were not counted: {last:?}");
    }
    outcome
}

/// Reads `22 targets passed, 0 failed`.
fn counted(line: &str) -> Option<Tally> {
    let (passed, failed) = line.split_once(" targets passed, ")?;
    Some(Tally { passed: passed.parse().ok()?, failed: failed.strip_suffix(" failed")?.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_targets_that_there_are_can_be_chosen() {
        assert!(targets().unwrap().contains(&"jwt".to_owned()));
        assert_eq!(chosen(&["jwt".to_owned()]).unwrap(), ["jwt"]);
        assert!(chosen(&["jwx".to_owned()]).is_err());
    }

    #[test]
    fn targets_are_counted_from_the_last_line() {
        assert_eq!(counted("21 targets passed, 1 failed"), Some(Tally { passed: 21, failed: 1 }));
        assert_eq!(counted("jwt  12 seeds"), None);
    }
}
