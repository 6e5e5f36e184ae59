//! Counts from a JUnit report, which both nextest and Node's test runner write.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::step::Tally;

/// Removes the report of an earlier run, so that it is not taken for this one's.
pub(crate) fn clear(report: &Path) -> Result<()> {
    match fs::remove_file(report) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", report.display()))
        }
        _ => Ok(()),
    }
}

/// Counts the test cases of a report and the ones that failed.
pub(crate) fn count(report: &Path) -> Result<Tally> {
    let text =
        fs::read_to_string(report).with_context(|| format!("no test report at {}", report.display()))?;
    let tally = count_in(&text);
    if tally.passed + tally.failed == 0 {
        bail!("no test ran: {} holds no test case", report.display());
    }
    Ok(tally)
}

/// Looks at element names only. Both writers escape `<` in names and output, so no test can forge one.
fn count_in(text: &str) -> Tally {
    let mut tally = Tally::default();
    for case in text.split("<testcase").skip(1) {
        let case = case.split("</testcase>").next().unwrap_or(case);
        if case.contains("<skipped") {
            continue;
        }
        if case.contains("<failure") || case.contains("<error") {
            tally.failed += 1;
        } else {
            tally.passed += 1;
        }
    }
    tally
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passed_failed_and_skipped_cases_are_told_apart() {
        let text = r#"<testsuites><testsuite name="a"><testcase name="one" time="1"/>
            <testcase name="two"><failure message="&lt;testcase"/></testcase>
            <testcase name="three"><skipped/></testcase>
            <testcase name="four"></testcase></testsuite></testsuites>"#;
        assert_eq!(count_in(text), Tally { passed: 2, failed: 1 });
    }

    #[test]
    fn a_report_without_a_test_is_an_error() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "<testsuites/>").unwrap();
        assert!(count(file.path()).is_err());
    }
}
