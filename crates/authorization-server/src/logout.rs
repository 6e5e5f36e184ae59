//! Somebody has logged out at an issuer that the operator trusts: what that ends here (OpenID Connect Back-Channel Logout 1.0
//! §2.6, §2.7).

use std::time::Duration;

use hallpass_protocol::jose::{Expected, JoseError, UnverifiedJwt, VerifiedJwt};
use hallpass_protocol::time::Timestamp;
use serde_json::Value;

use crate::server::Inner;
use crate::store::{LoggedOut, StoreError, VouchedBy};

/// §2.4.
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
/// How far an issuer's clock may be apart.
const LEEWAY: Duration = Duration::from_secs(30);
/// §2.4 has tokens live for two minutes; ids are remembered until their end.
const LONGEST: Duration = Duration::from_secs(60 * 60);

/// What was ended.
pub(crate) struct Ended {
    pub(crate) issuer: String,
    /// Whose sessions; nobody's, where the issuer's subject is nobody here.
    pub(crate) user_id: Option<String>,
}

/// A rule that a logout token broke.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LogoutRefused {
    /// §2.5.
    #[error("logout_token is missing")]
    Missing,
    /// §2.6, steps 1 to 5.
    #[error("the logout token is not taken: {0}")]
    Token(#[from] JoseError),
    /// §2.6, step 4: `iss` is one whose logouts are taken here.
    #[error("the logout token is of nobody whose logouts are taken here")]
    Issuer,
    /// §2.4: for this server alone.
    #[error("the logout token is not for this server alone")]
    Audience,
    /// §2.6, step 6: without the event it is any other token.
    #[error("the logout token has no member {EVENT} in events")]
    Event,
    /// §2.6, step 7: an ID token would have one.
    #[error("a logout token has no nonce")]
    Nonce,
    /// §2.4: `jti` is required, and the end is near.
    #[error("the logout token has no jti, or lives for more than an hour")]
    Id,
    /// §2.6, step 8.
    #[error("this logout token was used before")]
    Replayed,
    /// The issuer's keys cannot be had.
    #[error("the keys of the logout token's issuer cannot be had right now; try again")]
    Unreachable,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Verifies a logout token, and ends what hangs on the login: browser sessions, codes, grants that were not made to outlast it
/// (§2.7, `offline_access`), and all tokens that came from the issuer's assertions about this person.
pub(crate) async fn logged_out(server: &Inner, token: Option<&str>) -> Result<Ended, LogoutRefused> {
    let token = UnverifiedJwt::parse(token.ok_or(LogoutRefused::Missing)?)?;
    let named = token.unverified_issuer().unwrap_or_default();
    let mut all = server.settings.trusted_issuers.iter();
    let trusted = all.find(|trusted| trusted.issuer == *named).ok_or(LogoutRefused::Issuer)?;
    let audience = trusted.logout_audience.as_deref().ok_or(LogoutRefused::Issuer)?;
    let row = server.store.find_trusted_issuer(trusted.issuer.as_str()).await?;
    row.filter(|row| !row.disabled).ok_or(LogoutRefused::Issuer)?;
    let keys = trusted.keys(server, &token).await.map_err(|_| LogoutRefused::Unreachable)?;
    let expected = Expected {
        issuer: &trusted.issuer,
        audience: &[audience],
        // §2.4: typed since errata set 1, and as ID tokens before.
        typ: &["logout+jwt", "JWT", ""],
        now: server.store.now(),
        leeway: LEEWAY,
    };
    let verified = token.verify(&keys, &expected)?;
    check_sole_audience(&verified)?;
    check_event(&verified)?;
    check_no_nonce(&verified)?;
    let id = once(server, &verified)?;
    let claims = verified.claims();
    let who = VouchedBy { issuer: &claims.issuer, subject: &claims.subject };
    let user_id = match server.store.end_login_of(who, id).await? {
        LoggedOut::User(user_id) => Some(user_id),
        LoggedOut::Nobody => None,
        LoggedOut::Before => return Err(LogoutRefused::Replayed),
    };
    Ok(Ended { issuer: claims.issuer.clone(), user_id })
}

fn check_sole_audience(token: &VerifiedJwt) -> Result<(), LogoutRefused> {
    let sole = token.claims().audience.0.len() == 1;
    sole.then_some(()).ok_or(LogoutRefused::Audience)
}

fn check_event(token: &VerifiedJwt) -> Result<(), LogoutRefused> {
    let event = token.claim("events").and_then(|events| events.get(EVENT));
    event.is_some_and(Value::is_object).then_some(()).ok_or(LogoutRefused::Event)
}

fn check_no_nonce(token: &VerifiedJwt) -> Result<(), LogoutRefused> {
    if token.claim("nonce").is_some() { Err(LogoutRefused::Nonce) } else { Ok(()) }
}

/// The id by which it counts once, and until when. It is used up with what it ends, and by nothing before that.
fn once<'a>(server: &Inner, token: &'a VerifiedJwt) -> Result<(&'a str, Timestamp), LogoutRefused> {
    let claims = token.claims();
    let near = claims.expires_at <= server.store.now().after(LONGEST);
    let id = claims.id.as_deref().filter(|_| near).ok_or(LogoutRefused::Id)?;
    Ok((id, claims.expires_at.after(LEEWAY)))
}
