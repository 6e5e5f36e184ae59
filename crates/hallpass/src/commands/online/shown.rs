//! What was found, for people and for programs.

use hallpass_client::doctor::Verdict;
use hallpass_protocol::for_terminal;

use super::Judged;
use crate::commands::{doctor, table};
use crate::exit::Failure;
use crate::say::say;

pub(super) fn json(all: &[Judged]) -> Result<(), Failure> {
    say!("{}", serde_json::to_string_pretty(all)?);
    Ok(())
}

pub(super) fn text(all: &[Judged]) -> Result<(), Failure> {
    if all.is_empty() {
        say!("The file names no issuer but hallpass itself: nobody has to be asked.");
    }
    for (at, judged) in all.iter().enumerate() {
        if at > 0 {
            say!("");
        }
        one(judged)?;
    }
    Ok(())
}

fn one(judged: &Judged) -> Result<(), Failure> {
    let bold = clap::builder::styling::Style::new().bold();
    let profile = judged.profile.as_ref().map(|name| format!(", known as {name}")).unwrap_or_default();
    say!("{bold}{}{bold:#}: {} ({}){profile}\n", judged.server, judged.issuer, judged.role);
    let rows = judged.features.iter().map(|feature| {
        let verdict = doctor::name(feature.verdict).to_owned();
        [feature.feature.to_owned(), verdict, for_terminal(&feature.found), feature.mended_by.join(", ")]
    });
    let rows: Vec<_> = rows.collect();
    table::print_folded(["FEATURE", "VERDICT", "FOUND", "MENDED BY"], &rows, 2)?;
    let changes = judged.features.iter().filter(|feature| feature.verdict >= Verdict::Warning);
    let changes: Vec<_> = changes.filter_map(|feature| Some((feature, feature.change.as_ref()?))).collect();
    if !changes.is_empty() {
        say!("\n{bold}What to change{bold:#}");
        for (feature, change) in changes {
            let text = format!("{}: {} ({})", feature.feature, for_terminal(change), feature.source);
            table::line_folded(&text, 4)?;
        }
    }
    if !judged.logs_in {
        return Ok(());
    }
    say!("\n{bold}For clients of{bold:#}");
    for one in &judged.revisions {
        let style = doctor::style(one.verdict);
        let because = one.because_of.join(", ");
        say!("  {}  {style}{:<8}{style:#}{because}", one.revision, doctor::name(one.verdict));
    }
    if !judged.mended_by.is_empty() {
        say!("\n{bold}Another arrangement would mend{bold:#}");
        for one in &judged.mended_by {
            let leaves = if one.leaves.is_empty() {
                String::new()
            } else {
                format!("; not {}", one.leaves.join(", "))
            };
            let text = format!("{:<10} {}{leaves}", one.arrangement, one.mends.join(", "));
            table::line_folded(&text, 13)?;
        }
    }
    Ok(())
}
