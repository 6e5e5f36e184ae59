//! Shared signals: the sessions of somebody were revoked (OpenID CAEP 1.0 §3.1), told by a security event token (RFC 8417) that is
//! pushed (RFC 8935).

use std::time::Duration;

use hallpass_protocol::jose::{UnverifiedJwt, VerifiedEvent};
use hallpass_protocol::subject_identifier::{SubjectError, SubjectIdentifier};

use super::{LEEWAY, NotTold, Teller, Told};
use crate::server::Inner;
use crate::store::{Ended, EndedFor, SeenBy, SidHash, StoreError, Whom};

/// OpenID CAEP 1.0 §3.1.
const SESSION_REVOKED: &str = "https://schemas.openid.net/secevent/caep/event-type/session-revoked";
/// How late one may come: a transmitter sends it again while this server is away. Its id is remembered for as long.
const LATEST: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// What an event has ended.
pub(crate) struct Signalled {
    pub(crate) issuer: String,
    /// Whose sessions; nobody's, where it is about nobody here or about something else.
    pub(crate) people: Vec<String>,
}

/// A rule that a security event broke.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SignalRefused {
    /// RFC 8417 §2.2: form, signature, claims; RFC 8935 §2.4.
    #[error("the security event is not taken: {0}")]
    Told(#[from] NotTold),
    /// An event of long ago says nothing of the sessions of today.
    #[error("the security event is older than a week")]
    Old,
    /// Shared Signals Framework 1.0 §3.1: `sub_id`.
    #[error("the security event has no sub_id that can be read: {0}")]
    Subject(#[from] SubjectError),
    /// A format that says nothing here of a person or a session, where it stands.
    #[error("a user is named by iss_sub or email, and a session by opaque")]
    NoPerson,
    /// Nobody speaks for another's people.
    #[error(
        "this issuer does not speak for the subject: of another issuer, or of a domain that is not listed for it"
    )]
    Anothers,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Verifies a security event token and ends at once what it says has ended: browser sessions, codes, and all grants, those too
/// that were made to outlast a login. One that came before does nothing, and is as good as the first (RFC 8935 §2.2).
pub(crate) async fn signalled(server: &Inner, token: &str) -> Result<Signalled, SignalRefused> {
    let token = UnverifiedJwt::parse(token).map_err(NotTold::from)?;
    let teller = Teller::of(server, &token, Told::Signal).await?;
    let event = teller.verify(server, &token, Told::Signal, &["secevent+jwt"]).await?;
    check_age(server, &event)?;
    let issuer = event.issuer().to_owned();
    // Other types are none of this server's business, and are acknowledged (RFC 8935 §2).
    if event.event(SESSION_REVOKED).is_none() {
        return Ok(Signalled { issuer, people: Vec::new() });
    }
    let subject = SubjectIdentifier::read(event.claim("sub_id").unwrap_or_default())?;
    let (user, session) = match &subject {
        SubjectIdentifier::Complex { user, session } => (user.as_deref(), session.as_deref()),
        SubjectIdentifier::Opaque(_) => (None, Some(&subject)),
        SubjectIdentifier::IssSub { .. } | SubjectIdentifier::Email(_) => (Some(&subject), None),
    };
    let address = user.map(|user| address(teller, user)).transpose()?.flatten();
    let until = event.issued_at().after(LATEST).after(LEEWAY);
    let ended = Ended {
        whom: user.map(|user| whom(&issuer, user, address.as_deref())).transpose()?,
        sid: session.map(|session| sid(&issuer, session)).transpose()?,
        through: teller.through(&issuer),
        outlasting: true,
        until: event.issued_at().after(LEEWAY),
        once: (SeenBy::SecurityEvent, &issuer, event.id(), until),
    };
    let people = match server.store.end_logins(&ended).await? {
        EndedFor::People(people) => people,
        EndedFor::Before => Vec::new(),
    };
    Ok(Signalled { issuer, people })
}

fn check_age(server: &Inner, event: &VerifiedEvent) -> Result<(), SignalRefused> {
    let late = server.store.now() > event.issued_at().after(LATEST);
    if late { Err(SignalRefused::Old) } else { Ok(()) }
}

/// In lower case, of a domain that the issuer may speak for.
fn address(teller: Teller<'_>, user: &SubjectIdentifier) -> Result<Option<String>, SignalRefused> {
    let SubjectIdentifier::Email(address) = user else { return Ok(None) };
    let address = address.trim().to_lowercase();
    let domain = address.rsplit_once('@').map(|(_, domain)| domain).unwrap_or_default();
    // No database can be asked for U+0000.
    let fine = teller.speaks_for(domain) && !address.contains('\0');
    if fine { Ok(Some(address)) } else { Err(SignalRefused::Anothers) }
}

fn whom<'a>(
    issuer: &'a str,
    user: &'a SubjectIdentifier,
    address: Option<&'a str>,
) -> Result<Whom<'a>, SignalRefused> {
    match (user, address) {
        (_, Some(address)) => Ok(Whom::Address(address)),
        (SubjectIdentifier::IssSub { issuer: of, subject }, _) => {
            let own = of == issuer && !subject.contains('\0');
            let whom = Whom::Subject { authority: issuer, subject, any_tenant: true };
            if own { Ok(whom) } else { Err(SignalRefused::Anothers) }
        }
        _ => Err(SignalRefused::NoPerson),
    }
}

/// The provider's own name of the session, which its ID tokens hold as `sid`.
fn sid(issuer: &str, session: &SubjectIdentifier) -> Result<SidHash, SignalRefused> {
    match session {
        SubjectIdentifier::Opaque(id) => Ok(SidHash::of(issuer, id)),
        _ => Err(SignalRefused::NoPerson),
    }
}
