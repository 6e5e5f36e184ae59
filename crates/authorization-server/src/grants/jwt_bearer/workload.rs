//! A workload needs no client id (MCP extension "workload identity federation", "Token Endpoint").

use hallpass_protocol::form::Parameters;
use hallpass_protocol::jose::UnverifiedJwt;
use hallpass_protocol::oauth_error::{ErrorCode, OAuthError};
use http::HeaderMap;
use http::header::AUTHORIZATION;

use crate::delegation::AssertionKind;
use crate::server::Inner;

/// The client of the first rule that fits what the assertion says, where the request names no client. Nothing is believed by
/// it: whoever sends the assertion could have named the client, too.
///
/// # Errors
/// Where its issuer speaks for workloads, and none of the rules is about this one (RFC 7523 §3.1).
pub(crate) fn client_of_workload(
    server: &Inner,
    headers: &HeaderMap,
    form: &Parameters,
) -> Result<Option<String>, OAuthError> {
    let names_client =
        ["client_id", "client_secret", "client_assertion"].iter().any(|it| form.is_present(it));
    if names_client || headers.contains_key(AUTHORIZATION) {
        return Ok(None);
    }
    let assertion = form.get("assertion").ok().flatten().and_then(|text| UnverifiedJwt::parse(text).ok());
    let Some(assertion) = assertion else { return Ok(None) };
    let named = assertion.unverified_issuer();
    let mut all = server.settings.trusted_issuers.iter();
    let trusted = all
        .find(|one| named.is_some_and(|named| one.issuer == *named) && one.kind == AssertionKind::Workload);
    let Some(trusted) = trusted else { return Ok(None) };
    let mut rules = trusted.rules.iter();
    let rule = rules.find(|rule| rule.fits(assertion.unverified_claims()));
    rule.map(|rule| Some(rule.client_id.clone())).ok_or_else(|| {
        OAuthError::new(ErrorCode::InvalidGrant, "no rule here is about this workload of its issuer's")
    })
}
