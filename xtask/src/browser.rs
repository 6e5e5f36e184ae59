//! The tests in a real browser, and the pictures for the documentation.

use anyhow::Result;
use clap::Args;

use crate::setup::{self, Need};
use crate::step::Tally;
use crate::{junit, place, process};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cargo xtask browser                    all of them
  cargo xtask browser -- connect demo    the files whose name contains one of these words
  cargo xtask browser --screenshots      take docs/images/*.png anew")]
pub(crate) struct Options {
    /// Take the pictures in docs/images anew instead of testing
    #[arg(long, conflicts_with = "names")]
    screenshots: bool,
    /// Run only the test files whose name contains one of these words
    #[arg(last = true)]
    names: Vec<String>,
}

/// `cargo xtask browser`.
pub(crate) fn run(options: &Options) -> Result<()> {
    setup::need(&[Need::Npm, Need::FastMcp, Need::Browser])?;
    process::run(process::cargo().args(["build", "--locked", "--package", "hallpass"]))?;
    if options.screenshots {
        return screenshots();
    }
    let mut tally = Tally::default();
    test(&options.names, &mut tally)
}

/// Runs the test files against the hallpass that is built.
pub(crate) fn test(names: &[String], tally: &mut Tally) -> Result<()> {
    let report = place::target()?.join("browser-tests.xml");
    let chosen = test_files(names)?;
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

fn test_files(names: &[String]) -> Result<Vec<String>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(place::tests().join("browser"))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".test.js") && (names.is_empty() || names.iter().any(|word| name.contains(word))) {
            files.push(format!("browser/{name}"));
        }
    }
    files.sort();
    anyhow::ensure!(!files.is_empty(), "no file in tests/browser matches {names:?}");
    Ok(files)
}

fn screenshots() -> Result<()> {
    process::run(
        process::node()?
            .env("HALLPASS", place::artefacts(false)?.join("hallpass"))
            .arg("browser/screenshots.js")
            .arg(place::root().join("docs/images")),
    )
}
