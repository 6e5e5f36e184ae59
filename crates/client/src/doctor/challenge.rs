//! Requests to the MCP server without a good token.

use hallpass_protocol::challenge::parse_challenges;
use http::{HeaderMap, StatusCode, header};

use super::{
    answer::{Answer, tell},
    check::{ALL, Check, Judgement, SINCE_RESOURCE_METADATA, SINCE_SCOPES, fault, ok, warning},
    evidence::Evidence,
};
use crate::error::printable;

pub(super) const CHECKS: &[Check<Evidence>] = &[
    Check {
        name: "challenge.refused",
        sought: "a message without a token is refused with 401",
        source: "MCP authorization, \"Error Handling\"; RFC 9110 §15.5.2",
        revisions: ALL,
        judge: refused,
    },
    Check {
        name: "challenge.present",
        sought: "the 401 carries a Bearer challenge in WWW-Authenticate",
        source: "RFC 9110 §11.6.1, RFC 6750 §3",
        revisions: ALL,
        judge: present,
    },
    Check {
        name: "challenge.resource_metadata",
        sought: "the challenge names the resource metadata",
        source: "RFC 9728 §5.1; MCP \"Protected Resource Metadata Discovery Requirements\"",
        revisions: SINCE_RESOURCE_METADATA,
        judge: resource_metadata,
    },
    Check {
        name: "challenge.scope",
        sought: "the challenge names the scopes for a first login",
        source: "MCP 2025-11-25, \"Protected Resource Metadata Discovery Requirements\"; RFC 6750 §3",
        revisions: SINCE_SCOPES,
        judge: scope,
    },
    Check {
        name: "challenge.error",
        sought: "no error code for a request that carried no token",
        source: "RFC 6750 §3.1",
        revisions: ALL,
        judge: error,
    },
    Check {
        name: "token.garbage",
        sought: "a made-up token is refused with 401 and invalid_token",
        source: "RFC 6750 §3.1; MCP \"Token Handling\"",
        revisions: ALL,
        judge: garbage,
    },
    Check {
        name: "request.slash",
        sought: "the URL with the other ending (slash or none) is as well protected",
        source: "MCP \"Canonical Server URI\"",
        revisions: ALL,
        judge: slash,
    },
    Check {
        name: "request.get",
        sought: "GET without a token opens no stream",
        source: "MCP \"Token Requirements\": every HTTP request carries the token",
        revisions: ALL,
        judge: get,
    },
    Check {
        name: "request.head",
        sought: "HEAD without a token is answered in order, and not as a success",
        source: "RFC 9110 §9.3.2",
        revisions: ALL,
        judge: head,
    },
];

fn refused(evidence: &Evidence) -> Option<Judgement> {
    match &evidence.bare {
        Ok(answer) if answer.status == StatusCode::UNAUTHORIZED => ok("401 Unauthorized"),
        Ok(answer) if answer.status.is_success() => warning(
            format!("{}: the server asks for no token", answer.status),
            "whoever reaches this server can use it. If that is not meant, put authorization in front of it",
        ),
        Ok(answer) => fault(
            answer.status.to_string(),
            "answer 401 with a challenge: clients begin a login after that and after nothing else",
        ),
        Err(why) => fault(why, "see that the URL is right and that the server runs"),
    }
}

fn present(evidence: &Evidence) -> Option<Judgement> {
    let answer = unauthorized(evidence)?;
    let schemes: Vec<_> = evidence.challenges.iter().map(|c| printable(&c.scheme)).collect();
    if evidence.bearer().is_some() {
        return ok(format!("challenges: {}", schemes.join(", ")));
    }
    let change = "send `WWW-Authenticate: Bearer resource_metadata=\"…\", scope=\"…\"` with every 401";
    match (answer.headers.contains_key(header::WWW_AUTHENTICATE), schemes.is_empty()) {
        (false, _) => fault("no WWW-Authenticate field", change),
        (true, true) => fault("a WWW-Authenticate field that is no challenge", change),
        (true, false) => fault(format!("challenges, but none for Bearer: {}", schemes.join(", ")), change),
    }
}

fn resource_metadata(evidence: &Evidence) -> Option<Judgement> {
    unauthorized(evidence)?;
    let well_known = evidence.resource.iter().any(|s| s.place != "the challenge" && s.document.is_some());
    let change =
        "add `resource_metadata=\"https://…/.well-known/oauth-protected-resource…\"` to the challenge";
    match evidence.bearer().and_then(|challenge| challenge.resource_metadata()) {
        Some(url) => match url::Url::parse(url) {
            Ok(url) => ok(super::answer::shown(&url)),
            Err(_) => fault(format!("`{}`, which is not a URL", printable(url)), change),
        },
        None if well_known => warning("not named; clients find it at the well-known location", change),
        None => fault("not named, and nothing is at the well-known locations", change),
    }
}

fn scope(evidence: &Evidence) -> Option<Judgement> {
    unauthorized(evidence)?;
    match evidence.bearer()?.scope() {
        Some(scope) => ok(printable(&scope.to_string())),
        None => {
            warning("no `scope`", "name the scopes that a first login needs; ChatGPT reads them here alone")
        }
    }
}

fn error(evidence: &Evidence) -> Option<Judgement> {
    unauthorized(evidence)?;
    match evidence.bearer()?.error() {
        None => ok("none"),
        Some(error) => warning(
            format!("error=\"{}\"", printable(error)),
            "leave `error` out where no token was sent; some clients throw away a good token for it",
        ),
    }
}

fn garbage(evidence: &Evidence) -> Option<Judgement> {
    if !evidence.is_protected() {
        return None;
    }
    let answer = match &evidence.garbage {
        Ok(answer) => answer,
        Err(why) => return fault(why, "answer 401 with error=\"invalid_token\""),
    };
    match answer.status {
        StatusCode::UNAUTHORIZED if has_invalid_token(&answer.headers) => {
            ok("401 Unauthorized, error=\"invalid_token\"")
        }
        StatusCode::UNAUTHORIZED => warning(
            "401 Unauthorized without error=\"invalid_token\"",
            "name the error, so that clients renew their token in place of logging in anew",
        ),
        status if status.is_success() => fault(
            format!("{status}: a token that nobody issued was accepted"),
            "verify every token: signature, issuer, audience, time",
        ),
        status => fault(
            status.to_string(),
            "answer 401 with error=\"invalid_token\": nothing else makes a client renew its token",
        ),
    }
}

fn has_invalid_token(headers: &HeaderMap) -> bool {
    parse_challenges(headers).iter().any(|challenge| challenge.error() == Some("invalid_token"))
}

fn slash(evidence: &Evidence) -> Option<Judgement> {
    if !evidence.is_protected() {
        return None;
    }
    match &evidence.other_slash {
        Ok(answer) if answer.status.is_success() => fault(
            format!("{}: the other spelling needs no token", answer.status),
            "protect both spellings, or answer 404 for one",
        ),
        Ok(answer) if answer.status == StatusCode::UNAUTHORIZED => {
            ok("401 Unauthorized: both spellings are protected")
        }
        outcome => ok(format!("{}: one spelling alone is served", tell(outcome))),
    }
}

fn get(evidence: &Evidence) -> Option<Judgement> {
    if !evidence.is_protected() {
        return None;
    }
    match &evidence.get {
        Ok(answer) if answer.status.is_success() => {
            fault(answer.status.to_string(), "ask for the token with GET as with POST")
        }
        outcome => ok(tell(outcome)),
    }
}

fn head(evidence: &Evidence) -> Option<Judgement> {
    match &evidence.head {
        Ok(answer) if answer.status.is_server_error() => warning(
            answer.status.to_string(),
            "answer HEAD as GET, or 405; monitors and some clients send it",
        ),
        Ok(answer) if answer.status.is_success() && evidence.is_protected() => {
            warning(answer.status.to_string(), "answer HEAD with 401 or 405, as GET")
        }
        outcome => ok(tell(outcome)),
    }
}

fn unauthorized(evidence: &Evidence) -> Option<&Answer> {
    evidence.bare.as_ref().ok().filter(|answer| answer.status == StatusCode::UNAUTHORIZED)
}
