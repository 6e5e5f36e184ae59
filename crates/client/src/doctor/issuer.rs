//! An authorization server alone, before a server is protected with it: nobody logs in.

use hallpass_guarded_fetch::Fetcher;
use hallpass_protocol::issuer::Issuer;

use super::{
    authorization_server, browser,
    check::run,
    evidence::Server,
    report::{Group, Report},
    unsaid,
};
use crate::Profile;

/// Examines an authorization server by its metadata and keys, and by what its `profile` knows beyond them. What only a
/// login can tell is [`Verdict::Unknown`](super::Verdict::Unknown).
pub async fn examine_issuer(issuer: &Issuer, profile: &Profile, fetcher: &Fetcher) -> Report {
    let server = Server::gather(fetcher, issuer.as_str()).await;
    let mut findings = run(Group::AuthorizationServer, authorization_server::CHECKS, &server);
    let known = unsaid::Known { metadata: server.metadata().cloned(), profile: profile.clone() };
    findings.extend(run(Group::AuthorizationServer, unsaid::CHECKS, &known));
    findings.extend(run(Group::Browser, browser::SERVER_CHECKS, &server));
    Report { server: issuer.to_string(), findings }
}
