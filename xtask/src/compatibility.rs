//! Servers and clients that people use, with hallpass between them: `docs/compatibility.md`.

use std::fmt::Write as _;
use std::fs;

use anyhow::{Context, Result, bail};
use clap::Args;
use serde::Deserialize;

use crate::setup::{self, Need};
use crate::{place, process};

/// The page that is written.
const PAGE: &str = "docs/compatibility.md";

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cargo xtask compatibility              every server; writes docs/compatibility.md
  cargo xtask compatibility -- memory    servers whose name contains one of these words; writes nothing")]
pub(crate) struct Options {
    /// Run the optimised hallpass
    #[arg(long)]
    release: bool,
    /// Run only the servers whose name contains one of these words
    #[arg(last = true)]
    names: Vec<String>,
}

/// What `tests/compatibility/run.js` writes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Measured {
    clients: Vec<Client>,
    rows: Vec<Row>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Client {
    name: String,
    /// The newest revision that it asks for.
    asks: String,
}

/// A server over one transport, with every client.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    server: String,
    version: String,
    transport: String,
    cells: Vec<Cell>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Cell {
    /// What was spoken through hallpass.
    revision: Option<String>,
    /// What is spoken without it, where that is another.
    alone: Option<String>,
    /// Why the client does not get on with the server alone.
    direct: Option<String>,
    /// Why it does not get on with it behind hallpass either.
    behind: Option<String>,
    /// What is not as it is without hallpass.
    wrong: Option<String>,
}

/// `cargo xtask compatibility`.
pub(crate) fn run(options: &Options) -> Result<()> {
    setup::need(&[Need::Npm, Need::FastMcp, Need::Browser])?;
    let mut build = process::cargo();
    build.args(["build", "--locked", "--package", "hallpass"]).args(options.release.then_some("--release"));
    process::run(&mut build)?;
    let file = place::target()?.join("compatibility.json");
    process::run(
        process::node()?
            .env("HALLPASS", place::artefacts(options.release)?.join("hallpass"))
            .env("FASTMCP_PYTHON", setup::fastmcp()?)
            .args(["--no-warnings", "compatibility/run.js"])
            .arg(&file)
            .args(&options.names),
    )?;
    let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let measured: Measured = serde_json::from_str(&text)?;
    let wrong = wrong(&measured);
    if !wrong.is_empty() {
        bail!("not as without hallpass:\n  {}", wrong.join("\n  "));
    }
    anstream::println!("\n{}", table(&measured));
    if options.names.is_empty() {
        let page = place::root().join(PAGE);
        fs::write(&page, document(&measured)).with_context(|| format!("cannot write {}", page.display()))?;
        anstream::println!("wrote {PAGE}");
    }
    Ok(())
}

fn wrong(measured: &Measured) -> Vec<String> {
    let mut lines = Vec::new();
    for row in &measured.rows {
        for (client, cell) in measured.clients.iter().zip(&row.cells) {
            if let Some(why) = &cell.wrong {
                lines.push(format!(
                    "{} over {}, {} that asks for {}: {why}",
                    row.server, row.transport, client.name, client.asks
                ));
            }
        }
    }
    lines
}

/// The table, and below it what its numbers mean.
fn table(measured: &Measured) -> String {
    let mut notes: Vec<String> = Vec::new();
    let mut text = String::from("| server | over |");
    for client in &measured.clients {
        let _ = write!(text, " {}, {} |", client.name, client.asks);
    }
    let _ = write!(text, "\n|---|---|{}\n", "---|".repeat(measured.clients.len()));
    for row in &measured.rows {
        let _ = write!(text, "| {} {} | {} |", row.server, row.version, row.transport);
        for cell in &row.cells {
            let shown = cell.revision.as_deref().unwrap_or("–");
            let note = cell.note().map(|note| {
                let known = notes.iter().position(|known| *known == note);
                let number = known.unwrap_or_else(|| {
                    notes.push(note);
                    notes.len() - 1
                });
                format!(" ({})", number + 1)
            });
            let _ = write!(text, " {shown}{} |", note.unwrap_or_default());
        }
        text.push('\n');
    }
    for (number, note) in notes.iter().enumerate() {
        let _ = write!(text, "\n{}. {note}", number + 1);
    }
    text
}

impl Cell {
    /// What has to be said beside the revision.
    fn note(&self) -> Option<String> {
        // A line each, and no bar that would end the cell.
        let plain = |text: &str| text.lines().next().unwrap_or_default().replace('|', "/");
        match (&self.alone, &self.direct, &self.behind) {
            (Some(alone), ..) if Some(alone) > self.revision.as_ref() => Some(format!(
                "Alone they speak {alone}; to a program, hallpass speaks the revisions that have a handshake."
            )),
            (Some(alone), ..) => Some(format!(
                "Alone the server speaks {alone}; hallpass stands in for the rest, and says that clients can do what clients \
                     could: a server may offer more tools then."
            )),
            (None, Some(direct), Some(_)) => Some(format!("Not without hallpass either: {}", plain(direct))),
            (None, Some(direct), None) => {
                Some(format!("Through hallpass alone; without it: {}", plain(direct)))
            }
            (None, None, _) => None,
        }
    }
}

fn document(measured: &Measured) -> String {
    format!(
        "# Servers and clients of others\n\n\
         Written by `cargo xtask compatibility`, which runs all of it. Each server is as npm or PyPI brings it, each client logs in by\n\
         itself, with registration, PKCE and consent. What is said to a server (`tests/compatibility/servers.js`: lists, calls, progress, long\n\
         answers, errors) is said once without hallpass and once through it, and every answer has to be the same. A cell is the\n\
         revision that was spoken through hallpass; the head of a column is the client, and the newest revision that it asks for.\n\n\
         {}\n\n\
         How clients log in, and what others' OAuth libraries do, is in [compatibility-clients.md](compatibility-clients.md).\n",
        table(measured)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(cells: &str) -> Measured {
        let text = format!(
            r#"{{"clients":[{{"name":"SDK 1","asks":"2025-11-25"}},{{"name":"SDK 2","asks":"2026-07-28"}}],
                "rows":[{{"server":"memory","version":"1.2","transport":"stdio","cells":{cells}}}]}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn a_cell_is_the_revision_and_what_has_to_be_said_of_it() {
        let measured =
            measured(r#"[{"revision":"2025-11-25"},{"revision":"2026-07-28","alone":"2025-11-25"}]"#);
        assert!(wrong(&measured).is_empty());
        assert_eq!(
            table(&measured),
            "| server | over | SDK 1, 2025-11-25 | SDK 2, 2026-07-28 |\n|---|---|---|---|\n\
             | memory 1.2 | stdio | 2025-11-25 | 2026-07-28 (1) |\n\n\
             1. Alone the server speaks 2025-11-25; hallpass stands in for the rest, and says that clients can do what clients could: \
             a server may offer more tools then."
        );
    }

    #[test]
    fn what_differs_is_named() {
        let measured = measured(r#"[{"revision":"2025-11-25"},{"wrong":"differs in tools"}]"#);
        assert_eq!(wrong(&measured), ["memory over stdio, SDK 2 that asks for 2026-07-28: differs in tools"]);
    }
}
