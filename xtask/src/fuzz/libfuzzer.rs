//! One run of libFuzzer, and what it says of itself.

use std::collections::VecDeque;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::{place, process};

/// What makes programs tell which edges they took, and what they compared.
pub(super) const FLAGS: [&str; 5] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
];

/// How often a line says how far a run is.
const PULSE: Duration = Duration::from_secs(10);

/// How much of what a failing run said is shown.
const LAST_LINES: usize = 40;

/// What came of a run.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) inputs: u64,
    pub(super) a_second: u64,
    /// Edges of the program that were taken, and all that it has.
    pub(super) edges: u64,
    pub(super) all_edges: u64,
    /// Files with inputs that break the property.
    pub(super) findings: Vec<PathBuf>,
}

/// Where everything about fuzzing is kept: programs, inputs that reached something new, findings.
pub(super) fn folder() -> Result<PathBuf> {
    Ok(place::target()?.join("fuzz"))
}

/// The machine's own target triple.
pub(super) fn host() -> Result<String> {
    let said = process::ask("rustc", &["-vV"]).context("rustc does not say for what it compiles")?;
    let host = said.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("rustc does not say for what it compiles")
}

/// Runs a target that is built.
pub(super) fn fuzz(target: &str, seconds: u64) -> Result<Run> {
    let root = place::root();
    let (corpus, findings) = (folder()?.join("corpus").join(target), folder()?.join("findings").join(target));
    fs::create_dir_all(&corpus)?;
    fs::create_dir_all(&findings)?;
    let known = files(&findings)?;
    let mut command = Command::new(folder()?.join(host()?).join("fuzz").join(target));
    command.current_dir(root).arg(&corpus).arg(root.join("fuzz/seeds").join(target));
    command
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-artifact_prefix={}/", findings.display()));
    command.args(["-print_final_stats=1", "-timeout=10", "-rss_limit_mb=2048"]);
    let dictionary = root.join(format!("fuzz/dictionaries/{target}.dict"));
    if dictionary.exists() {
        command.arg(format!("-dict={}", dictionary.display()));
    }
    anstream::println!("\n\x1b[1;36m== {target}\x1b[0m: {seconds} s");
    let mut run = Run::default();
    let (succeeded, last) = listen(command, &mut run)?;
    run.findings = files(&findings)?.into_iter().filter(|path| !known.contains(path)).collect();
    if !succeeded {
        anstream::println!("{}", Vec::from(last).join("\n"));
        if run.findings.is_empty() {
            bail!("the target {target} stopped without a finding");
        }
    }
    Ok(run)
}

fn listen(mut command: Command, run: &mut Run) -> Result<(bool, VecDeque<String>)> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot start the target")?;
    let mut last = VecDeque::new();
    let mut shown = Instant::now();
    if let Some(said) = child.stderr.take() {
        for line in BufReader::new(said).split(b'\n') {
            let line = String::from_utf8_lossy(&line?).into_owned();
            run.read(&line);
            if line.contains(" cov: ") && shown.elapsed() >= PULSE {
                shown = Instant::now();
                anstream::println!("{line}");
            }
            last.push_back(line);
            if last.len() > LAST_LINES {
                last.pop_front();
            }
        }
    }
    Ok((child.wait()?.success(), last))
}

fn files(folder: &PathBuf) -> Result<Vec<PathBuf>> {
    fs::read_dir(folder)?.map(|file| Ok(file?.path())).collect()
}

impl Run {
    /// Takes what a line says, if it says something.
    fn read(&mut self, line: &str) {
        let number = |text: &str| text.split_whitespace().next().and_then(|word| word.parse().ok());
        if let Some((_, rest)) = line.split_once(" cov: ") {
            self.edges = number(rest).unwrap_or(self.edges);
        } else if let Some(rest) = line.strip_prefix("stat::number_of_executed_units:") {
            self.inputs = number(rest).unwrap_or_default();
        } else if let Some(rest) = line.strip_prefix("stat::average_exec_per_sec:") {
            self.a_second = number(rest).unwrap_or_default();
        } else if let Some((_, rest)) = line.split_once("inline 8-bit counters): ") {
            // `INFO: Loaded 1 modules   (12345 inline 8-bit counters): 12345 [0x…, 0x…),`
            self.all_edges = number(rest).unwrap_or_default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_libfuzzer_says_is_read() {
        let mut run = Run::default();
        for line in [
            "INFO: Loaded 1 modules   (4711 inline 8-bit counters): 4711 [0x55, 0x56), ",
            "#2\tINITED cov: 100 ft: 101 corp: 1/1b exec/s: 0 rss: 30Mb",
            "#4096\tpulse  cov: 815 ft: 900 corp: 12/345b lim: 4096 exec/s: 2048 rss: 41Mb",
            "stat::number_of_executed_units: 123456",
            "stat::average_exec_per_sec:     2057",
        ] {
            run.read(line);
        }
        let expected = Run { inputs: 123_456, a_second: 2057, edges: 815, all_edges: 4711, findings: vec![] };
        assert_eq!(run, expected);
    }
}
