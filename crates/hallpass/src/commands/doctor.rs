//! `hallpass doctor`.

use std::io::Write as _;

use anstream::AutoStream;
use clap::builder::styling::{AnsiColor, Style};
use hallpass_client::doctor::{Finding, Group, Report, Revision, Verdict, examine};
use hallpass_client::store::MemoryStore;

use super::{Place, remote};
use crate::cli::Doctor;
use crate::exit::Failure;
use crate::say::say;

/// Examines the server, prints what came out, and fails where a rule is broken.
pub(crate) async fn run(doctor: Doctor, place: &Place) -> Result<(), Failure> {
    // A login here is for the examination alone, and ends with it.
    let client = remote::builder(&doctor.remote, &doctor.fields, place)?.store(MemoryStore::new());
    let client = client.build().map_err(Failure::configuration)?;
    let mut report = examine(&client, doctor.login).await;
    if let Some(revision) = doctor.revision {
        report = report.only(revision);
    }
    let printed = if doctor.json { json(&report) } else { text(&report) };
    // A reader that has had enough changes no verdict.
    match report.verdict() {
        Verdict::Fault => Err(anyhow::anyhow!("{}", counted(&report)).into()),
        Verdict::Ok | Verdict::Unknown | Verdict::Warning => printed,
    }
}

fn json(report: &Report) -> Result<(), Failure> {
    let mut value = serde_json::to_value(report)?;
    value["verdict"] = serde_json::to_value(report.verdict())?;
    value["revisions"] = Revision::ALL
        .iter()
        .map(|revision| Ok((revision.to_string(), serde_json::to_value(report.verdict_for(*revision))?)))
        .collect::<Result<serde_json::Map<_, _>, serde_json::Error>>()?
        .into();
    say!("{}", serde_json::to_string_pretty(&value)?);
    Ok(())
}

fn text(report: &Report) -> Result<(), Failure> {
    let bold = Style::new().bold();
    let mut out = AutoStream::auto(std::io::stdout().lock());
    writeln!(out, "{bold}{}{bold:#}", report.server)?;
    let mut group = None;
    for finding in &report.findings {
        if group != Some(finding.group) {
            group = Some(finding.group);
            writeln!(out, "\n{bold}{}{bold:#}", title(finding.group))?;
        }
        write_finding(&mut out, finding)?;
    }
    writeln!(out, "\n{bold}For clients of{bold:#}")?;
    for revision in Revision::ALL {
        let verdict = report.verdict_for(revision);
        let style = style(verdict);
        writeln!(out, "  {revision}  {style}{}{style:#}", name(verdict))?;
    }
    writeln!(out, "\n{}.", counted(report))?;
    Ok(())
}

fn write_finding(out: &mut impl std::io::Write, finding: &Finding) -> std::io::Result<()> {
    let style = style(finding.verdict);
    let dim = Style::new().dimmed();
    writeln!(out, "  {style}{:<8}{style:#}{}", name(finding.verdict), finding.sought)?;
    writeln!(out, "          found: {}", finding.found)?;
    if let Some(change) = &finding.change {
        writeln!(out, "          change: {change}")?;
    }
    writeln!(out, "          {dim}{}{dim:#}", finding.source)
}

fn title(group: Group) -> &'static str {
    match group {
        Group::Reach => "The way there",
        Group::Challenge => "Without a token",
        Group::Resource => "Protected resource metadata",
        Group::AuthorizationServer => "Authorization server",
        Group::FirstRevision => "The first revision, 2025-03-26",
        Group::Scopes => "Scopes",
        Group::Browser => "Clients in a browser",
        Group::Login => "A login",
    }
}

pub(super) fn name(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Ok => "ok",
        Verdict::Unknown => "unknown",
        Verdict::Warning => "warning",
        Verdict::Fault => "fault",
    }
}

pub(super) fn style(verdict: Verdict) -> Style {
    let color = match verdict {
        Verdict::Ok => AnsiColor::Green,
        Verdict::Unknown => AnsiColor::Cyan,
        Verdict::Warning => AnsiColor::Yellow,
        Verdict::Fault => AnsiColor::Red,
    };
    color.on_default().bold()
}

fn counted(report: &Report) -> String {
    let count = |verdict, one: &str, many: &str| match report.count(verdict) {
        1 => format!("1 {one}"),
        count => format!("{count} {many}"),
    };
    format!(
        "{} in order, {}, {}",
        report.count(Verdict::Ok),
        count(Verdict::Warning, "warning", "warnings"),
        count(Verdict::Fault, "fault", "faults"),
    )
}
