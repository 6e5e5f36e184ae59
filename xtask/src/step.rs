//! One step of a run: its header, its time, its line in the closing table.

use std::time::{Duration, Instant};

use anyhow::Result;

use crate::table::Table;

/// How many tests a step ran. A step that is one check counts as one test.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
}

impl Tally {
    /// A step that is one check, and passed.
    pub(crate) const ONE: Self = Self { passed: 1, failed: 0 };
}

/// What came of a step.
#[derive(Debug)]
enum Outcome {
    Passed(Tally),
    Failed(Tally, String),
    /// It needs something that another step was to provide.
    NotRun(String),
}

#[derive(Debug)]
struct Done {
    name: &'static str,
    outcome: Outcome,
    took: Duration,
}

/// The steps of a run, in order. A failed step does not hide the ones after it.
#[derive(Debug, Default)]
pub(crate) struct Report {
    done: Vec<Done>,
}

impl Report {
    /// Runs a step under its header. Returns whether it passed.
    ///
    /// The tally is filled while the step runs, so that a failed step still tells what it counted.
    pub(crate) fn step(
        &mut self,
        name: &'static str,
        what: &str,
        work: impl FnOnce(&mut Tally) -> Result<()>,
    ) -> bool {
        anstream::println!("\n\x1b[1;36m== {name}\x1b[0m: {what}");
        let start = Instant::now();
        let mut tally = Tally::default();
        let outcome = match work(&mut tally) {
            Ok(()) if tally.failed == 0 => Outcome::Passed(tally),
            Ok(()) => Outcome::Failed(tally, format!("{} failed", tally.failed)),
            Err(error) => Outcome::Failed(tally, format!("{error:#}")),
        };
        let took = start.elapsed();
        let passed = matches!(outcome, Outcome::Passed(_));
        match &outcome {
            Outcome::Failed(_, why) => {
                anstream::println!("\x1b[1;31m   {name} failed\x1b[0m: {why}")
            }
            _ => anstream::println!("\x1b[32m   {name} passed\x1b[0m in {}", seconds(took)),
        }
        self.done.push(Done { name, outcome, took });
        passed
    }

    /// Records that a step could not run, which is a failure of the run.
    pub(crate) fn not_run(&mut self, name: &'static str, why: &str) {
        self.done.push(Done { name, outcome: Outcome::NotRun(why.to_owned()), took: Duration::ZERO });
    }

    /// Prints the closing table and, as the very last line, the plain count. Returns whether all went well.
    pub(crate) fn close(self) -> bool {
        let mut table = Table::new(&["step", "result", "tests", "time"]);
        let mut all = Tally::default();
        let mut whole = Duration::ZERO;
        for step in &self.done {
            let (result, tests) = match &step.outcome {
                Outcome::Passed(tally) => ("passed", tally.passed.to_string()),
                Outcome::Failed(tally, _) => (
                    "FAILED",
                    format!("{} of {} failed", tally.failed.max(1), tally.passed + tally.failed.max(1)),
                ),
                Outcome::NotRun(why) => ("NOT RUN", why.clone()),
            };
            let counted = step.outcome.counted();
            all.passed += counted.passed;
            all.failed += counted.failed;
            whole += step.took;
            table.row([step.name.to_owned(), result.to_owned(), tests, seconds(step.took)]);
        }
        table.row([String::new(), String::new(), String::new(), seconds(whole)]);
        anstream::println!("\n{table}");
        for step in &self.done {
            if let Outcome::Failed(_, why) = &step.outcome {
                anstream::println!("\x1b[1;31m{}\x1b[0m: {why}", step.name);
            }
        }
        anstream::println!("{} passed, {} failed", all.passed, all.failed);
        all.failed == 0
    }
}

impl Outcome {
    /// What the step adds to the last line: a failure counts even where no single test did.
    fn counted(&self) -> Tally {
        match self {
            Self::Passed(tally) => *tally,
            Self::Failed(tally, _) => Tally { failed: tally.failed.max(1), ..*tally },
            Self::NotRun(_) => Tally { passed: 0, failed: 1 },
        }
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_step_does_not_hide_the_next_one() {
        let mut report = Report::default();
        assert!(!report.step("first", "fails", |_| anyhow::bail!("no")));
        assert!(report.step("second", "passes", |tally| {
            *tally = Tally::ONE;
            Ok(())
        }));
        assert_eq!(report.done.len(), 2);
        assert!(!report.close());
    }

    #[test]
    fn a_step_that_counted_a_failure_fails_even_when_it_returns_well() {
        let mut report = Report::default();
        assert!(!report.step("tests", "one fails", |tally| {
            *tally = Tally { passed: 3, failed: 1 };
            Ok(())
        }));
        assert!(!report.close());
    }

    #[test]
    fn a_step_that_could_not_run_counts_as_a_failure() {
        let mut report = Report::default();
        report.not_run("browser", "the build failed");
        assert!(!report.close());
    }
}
