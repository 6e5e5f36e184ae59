//! Test files for Node.js, counted.

use anyhow::Result;

use crate::setup;
use crate::step::Tally;
use crate::{junit, place, process};

/// Runs the test files of a folder of `tests/` whose names contain one of these words, against the hallpass that is
/// built.
pub(crate) fn run(folder: &str, names: &[String], tally: &mut Tally) -> Result<()> {
    let report = place::target()?.join(format!("{folder}-tests.xml"));
    let chosen = files(folder, names)?;
    junit::clear(&report)?;
    let outcome = process::run(
        process::node()?
            .env("HALLPASS", place::artefacts(false)?.join("hallpass"))
            .env("FASTMCP_PYTHON", setup::fastmcp()?)
            .args([
                "--test",
                "--test-concurrency=2",
                "--test-reporter=spec",
                "--test-reporter-destination=stdout",
            ])
            .args(["--test-reporter=junit", &format!("--test-reporter-destination={}", report.display())])
            .args(chosen),
    );
    // The count is worth having whether the run passed or not; the run's own failure says more.
    let counted = junit::count(&report);
    if let Ok(counted) = &counted {
        *tally = *counted;
    }
    outcome?;
    counted.map(|_| ())
}

fn files(folder: &str, names: &[String]) -> Result<Vec<String>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(place::tests().join(folder))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".test.js") && (names.is_empty() || names.iter().any(|word| name.contains(word))) {
            files.push(format!("{folder}/{name}"));
        }
    }
    files.sort();
    anyhow::ensure!(!files.is_empty(), "no file in tests/{folder} matches {names:?}");
    Ok(files)
}
