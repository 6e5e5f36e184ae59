//! Mixed load for half an hour while everything around hallpass changes: `docs/soak.md`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use anyhow::{Context, Result, bail};
use clap::Args;
use serde::Deserialize;

use crate::setup::{self, Need};
use crate::{place, process};

/// The page that `--record` writes.
const PAGE: &str = "docs/soak.md";

/// How much more memory the last quarter may hold than the second: the first fills caches.
const GROWTH: f64 = 1.1;

/// What an allocator may keep from one look to the next, in MB.
const UNEVEN: f64 = 4.0;

/// How much a body of 10 GB may cost, in MB.
const BODY: f64 = 64.0;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cargo xtask soak
  cargo xtask soak --minutes 2
  cargo xtask soak --release --record      take the result into docs/soak.md")]
pub(crate) struct Options {
    /// How long
    #[arg(long, default_value = "30")]
    minutes: f64,
    /// Build and run the optimised programs
    #[arg(long)]
    release: bool,
    /// Write docs/soak.md
    #[arg(long)]
    record: bool,
}

/// What `tests/soak/run.js` writes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Measured {
    minutes: f64,
    release: String,
    /// How often what happened around hallpass happened.
    done: BTreeMap<String, u32>,
    /// How often clients did what.
    counts: BTreeMap<String, u32>,
    /// Whatever ended otherwise than it has to.
    faults: Vec<String>,
    /// The bodies of 10 GB.
    bodies: BTreeMap<String, Body>,
    /// The median of each quarter, in MB.
    memory: [f64; 4],
    files: Files,
    stdio: Stdio,
    /// The files that were open at the end, by kind.
    left: BTreeMap<String, u32>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    status: u16,
    /// In bytes, with what the system keeps on the way.
    taken: u64,
    /// The most memory meanwhile, in MB.
    memory: f64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Files {
    before: u32,
    most: u32,
    after: u32,
}

/// The hallpass whose server is a program, before and after.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stdio {
    before: Held,
    after: Held,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Held {
    memory: f64,
    files: u32,
    threads: u32,
    children: u32,
}

/// `cargo xtask soak`.
pub(crate) fn run(options: &Options) -> Result<()> {
    setup::need(&[Need::Npm])?;
    for what in [&["hallpass"][..], &["hallpass-testkit", "--example", "conformance_server"]] {
        let mut build = process::cargo();
        build.args(["build", "--locked", "--package"]).args(what);
        process::run(build.args(options.release.then_some("--release")))?;
    }
    let file = place::target()?.join("soak.json");
    process::run(
        process::node()?
            .env("HALLPASS", place::artefacts(options.release)?.join("hallpass"))
            .args(["--no-warnings", "soak/run.js"])
            .arg(&file)
            .arg(options.minutes.to_string()),
    )?;
    let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let measured: Measured = serde_json::from_str(&text)?;
    anstream::println!("\n{}", report(&measured));
    let wrong = wrong(&measured);
    if !wrong.is_empty() {
        bail!("it did not hold:\n  {}", wrong.join("\n  "));
    }
    if options.record {
        let page = place::root().join(PAGE);
        fs::write(&page, document(&measured, options.release))
            .with_context(|| format!("cannot write {}", page.display()))?;
        anstream::println!("wrote {PAGE}");
    }
    Ok(())
}

/// The rules, each a condition that must not hold and what to say when it does.
fn wrong(measured: &Measured) -> Vec<String> {
    let [_, second, _, last] = measured.memory;
    let idle = measured.memory[0].min(second);
    let (files, stdio) = (&measured.files, &measured.stdio);
    let never = |what: &BTreeMap<String, u32>| {
        what.iter().find(|(_, count)| **count == 0).map(|(name, _)| name.clone())
    };
    let mut rules = vec![
        (!measured.faults.is_empty(), format!("{} faults: {:#?}", measured.faults.len(), measured.faults)),
        (last > second * GROWTH + UNEVEN, format!("memory grew from {second:.1} to {last:.1} MB")),
        (
            files.after > files.before,
            format!("{} files were open before, {} after", files.before, files.after),
        ),
        (
            stdio.after.files > stdio.before.files,
            format!("over stdio, {} files were open before, {} after", stdio.before.files, stdio.after.files),
        ),
        (stdio.after.children > 0, format!("{} processes were left", stdio.after.children)),
    ];
    for what in [&measured.done, &measured.counts] {
        let never = never(what);
        rules.push((never.is_some(), format!("`{}` never happened", never.unwrap_or_default())));
    }
    for (name, body) in &measured.bodies {
        rules.push((body.status != 413, format!("10 GB {name} got {}", body.status)));
        rules.push((body.memory > idle + BODY, format!("10 GB {name} took {:.0} MB", body.memory - idle)));
    }
    rules.into_iter().filter(|(broken, _)| *broken).map(|(_, wrong)| wrong).collect()
}

fn report(measured: &Measured) -> String {
    let mut text = String::new();
    let done = |name: &str| measured.done.get(name).copied().unwrap_or_default();
    let requests: u32 = measured.counts.values().sum();
    let _ = writeln!(
        text,
        "In {} minutes: {requests} things done by clients, {} restarts of the server behind hallpass, {} new keys of the issuer, {} reloads.\n\
         Wrongly let in or kept out, crossed or lost: {}.\n",
        measured.minutes,
        done("restart"),
        done("rotation"),
        done("reload"),
        measured.faults.len()
    );
    text.push_str("| what clients did | how often |\n|---|---|\n");
    for (name, count) in &measured.counts {
        let _ = writeln!(text, "| {name} | {count} |");
    }
    let (files, stdio) = (&measured.files, &measured.stdio);
    let [first, second, third, last] = measured.memory;
    text.push_str("\n| what hallpass held | |\n|---|---|\n");
    let _ = writeln!(
        text,
        "| memory, median of each quarter, MB | {first:.1}, {second:.1}, {third:.1}, {last:.1} |\n\
         | open files before, at most, after | {}, {}, {} |\n\
         | with a server over stdio: memory before and after, MB | {:.1}, {:.1} |\n\
         | open files before and after | {}, {} |\n\
         | threads before and after | {}, {} |\n\
         | processes left | {} |",
        files.before,
        files.most,
        files.after,
        stdio.before.memory,
        stdio.after.memory,
        stdio.before.files,
        stdio.after.files,
        stdio.before.threads,
        stdio.after.threads,
        stdio.after.children
    );
    for (name, body) in &measured.bodies {
        let _ = writeln!(
            text,
            "| a body of 10 GB, {name} | {} after {:.1} MB were sent, at most {:.1} MB held |",
            body.status,
            body.taken as f64 / 1024.0 / 1024.0,
            body.memory
        );
    }
    text
}

fn document(measured: &Measured, release: bool) -> String {
    let left: Vec<String> = measured.left.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    format!(
        "# Under load while everything changes\n\n\
         Written by `cargo xtask soak --record`, with hallpass {} ({}). What clients do and what has to come of it is in\n\
         `tests/soak/actions.js`: calls carry canaries, so an answer that crosses to another client shows; the server behind is killed and\n\
         started again every 7 seconds, the issuer signs with another key every 20, the configuration is written and SIGHUP sent every 10.\n\
         An answer may be missing only while the server behind was away.\n\n{}\n\
         What stays open: {}.\n",
        measured.release,
        if release { "the release build" } else { "a debug build" },
        report(measured),
        left.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sound() -> Measured {
        let held = Held { memory: 20.0, files: 20, threads: 4, children: 0 };
        Measured {
            minutes: 30.0,
            release: "0.1.0".into(),
            done: [("reload".to_owned(), 180)].into(),
            counts: [("a call".to_owned(), 1)].into(),
            faults: Vec::new(),
            bodies: [("chunked".to_owned(), Body { status: 413, taken: 1, memory: 31.0 })].into(),
            memory: [30.0, 31.0, 31.0, 31.0],
            files: Files { before: 20, most: 60, after: 20 },
            stdio: Stdio { before: held, after: held },
            left: BTreeMap::new(),
        }
    }

    #[test]
    fn what_held_has_no_fault() {
        assert_eq!(wrong(&sound()), [""; 0]);
        assert!(document(&sound(), true).contains("| a call | 1 |"));
    }

    #[test]
    fn each_rule_alone_is_a_fault() {
        type Break = fn(&mut Measured);
        let rules: [(&str, Break); 8] = [
            ("1 faults", |it| it.faults.push("no".into())),
            ("memory grew", |it| it.memory[3] = 60.0),
            ("files were open", |it| it.files.after = 21),
            ("over stdio, 20 files", |it| it.stdio.after.files = 21),
            ("1 processes were left", |it| it.stdio.after.children = 1),
            ("`reload` never happened", |it| *it.done.get_mut("reload").unwrap() = 0),
            ("chunked got 200", |it| it.bodies.get_mut("chunked").unwrap().status = 200),
            ("chunked took", |it| it.bodies.get_mut("chunked").unwrap().memory = 500.0),
        ];
        for (says, spoil) in rules {
            let mut measured = sound();
            spoil(&mut measured);
            let wrong = wrong(&measured);
            assert!(wrong.len() == 1 && wrong[0].contains(says), "{says}: {wrong:?}");
        }
    }
}
