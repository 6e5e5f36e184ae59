//! Somebody has logged out at an issuer that the operator trusts, or at a provider that people sign in through: what that ends
//! here (OpenID Connect Back-Channel Logout 1.0 §2.6, §2.7).

use std::time::Duration;

use hallpass_protocol::jose::{JoseError, UnverifiedJwt, VerifiedEvent};
use hallpass_protocol::time::Timestamp;

use crate::delegation::of_tenant;
use crate::server::Inner;
use crate::signals::{LEEWAY, NotTold, Teller, Told};
use crate::store::{Ended, EndedFor, SeenBy, SidHash, StoreError, Whom};

/// §2.4.
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
/// §2.4 has tokens live for two minutes; ids are remembered until their end.
const LONGEST: Duration = Duration::from_secs(60 * 60);

/// What was ended.
pub(crate) struct LoggedOut {
    pub(crate) issuer: String,
    /// Whose sessions; nobody's, where it is about nobody here.
    pub(crate) people: Vec<String>,
}

/// A rule that a logout token broke.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LogoutRefused {
    /// §2.5.
    #[error("logout_token is missing")]
    Missing,
    /// §2.6, steps 1 to 5: `iss` is one whose logouts are taken here, and what it has signed is right.
    #[error("the logout token is not taken: {0}")]
    Told(#[from] NotTold),
    /// §2.4: for this server alone.
    #[error("the logout token is not for this server alone")]
    Audience,
    /// §2.4, §2.6, step 5: `sub`, `sid`, or both.
    #[error("the logout token names neither a subject (sub) nor a session (sid)")]
    Nobody,
    /// §2.6, step 6: without the event it is any other token.
    #[error("the logout token has no member {EVENT} in events")]
    Event,
    /// §2.6, step 7: an ID token would have one.
    #[error("a logout token has no nonce")]
    Nonce,
    /// §2.4: `jti` is required, and the end is near.
    #[error("the logout token lives for more than an hour, or for ever")]
    Long,
    /// §2.6, step 8.
    #[error("this logout token was used before")]
    Replayed,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Verifies a logout token, and ends what hangs on the login: browser sessions, codes, grants that were not made to outlast it
/// (§2.7, `offline_access`), and all tokens that came from the issuer's assertions about a person who is named. With a session
/// (`sid`) what came of another one there stays.
pub(crate) async fn logged_out(server: &Inner, token: Option<&str>) -> Result<LoggedOut, LogoutRefused> {
    let token = UnverifiedJwt::parse(token.ok_or(LogoutRefused::Missing)?).map_err(NotTold::from)?;
    let teller = Teller::of(server, &token, Told::Logout).await?;
    // §2.4: typed since errata set 1, and as ID tokens before.
    let token = teller.verify(server, &token, Told::Logout, &["logout+jwt", "JWT", ""]).await?;
    check_sole_audience(&token)?;
    token.event(EVENT).ok_or(LogoutRefused::Event)?;
    check_no_nonce(&token)?;
    let until = end(server, &token)?;
    let (sid, tenant) = (text(&token, "sid")?, text(&token, "tenant")?);
    let authority =
        tenant.map_or_else(|| token.issuer().to_owned(), |tenant| of_tenant(token.issuer(), tenant));
    let ended = Ended {
        whom: token.subject().map(|subject| Whom::Subject {
            authority: &authority,
            subject,
            any_tenant: tenant.is_none(),
        }),
        sid: sid.map(|sid| SidHash::of(token.issuer(), sid)),
        through: teller.through(token.issuer()),
        outlasting: false,
        until: token.issued_at().after(LEEWAY),
        once: (SeenBy::LogoutToken, token.issuer(), token.id(), until),
    };
    check_names_somebody(&ended)?;
    match server.store.end_logins(&ended).await? {
        EndedFor::People(people) => Ok(LoggedOut { issuer: token.issuer().to_owned(), people }),
        EndedFor::Before => Err(LogoutRefused::Replayed),
    }
}

fn check_sole_audience(token: &VerifiedEvent) -> Result<(), LogoutRefused> {
    let sole = token.audience().0.len() == 1;
    sole.then_some(()).ok_or(LogoutRefused::Audience)
}

fn check_no_nonce(token: &VerifiedEvent) -> Result<(), LogoutRefused> {
    if token.claim("nonce").is_some() { Err(LogoutRefused::Nonce) } else { Ok(()) }
}

fn check_names_somebody(ended: &Ended<'_>) -> Result<(), LogoutRefused> {
    let named = ended.whom.is_some() || ended.sid.is_some();
    named.then_some(()).ok_or(LogoutRefused::Nobody)
}

/// Until when its id is remembered. It is used up with what it ends, and by nothing before that.
fn end(server: &Inner, token: &VerifiedEvent) -> Result<Timestamp, LogoutRefused> {
    let near = |end: &Timestamp| *end <= server.store.now().after(LONGEST);
    let end = token.expires_at().filter(near).ok_or(LogoutRefused::Long)?;
    Ok(end.after(LEEWAY))
}

/// A claim that is a text, where it is there.
fn text<'a>(token: &'a VerifiedEvent, name: &'static str) -> Result<Option<&'a str>, LogoutRefused> {
    let malformed = || LogoutRefused::Told(JoseError::ClaimType(name).into());
    let Some(value) = token.claim(name) else { return Ok(None) };
    let text = value.as_str().filter(|text| !text.is_empty());
    text.map(Some).ok_or_else(malformed)
}
