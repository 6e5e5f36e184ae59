//! Why a login fails: every step, what was sought, what came back, and which paragraph asks for it.
//!
//! First everything is asked once, then tables of small checks judge the answers. Works against any MCP
//! server; what servers name is fetched under the client's own guard, and no secret is in a finding.
//!
//! | room | what it looks at |
//! |---|---|
//! | `reach` | whether an MCP server is there; where not, the rest is left out |
//! | `challenge` | requests without a good token |
//! | `resource` | protected resource metadata |
//! | `authorization_server` | metadata and keys |
//! | `first_revision` | MCP 2025-03-26 |
//! | `scopes` | the three places that clients read |
//! | `browser` | CORS |
//! | `login` | a real login, where it is wanted |
//! | `issuer` | an authorization server alone, before a server is protected with it |
//! | `unsaid` | what its metadata does not say, as far as its profile does |

mod answer;
mod authorization_server;
mod browser;
mod challenge;
mod check;
mod evidence;
mod first_revision;
mod issuer;
mod login;
mod reach;
mod report;
mod resource;
mod scopes;
mod unsaid;

pub use authorization_server::NOTHING_ANSWERS;
pub use issuer::examine_issuer;
pub use report::{Finding, Group, Report, Revision, Verdict};

use self::{check::run, evidence::Evidence, reach::Reach};
use crate::Client;

/// Examines `client`'s server. With `with_login` a person is asked to log in, the token is used and
/// refreshed, and everything is revoked at the end: give the client a store of its own for that, since its
/// login ends.
pub async fn examine(client: &Client, with_login: bool) -> Report {
    let reach = Reach::of(client).await;
    let mut findings = run(Group::Reach, reach::CHECKS, &reach);
    if findings.is_empty() {
        findings = examine_what_answers(client, reach.bare, with_login).await;
    }
    let url = client.server().url();
    // Errors of a login, and what servers echo, may hold the server's URL as it was given.
    if let Some(query) = url.query().filter(|query| !query.is_empty()) {
        for finding in &mut findings {
            finding.found = finding.found.replace(query, "…");
            finding.change = finding.change.take().map(|change| change.replace(query, "…"));
        }
    }
    Report { server: answer::shown(url), findings }
}

async fn examine_what_answers(client: &Client, bare: answer::Outcome, with_login: bool) -> Vec<Finding> {
    let evidence = Evidence::gather(client, bare).await;
    let mut findings = run(Group::Challenge, challenge::CHECKS, &evidence);
    findings.extend(run(Group::Resource, resource::CHECKS, &evidence));
    for server in &evidence.servers {
        findings.extend(run(Group::AuthorizationServer, authorization_server::CHECKS, server));
    }
    findings.extend(run(Group::FirstRevision, first_revision::CHECKS, &evidence));
    findings.extend(run(Group::Scopes, scopes::CHECKS, &evidence));
    findings.extend(run(Group::Browser, browser::CHECKS, &evidence));
    for server in &evidence.servers {
        findings.extend(run(Group::Browser, browser::SERVER_CHECKS, server));
    }
    if with_login {
        findings.extend(login::examine(client).await);
    }
    findings
}
