//! Whether a measured scenario is good enough, and the table that shows it.

use anyhow::{Result, bail};

use super::baseline::{Baseline, Recorded};
use super::checks::{Measured, Status};
use crate::step::Tally;
use crate::table::Table;

/// The rules, each a condition that must not hold and what to say when it does.
fn faults(measured: &Measured, recorded: Option<&Recorded>) -> Vec<String> {
    let passed = measured.count(Status::Success);
    let failed = measured.count(Status::Failure);
    let warned = measured.count(Status::Warning);
    let skipped = measured.count(Status::Skipped);
    let Some(recorded) = recorded else {
        return vec!["is not in the baseline; look at it, then `--bless`".to_owned()];
    };
    let required = recorded.required;
    let rules = [
        (passed + failed == 0, "ran no check".to_owned()),
        (required && failed > 0, format!("{failed} checks failed")),
        (
            skipped > recorded.skipped,
            format!("{skipped} checks were skipped, {} last time", recorded.skipped),
        ),
        (
            required && failed == 0 && warned <= recorded.warned && !measured.content,
            "ended badly or too late".to_owned(),
        ),
        (passed < recorded.passed, format!("{passed} checks passed, {} last time", recorded.passed)),
        (warned > recorded.warned, format!("{warned} warnings, {} last time", recorded.warned)),
    ];
    rules.into_iter().filter(|(broken, _)| *broken).map(|(_, fault)| fault).collect()
}

/// The required scenarios that a run of everything should have measured and did not.
pub(crate) fn all_there(measured: &[Measured], baseline: &Baseline) -> Result<()> {
    let is_there = |name: &&String| measured.iter().any(|one| one.scenario == **name);
    let required = baseline.scenarios.iter().filter(|(_, recorded)| recorded.required);
    let missing: Vec<_> = required.map(|(name, _)| name).filter(|name| !is_there(name)).collect();
    if !missing.is_empty() {
        bail!("required scenarios did not run: {missing:?}");
    }
    Ok(())
}

/// Prints scenario × passed/failed/warned, then what is wrong, and fails if anything is.
pub(crate) fn judge(all: &[Measured], baseline: &Baseline, tally: &mut Tally) -> Result<()> {
    let mut table = Table::new(&["scenario", "passed", "failed", "warned", "verdict"]);
    let mut wrong = Vec::new();
    let mut sums = [0; 3];
    for measured in all {
        let counts = [Status::Success, Status::Failure, Status::Warning].map(|status| measured.count(status));
        for (sum, count) in sums.iter_mut().zip(counts) {
            *sum += count;
        }
        let recorded = baseline.scenarios.get(&measured.scenario);
        let faults = faults(measured, recorded);
        let verdict = match (faults.is_empty(), recorded.is_some_and(|recorded| recorded.required)) {
            (false, _) => "WRONG",
            (true, true) => "required, passed",
            (true, false) => "not required yet",
        };
        table.row(
            std::iter::once(measured.scenario.clone())
                .chain(counts.map(|count| count.to_string()))
                .chain([verdict.to_owned()]),
        );
        if faults.is_empty() {
            tally.passed += 1;
        } else {
            tally.failed += 1;
            wrong.push((measured, faults));
        }
    }
    table.row(std::iter::once(format!("{} scenarios", all.len())).chain(sums.map(|sum| sum.to_string())));
    anstream::println!("\n{table}");
    for (measured, faults) in &wrong {
        anstream::println!("\x1b[1;31m{}\x1b[0m: {}", measured.scenario, faults.join("; "));
        for line in measured.complaints() {
            anstream::println!("    {line}");
        }
    }
    if all.is_empty() {
        bail!("no scenario ran");
    }
    if !wrong.is_empty() {
        bail!("{} of {} scenarios are not as they have to be", wrong.len(), all.len());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::checks::Check;
    use super::*;

    const REQUIRED: Recorded = Recorded { passed: 2, warned: 0, skipped: 0, required: true };

    fn measured(statuses: &[Status], content: bool) -> Measured {
        let check = |status: &Status| Check {
            id: "id".into(),
            description: String::new(),
            status: *status,
            error_message: None,
        };
        Measured { scenario: "auth/x".into(), checks: statuses.iter().map(check).collect(), content }
    }

    #[test]
    fn as_good_as_last_time_is_good_enough() {
        let as_before = measured(&[Status::Success, Status::Success, Status::Info], true);
        assert!(faults(&as_before, Some(&REQUIRED)).is_empty());
    }

    #[test]
    fn each_rule_alone_makes_a_scenario_wrong() {
        use Status::{Failure, Skipped, Success, Warning};
        for (statuses, content, expected) in [
            (&[][..], true, "ran no check"),
            (&[Success, Success, Failure], false, "1 checks failed"),
            (&[Success, Success, Skipped], true, "1 checks were skipped, 0 last time"),
            (&[Success, Success], false, "ended badly or too late"),
            (&[Success], true, "1 checks passed, 2 last time"),
            (&[Success, Success, Warning], false, "1 warnings, 0 last time"),
        ] {
            let faults = faults(&measured(statuses, content), Some(&REQUIRED));
            assert!(faults.iter().any(|fault| fault == expected), "{expected}: {faults:?}");
        }
    }

    #[test]
    fn a_scenario_that_is_not_required_may_fail_but_not_get_worse() {
        let open = Recorded { passed: 1, warned: 0, skipped: 0, required: false };
        let fails = measured(&[Status::Success, Status::Failure], false);
        assert!(faults(&fails, Some(&open)).is_empty());
        let worse = measured(&[Status::Failure, Status::Failure], false);
        assert!(!faults(&worse, Some(&open)).is_empty());
    }

    #[test]
    fn a_required_scenario_must_run() {
        let scenarios = [("auth/x".to_owned(), REQUIRED), ("auth/y".to_owned(), REQUIRED)].into();
        let baseline = Baseline { suite: "1".into(), scenarios };
        let error = all_there(&[measured(&[Status::Success], true)], &baseline).unwrap_err();
        assert!(error.to_string().contains("auth/y"), "{error}");
    }

    #[test]
    fn a_scenario_that_nobody_has_looked_at_is_wrong() {
        assert!(!faults(&measured(&[Status::Success], true), None).is_empty());
    }
}
