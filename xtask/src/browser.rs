//! The tests in a real browser, and the pictures for the documentation.

use anyhow::Result;
use clap::Args;

use crate::setup::{self, Need};
use crate::step::Tally;
use crate::{node_tests, place, process};

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
    node_tests::run("browser", names, tally)
}

fn screenshots() -> Result<()> {
    process::run(
        process::node()?
            .env("HALLPASS", place::artefacts(false)?.join("hallpass"))
            .arg("browser/screenshots.js")
            .arg(place::root().join("docs/images")),
    )
}
