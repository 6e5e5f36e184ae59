//! What hallpass passed last time, committed beside the tests.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::checks::{Measured, Status};
use crate::place;

/// The record of one part of the suite.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Baseline {
    /// The release of the suite that the numbers are from.
    pub(crate) suite: String,
    pub(crate) scenarios: BTreeMap<String, Recorded>,
}

/// What a scenario has to reach at least.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Recorded {
    /// Checks that passed.
    pub(crate) passed: usize,
    /// Checks that warned.
    pub(crate) warned: usize,
    /// Checks that did not apply, such as those of methods that a client need not use.
    pub(crate) skipped: usize,
    /// Nothing in it may fail. Where this is false, hallpass does not do yet what the scenario is about.
    pub(crate) required: bool,
}

impl Baseline {
    pub(crate) fn file(part: &str) -> PathBuf {
        place::tests().join("conformance").join(format!("{part}.baseline.json"))
    }

    pub(crate) fn read(part: &str) -> Result<Self> {
        let file = Self::file(part);
        let text = fs::read_to_string(&file)
            .with_context(|| format!("no baseline at {}; `--bless` writes one", file.display()))?;
        serde_json::from_str(&text).with_context(|| format!("{} is not as expected", file.display()))
    }

    /// Takes over what was measured. What was required stays required: only a person lowers that, by hand.
    pub(crate) fn bless(&mut self, suite: &str, measured: &[Measured], always: impl Fn(&str) -> bool) {
        suite.clone_into(&mut self.suite);
        for one in measured {
            let was_required = self.scenarios.get(&one.scenario).is_some_and(|recorded| recorded.required);
            let clean = one.content && one.count(Status::Failure) == 0 && one.count(Status::Success) > 0;
            let recorded = Recorded {
                passed: one.count(Status::Success),
                warned: one.count(Status::Warning),
                skipped: one.count(Status::Skipped),
                required: was_required || clean || always(&one.scenario),
            };
            self.scenarios.insert(one.scenario.clone(), recorded);
        }
    }

    pub(crate) fn write(&self, part: &str) -> Result<()> {
        let file = Self::file(part);
        let text = serde_json::to_string_pretty(self)? + "\n";
        fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
        anstream::println!("wrote {}", file.display());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::checks::Check;
    use super::*;

    fn measured(scenario: &str, statuses: &[Status]) -> Measured {
        let check = |status: &Status| Check {
            id: "id".into(),
            description: String::new(),
            status: *status,
            error_message: None,
        };
        Measured { scenario: scenario.into(), checks: statuses.iter().map(check).collect(), content: true }
    }

    #[test]
    fn blessing_requires_what_passes_and_never_drops_a_requirement() {
        let mut baseline = Baseline { suite: "1".into(), scenarios: BTreeMap::new() };
        baseline
            .bless("2", &[measured("a", &[Status::Success]), measured("b", &[Status::Failure])], |_| false);
        assert!(baseline.scenarios["a"].required);
        assert!(!baseline.scenarios["b"].required);

        baseline.bless("2", &[measured("a", &[Status::Failure])], |_| false);
        assert!(baseline.scenarios["a"].required, "a regression cannot be blessed away");
        assert_eq!(baseline.suite, "2");
    }

    #[test]
    fn a_scenario_without_checks_is_not_blessed_as_passing() {
        let mut baseline = Baseline { suite: "1".into(), scenarios: BTreeMap::new() };
        baseline.bless("1", &[measured("a", &[])], |_| false);
        assert!(!baseline.scenarios["a"].required);
    }
}
