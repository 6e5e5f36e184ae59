//! Scopes are read from three places, each by other clients; all three must say the same.

use hallpass_protocol::scope::{Scope, ScopeSet};

use super::{
    check::{Check, Judgement, SINCE_SCOPES, ok, warning},
    evidence::Evidence,
};
use crate::error::printable;

pub(super) const CHECKS: &[Check<Evidence>] = &[
    Check {
        name: "scopes.three_places",
        sought: "scopes in the challenge, in the resource metadata and in the authorization server's metadata",
        source: "MCP 2025-11-25, \"Scope Selection Strategy\"; RFC 9728 §2, RFC 8414 §2",
        revisions: SINCE_SCOPES,
        judge: three_places,
    },
    Check {
        name: "scopes.agree",
        sought: "the three agree: what one names, the next one knows",
        source: "MCP 2025-11-25, \"Scope Selection Strategy\"",
        revisions: SINCE_SCOPES,
        judge: agree,
    },
];

/// A place, who reads it, and what is there.
type Place = (&'static str, &'static str, Option<ScopeSet>);

fn places(evidence: &Evidence) -> [Place; 3] {
    let set = |names: &Vec<String>| names.iter().filter_map(|name| Scope::parse(name).ok()).collect();
    let resource = evidence.metadata().and_then(|metadata| metadata.scopes_supported.as_ref());
    let server = evidence.servers.iter().find_map(|server| server.metadata()?.scopes_supported.as_ref());
    [
        ("the challenge", "ChatGPT", evidence.bearer().and_then(|challenge| challenge.scope())),
        ("the resource metadata", "claude.ai and Claude Code", resource.map(set)),
        ("the authorization server's metadata", "Codex", server.map(set)),
    ]
}

fn three_places(evidence: &Evidence) -> Option<Judgement> {
    if !evidence.is_protected() {
        return None;
    }
    let places = places(evidence);
    let (named, missing): (Vec<_>, Vec<_>) = places.iter().partition(|(_, _, scopes)| scopes.is_some());
    if named.is_empty() {
        return ok("nowhere: this server has no scopes");
    }
    if missing.is_empty() {
        return ok("in all three");
    }
    let places: Vec<_> = missing.iter().map(|(place, who, _)| format!("{place} (read by {who})")).collect();
    warning(
        format!("missing in {}", places.join(" and in ")),
        "name the same scopes in all three; each is the only one for some client",
    )
}

fn agree(evidence: &Evidence) -> Option<Judgement> {
    let mut unknown = Vec::new();
    let places = places(evidence);
    let named: Vec<_> = places.iter().filter_map(|(place, _, s)| Some((place, s.as_ref()?))).collect();
    for pair in named.windows(2) {
        let [(narrow, fewer), (wide, more)] = pair else { continue };
        if !fewer.is_subset(more) {
            let only = printable(&fewer.difference(more).to_string());
            unknown.push(format!("`{only}` is in {narrow} and not in {wide}"));
        }
    }
    match (named.len(), unknown.is_empty()) {
        (0 | 1, _) => None,
        (_, true) => ok("they agree"),
        (_, false) => warning(unknown.join("; "), "let each place know what the narrower one asks for"),
    }
}
