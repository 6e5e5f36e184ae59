//! Clients that run in a browser, as the MCP Inspector does: CORS.

use http::{StatusCode, header};

use super::{
    answer::{Answer, Outcome, tell},
    check::{ALL, Check, Judgement, SINCE_RESOURCE_METADATA, ok, warning},
    evidence::{Evidence, Server},
};

pub(super) const CHECKS: &[Check<Evidence>] = &[
    Check {
        name: "browser.preflight",
        sought: "OPTIONS at the MCP endpoint is answered without a token, and allows Authorization",
        source: "Fetch, \"CORS-preflight fetch\"",
        revisions: ALL,
        judge: preflight,
    },
    Check {
        name: "browser.expose",
        sought: "the 401 lets a page read WWW-Authenticate",
        source: "Fetch, \"CORS protocol\": Access-Control-Expose-Headers",
        revisions: ALL,
        judge: expose,
    },
    Check {
        name: "browser.resource_metadata",
        sought: "a page may read the resource metadata",
        source: "Fetch, \"CORS protocol\"; RFC 9728 §3.1",
        revisions: SINCE_RESOURCE_METADATA,
        judge: resource_metadata,
    },
];

pub(super) const SERVER_CHECKS: &[Check<Server>] = &[
    Check {
        name: "browser.server_metadata",
        sought: "a page may read the authorization server's metadata",
        source: "Fetch, \"CORS protocol\"; RFC 8414 §3.1",
        revisions: ALL,
        judge: server_metadata,
    },
    Check {
        name: "browser.token_endpoint",
        sought: "a page may use the token endpoint",
        source: "Fetch, \"CORS-preflight fetch\"",
        revisions: ALL,
        judge: token_endpoint,
    },
];

const CHANGE: &str = "clients in a browser fail here; send Access-Control-Allow-Origin if you want them";

fn preflight(evidence: &Evidence) -> Option<Judgement> {
    let answer = match &evidence.preflight {
        Ok(answer) if answer.status == StatusCode::UNAUTHORIZED => {
            return warning(
                "401 Unauthorized",
                "answer OPTIONS before asking for a token: browsers never send one with it",
            );
        }
        Ok(answer) if answer.status.is_success() && allows_origin(answer) => answer,
        outcome => return warning(format!("{}, and no page is let in", tell(outcome)), CHANGE),
    };
    // Fetch: `*` does not stand for Authorization.
    if !answer.lists(&header::ACCESS_CONTROL_ALLOW_HEADERS, "authorization") {
        return warning(
            "Authorization is not among the allowed fields",
            "name it in Access-Control-Allow-Headers; `*` does not cover it",
        );
    }
    ok(answer.status.to_string())
}

fn expose(evidence: &Evidence) -> Option<Judgement> {
    if !evidence.is_protected() {
        return None;
    }
    let answer = match &evidence.from_page {
        Ok(answer) if allows_origin(answer) => answer,
        outcome => return warning(format!("{}, and no page may read it", tell(outcome)), CHANGE),
    };
    let exposed = |name| {
        answer.lists(&header::ACCESS_CONTROL_EXPOSE_HEADERS, name)
            || answer.lists(&header::ACCESS_CONTROL_EXPOSE_HEADERS, "*")
    };
    if exposed("www-authenticate") {
        return ok("WWW-Authenticate is exposed");
    }
    warning("it is hidden", "add `Access-Control-Expose-Headers: WWW-Authenticate, Mcp-Session-Id`")
}

fn resource_metadata(evidence: &Evidence) -> Option<Judgement> {
    readable(evidence.resource_from_page.as_ref()?)
}

fn server_metadata(server: &Server) -> Option<Judgement> {
    readable(server.metadata_from_page.as_ref()?)
}

fn token_endpoint(server: &Server) -> Option<Judgement> {
    readable(server.token_preflight.as_ref()?)
}

fn readable(outcome: &Outcome) -> Option<Judgement> {
    match outcome {
        Ok(answer) if answer.status.is_success() && allows_origin(answer) => ok(answer.status.to_string()),
        outcome => warning(format!("{}, and no page may read it", tell(outcome)), CHANGE),
    }
}

fn allows_origin(answer: &Answer) -> bool {
    let allowed = answer.header(&header::ACCESS_CONTROL_ALLOW_ORIGIN);
    allowed.is_some_and(|allowed| allowed == "*" || allowed == super::evidence::ORIGIN)
}
