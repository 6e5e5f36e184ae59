//! The parts of `cargo xtask test`, as a table.

use std::process::Command;

use anyhow::Result;
use clap::{Args, ValueEnum};

use crate::bench::instructions;
use crate::setup::{self, Need};
use crate::step::{Report, Tally};
use crate::{browser, conformance, deny, fuzz, junit, node_tests, place, process, settings};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cargo xtask test                 everything
  cargo xtask test unit lint       two parts
  cargo nextest run -p hallpass-protocol challenge    some unit tests, by hand")]
pub(crate) struct Options {
    /// The parts to run [default: all]
    parts: Vec<Name>,
}

/// A part, as it is named on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Name {
    Format,
    Lint,
    Deny,
    Unit,
    Cedar,
    Features,
    Doc,
    Settings,
    Instructions,
    Fuzz,
    Conformance,
    Clients,
    Browser,
}

/// A part: what it is called and is for, what it needs, and how it runs.
struct Part {
    name: Name,
    title: &'static str,
    what: &'static str,
    needs: &'static [Need],
    /// Runs the programs that the build makes.
    built: bool,
    run: fn(&mut Tally) -> Result<()>,
}

/// Cheap ones first, so that a slip shows early.
#[rustfmt::skip]
const PARTS: [Part; 16] = [
    Part { name: Name::Format, title: "format", built: false, run: format, needs: &[], what: "the code is as rustfmt writes it" },
    Part { name: Name::Deny, title: "deny", built: false, run: check_dependencies, needs: &[Need::CargoDeny], what: "banned crates, licences and sources of the dependencies" },
    Part { name: Name::Lint, title: "lint", built: false, run: lint, needs: &[], what: "clippy, warnings are errors" },
    Part { name: Name::Unit, title: "unit", built: true, run: unit, needs: &[Need::Nextest, Need::Postgres, Need::Faketime], what: "unit, property and integration tests" },
    Part { name: Name::Unit, title: "unit on PostgreSQL", built: true, run: unit_on_postgres, needs: &[Need::Nextest, Need::Postgres], what: "the authorization server's tests once more, on the other database" },
    Part { name: Name::Doc, title: "doc", built: true, run: doc, needs: &[], what: "the examples in the documentation" },
    Part { name: Name::Settings, title: "settings", built: true, run: settings::step, needs: &[], what: "docs/settings.md is what the program takes" },
    Part { name: Name::Instructions, title: "instructions", built: true, run: instructions::step, needs: &[Need::Valgrind], what: "what a request costs in instructions has not grown" },
    Part { name: Name::Fuzz, title: "fuzz", built: true, run: fuzz::step, needs: &[], what: "every fuzz target: its seeds; `cargo xtask fuzz` goes further" },
    Part { name: Name::Conformance, title: "conformance client", built: true, run: conformance::client_step, needs: &[Need::Npm], what: "hallpass-client before the official conformance suite" },
    Part { name: Name::Conformance, title: "conformance authorization-server", built: true, run: conformance::authorization_server_step, needs: &[Need::Npm, Need::Browser], what: "hallpass's authorization server before the official conformance suite" },
    Part { name: Name::Conformance, title: "conformance server", built: true, run: conformance::server_step, needs: &[Need::Npm], what: "a full MCP server behind hallpass before the official conformance suite, as without hallpass" },
    Part { name: Name::Cedar, title: "cedar", built: false, run: cedar, needs: &[Need::Nextest], what: "policies in Cedar, with the feature" },
    Part { name: Name::Clients, title: "clients", built: true, run: clients_step, needs: &[Need::Npm, Need::FastMcp, Need::Postgres], what: "certified clients against hallpass's authorization server on each database; hallpass as a resource server of others" },
    Part { name: Name::Browser, title: "browser", built: true, run: browser_step, needs: &[Need::Npm, Need::FastMcp, Need::Browser], what: "a real browser, and clients and servers of others, against hallpass" },
    // Last: it leaves another program behind where the others look for it.
    Part { name: Name::Features, title: "features", built: false, run: features, needs: &[Need::Nextest, Need::Caddy], what: "what is built on request: ACME and OpenTelemetry" },
];

fn is_chosen(part: &Part, named: &[Name]) -> bool {
    named.is_empty() || named.contains(&part.name)
}

/// `cargo xtask test`. Returns whether all went well.
pub(crate) fn run(options: &Options) -> bool {
    let chosen: Vec<&Part> = PARTS.iter().filter(|part| is_chosen(part, &options.parts)).collect();
    let mut report = Report::default();
    let mut is_built = None;
    for part in chosen {
        if part.built
            && !*is_built
                .get_or_insert_with(|| report.step("build", "everything, once, as the tests use it", build))
        {
            report.not_run(part.title, "the build failed");
            continue;
        }
        report.step(part.title, part.what, |tally| {
            setup::need(part.needs)?;
            (part.run)(tally)
        });
    }
    report.close()
}

fn format(tally: &mut Tally) -> Result<()> {
    process::run(process::cargo().args(["fmt", "--all", "--check"]))?;
    *tally = Tally::ONE;
    Ok(())
}

fn check_dependencies(tally: &mut Tally) -> Result<()> {
    deny::check()?;
    deny::without_cedar()?;
    *tally = Tally::ONE;
    Ok(())
}

/// The workspace has all features of a crate at once; a library is also used with none of its own.
const LINTED: [&[&str]; 3] = [
    &["--workspace", "--all-targets"],
    &["--workspace", "--all-targets", "--features", "hallpass/acme,hallpass/otlp"],
    &["--package", "hallpass-client", "--lib", "--no-default-features"],
];

fn lint(tally: &mut Tally) -> Result<()> {
    for which in LINTED {
        let mut cargo = process::cargo();
        cargo.args(["clippy", "--quiet", "--locked"]).args(which).args(["--", "--deny", "warnings"]);
        process::run(&mut cargo)?;
        tally.passed += 1;
    }
    Ok(())
}

/// One build serves nextest, the doc tests, the conformance suites and the browser tests.
fn build(tally: &mut Tally) -> Result<()> {
    process::run(process::cargo().args(["build", "--quiet", "--locked", "--workspace", "--all-targets"]))?;
    *tally = Tally::ONE;
    Ok(())
}

fn unit(tally: &mut Tally) -> Result<()> {
    nextest(&["--workspace", "--all-targets"], process::cargo(), tally)
}

fn unit_on_postgres(tally: &mut Tally) -> Result<()> {
    let mut cargo = process::cargo();
    cargo.env("HALLPASS_TEST_DATABASE", "postgres");
    // What is built is the whole workspace, as it is: one package alone would be built anew, with fewer features.
    nextest(
        &["--workspace", "--all-targets", "--filterset", "package(hallpass-authorization-server)"],
        cargo,
        tally,
    )
}

fn cedar(tally: &mut Tally) -> Result<()> {
    let which = ["--package", "hallpass-resource-server", "--features", "cedar", "--test", "cedar"];
    nextest(&which, process::cargo(), tally)
}

/// With the whole workspace, so that what others wrote is not built anew.
const WITH_FEATURES: [&str; 3] = ["--workspace", "--features", "hallpass/acme,hallpass/otlp"];

fn features(tally: &mut Tally) -> Result<()> {
    let mut which = WITH_FEATURES.to_vec();
    which.extend(["--test", "otlp", "--test", "cli", "--lib", "--bins"]);
    which.extend([
        "--filterset",
        "binary(otlp) + (package(hallpass-gateway) & test(spans)) + (binary(cli) & test(/^(acme|otlp)/)) + (package(hallpass) & test(acme))",
    ]);
    nextest(&which, process::cargo(), tally)
}

fn nextest(which: &[&str], mut cargo: Command, tally: &mut Tally) -> Result<()> {
    // nextest keeps it there wherever `CARGO_TARGET_DIR` points (its `store.dir`).
    let report = place::root().join("target/nextest/default/junit.xml");
    junit::clear(&report)?;
    cargo.args(["nextest", "run", "--cargo-quiet", "--locked", "--no-fail-fast"]);
    let outcome = process::run(cargo.args(which));
    // The count is worth having whether the run passed or not; the run's own failure says more.
    let counted = junit::count(&report);
    if let Ok(counted) = &counted {
        *tally = *counted;
    }
    outcome?;
    counted.map(|_| ())
}

fn doc(tally: &mut Tally) -> Result<()> {
    process::run_reading(
        process::cargo().args(["test", "--quiet", "--locked", "--workspace", "--doc", "--no-fail-fast"]),
        |line| add_doc_tests(line, tally),
    )
}

/// Reads `test result: ok. 3 passed; 0 failed; …`, which rustdoc prints once a crate.
fn add_doc_tests(line: &str, tally: &mut Tally) {
    let Some(counts) = line.strip_prefix("test result: ") else {
        return;
    };
    let count = |word: &str| -> usize {
        let words: Vec<&str> = counts.split([' ', ';', '.']).filter(|word| !word.is_empty()).collect();
        words.windows(2).find(|pair| pair[1] == word).and_then(|pair| pair[0].parse().ok()).unwrap_or(0)
    };
    tally.passed += count("passed");
    tally.failed += count("failed");
}

fn clients_step(tally: &mut Tally) -> Result<()> {
    node_tests::run("clients", &[], tally)
}

fn browser_step(tally: &mut Tally) -> Result<()> {
    browser::test(&[], tally)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_that_can_be_named_is_in_the_table() {
        for name in Name::value_variants() {
            assert!(PARTS.iter().any(|part| part.name == *name), "{name:?}");
        }
    }

    #[test]
    fn doc_tests_are_counted_over_all_crates() {
        let mut tally = Tally::default();
        add_doc_tests("running 3 tests", &mut tally);
        add_doc_tests(
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out",
            &mut tally,
        );
        add_doc_tests("test result: FAILED. 1 passed; 2 failed; 0 ignored", &mut tally);
        assert_eq!(tally, Tally { passed: 4, failed: 2 });
    }
}
