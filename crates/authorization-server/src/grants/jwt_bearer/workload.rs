//! A workload needs no client id (MCP extension "workload identity federation", "Token Endpoint").

use hallpass_protocol::form::Parameters;
use hallpass_protocol::jose::UnverifiedJwt;
use http::HeaderMap;
use http::header::AUTHORIZATION;

use crate::delegation::AssertionKind;
use crate::server::Inner;

/// The client of the first rule that fits what the assertion says, where the request names no client. Nothing is believed by
/// it: whoever sends the assertion could have named the client, too.
pub(crate) fn client_of_workload(server: &Inner, headers: &HeaderMap, form: &Parameters) -> Option<String> {
    let names_client =
        ["client_id", "client_secret", "client_assertion"].iter().any(|it| form.is_present(it));
    if names_client || headers.contains_key(AUTHORIZATION) {
        return None;
    }
    let assertion = UnverifiedJwt::parse(form.get("assertion").ok().flatten()?).ok()?;
    let named = assertion.unverified_issuer()?;
    let mut all = server.settings.trusted_issuers.iter();
    let trusted = all.find(|one| one.issuer == *named && one.kind == AssertionKind::Workload)?;
    let mut rules = trusted.rules.iter();
    rules.find(|rule| rule.fits(assertion.unverified_claims())).map(|rule| rule.client_id.clone())
}
