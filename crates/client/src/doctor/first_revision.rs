//! What clients of MCP 2025-03-26 do: the server is its own authorization server.

use http::StatusCode;

use super::{
    answer::tell,
    check::{Check, FIRST, Judgement, ok, warning},
    evidence::Evidence,
};
use crate::error::printable;

pub(super) const CHECKS: &[Check<Evidence>] = &[Check {
    name: "first_revision.origin",
    sought: "authorization server metadata at the MCP server's origin, or `/authorize`, `/token`, `/register` there",
    source: "MCP 2025-03-26, \"Authorization Base URL\", \"Fallbacks for Servers without Metadata Discovery\"",
    revisions: FIRST,
    judge: origin,
}];

fn origin(evidence: &Evidence) -> Option<Judgement> {
    if !evidence.is_protected() {
        return None;
    }
    let expected = evidence.server.url().origin().ascii_serialization();
    if let Some((sought, document)) = evidence.origin.iter().find_map(|s| Some((s, s.document.as_ref()?))) {
        if document.issuer == expected {
            return ok(sought.at());
        }
        return warning(
            format!("{} is of the issuer `{}`", sought.at(), printable(&document.issuer)),
            "clients of that revision refuse it, or should; serve metadata whose issuer is the origin",
        );
    }
    // A request without parameters is a bad one, wherever there is such an endpoint.
    let outcome = evidence.default_authorize.as_ref()?;
    let is_there = outcome.as_ref().is_ok_and(|answer| {
        !answer.status.is_server_error()
            && !matches!(
                answer.status,
                StatusCode::NOT_FOUND | StatusCode::UNAUTHORIZED | StatusCode::METHOD_NOT_ALLOWED
            )
    });
    if is_there {
        return ok(format!("no metadata, but `/authorize` answers {}", tell(outcome)));
    }
    warning(
        format!("no metadata at {expected}, and `/authorize` answers {}", tell(outcome)),
        "clients of 2025-03-26 cannot log in; serve metadata at the origin if you want them to",
    )
}
