//! Protected resource metadata.

use hallpass_protocol::{
    resource::ResourceIdentifier, resource_metadata::ProtectedResourceMetadata, scope::Scope,
};
use url::Url;

use super::{
    answer::{shown, tell},
    check::{Check, Judgement, SINCE_RESOURCE_METADATA, fault, ok, warning},
    evidence::{Evidence, Sought},
};
use crate::{error::printable, same_machine::same_machine};

pub(super) const CHECKS: &[Check<Evidence>] = &[
    Check {
        name: "resource.found",
        sought: "resource metadata, at the place that the challenge names, then the path form, then the root form",
        source: "RFC 9728 §3; MCP \"Authorization Server Location\"",
        revisions: SINCE_RESOURCE_METADATA,
        judge: found,
    },
    Check {
        name: "resource.named",
        sought: "the place that the challenge names",
        source: "RFC 9728 §5.1",
        revisions: SINCE_RESOURCE_METADATA,
        judge: named,
    },
    Check {
        name: "resource.path_form",
        sought: "the well-known location with the server's path",
        source: "RFC 9728 §3.1",
        revisions: SINCE_RESOURCE_METADATA,
        judge: path_form,
    },
    Check {
        name: "resource.root_form",
        sought: "the well-known location at the root, which some clients ask alone",
        source: "MCP 2025-11-25, \"Protected Resource Metadata Discovery Requirements\"",
        revisions: SINCE_RESOURCE_METADATA,
        judge: root_form,
    },
    Check {
        name: "resource.matches",
        sought: "`resource` is the URL of this server",
        source: "RFC 9728 §3.3",
        revisions: SINCE_RESOURCE_METADATA,
        judge: matches,
    },
    Check {
        name: "resource.type",
        sought: "the document comes as application/json",
        source: "RFC 9728 §3.2",
        revisions: SINCE_RESOURCE_METADATA,
        judge: content_type,
    },
    Check {
        name: "resource.authorization_servers",
        sought: "at least one authorization server",
        source: "MCP \"Authorization Server Location\"",
        revisions: SINCE_RESOURCE_METADATA,
        judge: authorization_servers,
    },
    Check {
        name: "resource.bearer_methods",
        sought: "tokens are taken in the Authorization field",
        source: "RFC 9728 §2; MCP \"Token Requirements\"",
        revisions: SINCE_RESOURCE_METADATA,
        judge: bearer_methods,
    },
    Check {
        name: "resource.scope_names",
        sought: "every scope is one that a client can ask for",
        source: "RFC 6749 §3.3",
        revisions: SINCE_RESOURCE_METADATA,
        judge: scope_names,
    },
];

fn found(evidence: &Evidence) -> Option<Judgement> {
    if let Some(first) = evidence.resource.iter().find(|sought| sought.document.is_some()) {
        return ok(format!("{}, by {}", first.at(), first.place));
    }
    if !evidence.is_protected() {
        return None;
    }
    let tried: Vec<_> = evidence.resource.iter().map(|s| format!("{}: {}", s.at(), came(s))).collect();
    fault(
        tried.join("; "),
        "publish RFC 9728 metadata; clients since 2025-06-18 find no authorization server without it",
    )
}

fn named(evidence: &Evidence) -> Option<Judgement> {
    let sought = at(evidence, "the challenge")?;
    match sought.document {
        Some(_) => ok(came(sought)),
        None => fault(
            format!("{}: {}", sought.at(), came(sought)),
            "serve the document at the URL that the challenge names",
        ),
    }
}

fn path_form(evidence: &Evidence) -> Option<Judgement> {
    well_known(evidence, "the path form")
}

fn root_form(evidence: &Evidence) -> Option<Judgement> {
    let root = at(evidence, "the root form")?;
    let same = evidence.resource.iter().any(|s| s.place == "the path form" && s.url == root.url);
    if same { None } else { well_known(evidence, "the root form") }
}

fn well_known(evidence: &Evidence, place: &str) -> Option<Judgement> {
    let chosen = evidence.metadata()?;
    let sought = at(evidence, place)?;
    match &sought.document {
        Some(document) if document.resource == chosen.resource => ok(sought.at()),
        Some(document) => warning(
            format!("{} is about `{}`", sought.at(), printable(&document.resource)),
            "where one host has several servers this cannot be helped; clients that ask here alone are led astray",
        ),
        None => warning(
            format!("{}: {}", sought.at(), came(sought)),
            "serve the same document here too: some clients ask one form, some the other",
        ),
    }
}

fn matches(evidence: &Evidence) -> Option<Judgement> {
    let metadata = evidence.metadata()?;
    let named =
        Url::parse(&metadata.resource).map_or_else(|_| printable(&metadata.resource), |url| shown(&url));
    let server = &evidence.server;
    let hint = same_machine(&metadata.resource, server.as_str());
    let change = format!("set `resource` to `{}`", shown(server.url()));
    match ResourceIdentifier::parse(&metadata.resource) {
        Ok(resource) if resource == *server => ok(named),
        Ok(resource) if trimmed(resource.as_str()) == trimmed(server.as_str()) => warning(
            format!("`{named}`: the same but for a slash at the end"),
            format!("{change}; some clients compare letter by letter and log in for ever"),
        ),
        Ok(resource) if resource.covers(server.url()) => warning(
            format!("`{named}`, of which this server is a part"),
            format!("{change}; clients that compare strictly refuse it"),
        ),
        _ => fault(format!("`{named}`"), format!("{change}; clients must not use this document{hint}")),
    }
}

fn trimmed(text: &str) -> &str {
    text.trim_end_matches('/')
}

fn content_type(evidence: &Evidence) -> Option<Judgement> {
    let sought = evidence.resource.iter().find(|sought| sought.document.is_some())?;
    let answer = sought.outcome.as_ref().ok()?;
    let kind = printable(answer.header(&http::header::CONTENT_TYPE).unwrap_or("none"));
    if answer.is_json() { ok(kind) } else { warning(kind, "send `Content-Type: application/json`") }
}

fn authorization_servers(evidence: &Evidence) -> Option<Judgement> {
    match evidence.metadata()?.authorization_servers.as_slice() {
        [] => fault("none", "name the issuer of your authorization server in `authorization_servers`"),
        named => ok(printable(&named.join(", "))),
    }
}

fn bearer_methods(evidence: &Evidence) -> Option<Judgement> {
    let methods = evidence.metadata()?.bearer_methods_supported.as_ref()?;
    let named = printable(&methods.join(", "));
    if methods.iter().any(|method| method == "header") {
        return ok(named);
    }
    fault(format!("`{named}`"), "MCP clients send tokens in the Authorization field alone: add \"header\"")
}

fn scope_names(evidence: &Evidence) -> Option<Judgement> {
    let names = evidence.metadata()?.scopes_supported.as_ref()?;
    let bad: Vec<_> = names.iter().filter(|name| Scope::parse(name).is_err()).map(|n| printable(n)).collect();
    if bad.is_empty() {
        return ok(format!("{} named", names.len()));
    }
    fault(
        format!("not scope tokens: {}", bad.join(", ")),
        "no spaces, quotes or backslashes in a scope's name",
    )
}

fn at<'a>(evidence: &'a Evidence, place: &str) -> Option<&'a Sought<ProtectedResourceMetadata>> {
    evidence.resource.iter().find(|sought| sought.place == place)
}

/// What a place answered.
fn came<T>(sought: &Sought<T>) -> String {
    let is_success = sought.outcome.as_ref().is_ok_and(|answer| answer.status.is_success());
    if is_success && sought.document.is_none() {
        return format!("{}, but not with such a document", tell(&sought.outcome));
    }
    tell(&sought.outcome)
}
