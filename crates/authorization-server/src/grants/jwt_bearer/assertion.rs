//! The assertion itself: whose it is, for whom, how long, and in whose hands.

use std::time::Duration;

use hallpass_protocol::jose::{Expected, JoseError, UnverifiedJwt, VerifiedJwt};
use hallpass_protocol::time::Timestamp;
use serde_json::Value;

use crate::clients::Client;
use crate::delegation::{AssertionKind, TrustedIssuer};
use crate::endpoints::token_path;
use crate::grants::{Refusal, Sender};
use crate::server::Inner;
use crate::store::SeenBy;

/// How far an issuer's clock may be apart.
const LEEWAY: Duration = Duration::from_secs(30);
/// RFC 7523 §3, rule 4: ids are remembered until their end, so an unreasonably distant one is refused.
const LONGEST_LIFE: Duration = Duration::from_secs(24 * 60 * 60);
/// Enterprise-managed authorization §7.4.2: an ID-JAG is short-lived. Its examples live for minutes.
const LONGEST_ID_JAG: Duration = Duration::from_secs(60 * 60);

/// RFC 7523 §3, rule 1. The text of `iss` chooses among issuers that are trusted already.
pub(super) fn trusted<'a>(
    server: &'a Inner,
    assertion: &UnverifiedJwt<'_>,
) -> Result<&'a TrustedIssuer, Refusal> {
    let named = assertion.unverified_issuer().unwrap_or_default();
    let mut all = server.settings.trusted_issuers.iter();
    all.find(|trusted| trusted.issuer == *named).ok_or(Refusal::UntrustedIssuer)
}

/// Says under which name the issuer's tokens go.
pub(super) async fn check_enabled(server: &Inner, trusted: &TrustedIssuer) -> Result<String, Refusal> {
    let row = server.store.find_trusted_issuer(trusted.issuer.as_str()).await?;
    row.filter(|row| !row.disabled).map(|row| row.own_grant).ok_or(Refusal::UntrustedIssuer)
}

/// RFC 7523 §3, rules 1 to 6, 8 and 9.
pub(super) async fn verify(
    server: &Inner,
    trusted: &TrustedIssuer,
    assertion: &UnverifiedJwt<'_>,
) -> Result<VerifiedJwt, Refusal> {
    let now = server.store.now();
    let keys = trusted.keys(server, assertion).await.map_err(|_| Refusal::IssuerUnreachable)?;
    let typ: &[&str] = match trusted.kind {
        AssertionKind::IdJag => &["oauth-id-jag+jwt"],
        // An access token or an ID token of the same issuer says another type, or is for another audience.
        AssertionKind::Workload => &["JWT", ""],
    };
    let issuer = server.settings.issuer.as_str();
    let token_endpoint = server.url(token_path());
    let audience: &[&str] = match (&trusted.audience, trusted.kind) {
        (Some(named), _) => &[named.as_str()],
        // Workload identity federation, "JWT Format": the token endpoint. rfc7523bis: the issuer.
        (None, AssertionKind::Workload) => &[issuer, &token_endpoint],
        (None, AssertionKind::IdJag) => &[issuer],
    };
    let expected = Expected { issuer: &trusted.issuer, audience, typ, now, leeway: LEEWAY };
    assertion.verify(&keys, &expected).map_err(Refusal::Assertion)
}

/// ID-JAG §4.4.1, and RFC 7523 §3, rule 3, as rfc7523bis has it: this server, and nobody beside it.
pub(super) fn check_sole_audience(assertion: &VerifiedJwt) -> Result<(), Refusal> {
    let sole = assertion.claims().audience.0.len() == 1;
    sole.then_some(()).ok_or(Refusal::Assertion(JoseError::WrongAudience))
}

/// RFC 7523 §3, rule 4; enterprise-managed authorization §7.4.2.
pub(super) fn check_life(
    server: &Inner,
    trusted: &TrustedIssuer,
    assertion: &VerifiedJwt,
) -> Result<(), Refusal> {
    let longest = match trusted.kind {
        AssertionKind::IdJag => LONGEST_ID_JAG,
        AssertionKind::Workload => LONGEST_LIFE,
    };
    let short = assertion.claims().expires_at <= server.store.now().after(longest);
    short.then_some(()).ok_or(Refusal::LongAssertion { hours: longest.as_secs() / 3600 })
}

/// ID-JAG §4.4.1: `client_id` is the client that presents it, which has shown who it is (§8.1).
pub(super) fn check_client(
    trusted: &TrustedIssuer,
    sender: &Sender<'_>,
    client: &Client,
    assertion: &VerifiedJwt,
) -> Result<(), Refusal> {
    if trusted.kind == AssertionKind::Workload {
        return Ok(());
    }
    let named = assertion.claim("client_id").and_then(|id| id.as_str());
    match named == Some(client.id.as_str()) && sender.client.is_proven() {
        true => Ok(()),
        false => Err(Refusal::OtherClientsAssertion),
    }
}

/// ID-JAG §8.6.1, RFC 7800 §3: one that is bound to a key counts in the hands of its holder alone. A way of binding that is
/// not known cannot be checked.
pub(super) fn check_key(sender: &Sender<'_>, assertion: &VerifiedJwt) -> Result<(), Refusal> {
    let Some(bound) = assertion.claim("cnf") else { return Ok(()) };
    let bound = bound.as_object().filter(|bound| !bound.is_empty()).ok_or(Refusal::OtherKey)?;
    for (way, thumbprint) in bound {
        let thumbprint = thumbprint.as_str().ok_or(Refusal::OtherKey)?;
        match way.as_str() {
            "jkt" => sender.check_bound(Some(thumbprint))?,
            "x5t#S256" => sender.check_bound(Some(&format!("x5t#S256:{thumbprint}")))?,
            _ => return Err(Refusal::OtherKey),
        }
    }
    Ok(())
}

/// ID-JAG §4.4.1, RFC 9396: no type of authorization details is known here, so none is granted. One that says what it grants
/// in no other way grants nothing here, and must not be taken for one that leaves it open.
pub(super) fn check_details(assertion: &VerifiedJwt) -> Result<(), Refusal> {
    match assertion.claim("authorization_details") {
        None => Ok(()),
        Some(Value::Array(_)) if assertion.claim("scope").is_some() => Ok(()),
        Some(_) => Err(Refusal::AuthorizationDetails),
    }
}

/// RFC 8693 §4.1: who acts for the subject, and stays apart from it (ID-JAG §8.5).
pub(super) fn actor(assertion: &VerifiedJwt) -> Result<Option<Value>, Refusal> {
    match assertion.claim("act") {
        None => Ok(None),
        Some(act) if act.get("sub").is_some_and(Value::is_string) => Ok(Some(act.clone())),
        Some(_) => Err(Refusal::Assertion(JoseError::ClaimType("act"))),
    }
}

/// ID-JAG §3.1: when the person has logged in at the issuer. Never a time that has not come.
pub(super) fn login(server: &Inner, trusted: &TrustedIssuer, assertion: &VerifiedJwt) -> Option<Timestamp> {
    let said = assertion.claim("auth_time").and_then(Value::as_i64).map(Timestamp::from_unix);
    said.filter(|_| trusted.kind == AssertionKind::IdJag).map(|login| login.min(server.store.now()))
}

/// RFC 7523 §3, rule 7; enterprise-managed authorization §7.4.2 demands it.
pub(super) async fn check_once(
    server: &Inner,
    trusted: &TrustedIssuer,
    assertion: &VerifiedJwt,
) -> Result<(), Refusal> {
    if !trusted.once && trusted.kind == AssertionKind::Workload {
        return Ok(());
    }
    let id = assertion.claims().id.as_deref().ok_or(Refusal::AssertionWithoutId)?;
    let until = assertion.claims().expires_at.after(LEEWAY);
    let fresh = server.store.see_id(SeenBy::Assertion, trusted.issuer.as_str(), id, until).await?;
    fresh.then_some(()).ok_or(Refusal::AssertionReplayed)
}
