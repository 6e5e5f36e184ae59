//! The form of every check: a row in a table, and a function that looks at the evidence.

use super::report::{Finding, Group, Revision, Verdict};

/// One row. `E` is the evidence that it looks at.
pub(super) struct Check<E> {
    pub(super) name: &'static str,
    pub(super) sought: &'static str,
    pub(super) source: &'static str,
    /// The revisions that it matters to.
    pub(super) revisions: &'static [Revision],
    /// `None` where there is nothing to judge.
    pub(super) judge: fn(&E) -> Option<Judgement>,
}

/// What a check has to say.
pub(super) struct Judgement {
    verdict: Verdict,
    found: String,
    change: Option<String>,
}

pub(super) const ALL: &[Revision] = &Revision::ALL;
pub(super) const FIRST: &[Revision] = &[Revision::V2025_03_26];
pub(super) const SINCE_RESOURCE_METADATA: &[Revision] =
    &[Revision::V2025_06_18, Revision::V2025_11_25, Revision::V2026_07_28];
pub(super) const SINCE_SCOPES: &[Revision] = &[Revision::V2025_11_25, Revision::V2026_07_28];
pub(super) const SINCE_ISSUER: &[Revision] = &[Revision::V2026_07_28];

#[allow(clippy::unnecessary_wraps, reason = "a judgement is what a check returns")]
pub(super) fn ok(found: impl Into<String>) -> Option<Judgement> {
    Some(Judgement { verdict: Verdict::Ok, found: found.into(), change: None })
}

#[allow(clippy::unnecessary_wraps, reason = "a judgement is what a check returns")]
pub(super) fn unknown(found: impl Into<String>, change: impl Into<String>) -> Option<Judgement> {
    Some(Judgement { verdict: Verdict::Unknown, found: found.into(), change: Some(change.into()) })
}

#[allow(clippy::unnecessary_wraps, reason = "a judgement is what a check returns")]
pub(super) fn warning(found: impl Into<String>, change: impl Into<String>) -> Option<Judgement> {
    Some(Judgement { verdict: Verdict::Warning, found: found.into(), change: Some(change.into()) })
}

#[allow(clippy::unnecessary_wraps, reason = "a judgement is what a check returns")]
pub(super) fn fault(found: impl Into<String>, change: impl Into<String>) -> Option<Judgement> {
    Some(Judgement { verdict: Verdict::Fault, found: found.into(), change: Some(change.into()) })
}

/// Runs a table.
pub(super) fn run<E>(group: Group, checks: &[Check<E>], evidence: &E) -> Vec<Finding> {
    let findings = checks.iter().filter_map(|check| {
        let judgement = (check.judge)(evidence)?;
        Some(Finding {
            check: check.name,
            group,
            verdict: judgement.verdict,
            sought: check.sought,
            found: judgement.found,
            source: check.source,
            revisions: check.revisions.to_vec(),
            change: judgement.change,
        })
    });
    findings.collect()
}
