//! `docs/settings.md`, written from what the program itself says that it takes.
//!
//! `hallpass config schema` is made of the same types and doc comments that read the file, so a setting, a word or a default that
//! isn't there can't be on the page. Examples stand in `docs/every-setting.toml`, which the program has to understand.

mod example;
mod page;
mod schema;
mod wording;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

use crate::step::Tally;
use crate::{place, process};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cargo xtask settings              write docs/settings.md anew
  cargo xtask settings --check      only say whether it is as it should be")]
pub(crate) struct Options {
    /// Change nothing; fail where the page isn't up to date
    #[arg(long)]
    check: bool,
}

/// `cargo xtask settings`.
pub(crate) fn run(options: &Options) -> Result<()> {
    let program = program()?;
    if options.check {
        return check(&program);
    }
    let (page, without) = write(&program)?;
    std::fs::write(page_file(), page)?;
    anstream::println!("docs/settings.md is written.");
    if !without.is_empty() {
        anstream::println!("No example in docs/every-setting.toml: {}", without.join(", "));
    }
    Ok(())
}

/// The part of `cargo xtask test`: the program is built by then.
pub(crate) fn step(tally: &mut Tally) -> Result<()> {
    check(&built()?)?;
    *tally = Tally::ONE;
    Ok(())
}

fn check(program: &Path) -> Result<()> {
    let (page, _) = write(program)?;
    let file = page_file();
    let there = std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    if let Some((line, there, said)) = first_difference(&there, &page) {
        bail!(
            "docs/settings.md is not what the program says; run `cargo xtask settings`. Line {line} is\n  {there}\nand should be\n  {said}"
        );
    }
    Ok(())
}

/// The first line that differs: its number, what is there, and what should be.
fn first_difference<'a>(there: &'a str, said: &'a str) -> Option<(usize, &'a str, &'a str)> {
    let (mut left, mut right) = (there.lines(), said.lines());
    (1..).find_map(|line| match (left.next(), right.next()) {
        (None, None) => Some(None),
        (left, right) if left == right => None,
        (left, right) => Some(Some((line, left.unwrap_or_default(), right.unwrap_or_default()))),
    })?
}

/// The page, and the settings that nobody has given an example for.
fn write(program: &Path) -> Result<(String, Vec<String>)> {
    let examples = place::root().join("docs/every-setting.toml");
    understood(program, &examples)?;
    let output = Command::new(program).args(["config", "schema"]).output();
    let output = output.with_context(|| format!("cannot start {}", program.display()))?;
    ensure!(output.status.success(), "`hallpass config schema` failed: {}", output.status);
    let schema: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let text = std::fs::read_to_string(&examples)?;
    page::write(&schema, &example::Examples::read(&text)?)
}

/// The file of examples is no configuration that could run: it sets what excludes each other. But the program has to know
/// every setting in it, and take its value.
fn understood(program: &Path, examples: &Path) -> Result<()> {
    let output = Command::new(program).args(["config", "check"]).arg(examples).output();
    let output = output.with_context(|| format!("cannot start {}", program.display()))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(!said.contains("TOML parse error"), "docs/every-setting.toml is wrong: {}", said.trim_end());
    Ok(())
}

fn page_file() -> PathBuf {
    place::root().join("docs/settings.md")
}

/// The program that is named by `HALLPASS`, as for the tests; else this tree's, built as the tests build it.
fn program() -> Result<PathBuf> {
    if let Some(named) = std::env::var_os("HALLPASS") {
        return Ok(named.into());
    }
    process::run(process::cargo().args(["build", "--quiet", "--locked", "--workspace", "--bins"]))?;
    built()
}

fn built() -> Result<PathBuf> {
    Ok(place::artefacts(false)?.join(format!("hallpass{}", std::env::consts::EXE_SUFFIX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_is_not_up_to_date_is_told_by_its_first_line_that_differs() {
        assert_eq!(first_difference("a\nb\n", "a\nb\n"), None);
        assert_eq!(first_difference("a\nb\n", "a\nc\n"), Some((2, "b", "c")));
        assert_eq!(first_difference("a\n", "a\nc\n"), Some((2, "", "c")));
    }
}
