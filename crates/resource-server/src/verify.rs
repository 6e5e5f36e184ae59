//! From a token that was sent to a token that is true.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use hallpass_protocol::jose::{Expected, JoseError, UnverifiedJwt, VerifyingKeys};
use hallpass_protocol::secret::Secret;
use hallpass_protocol::time::Timestamp;
use quick_cache::sync::Cache;

use crate::caller::{Caller, Granted, Said, principal_of};
use crate::certificate::Shown;
use crate::credential::Unverified;
use crate::refusal::Refusal;
use crate::settings::{Settings, TrustedIssuer};

/// A credential that is good now: a token that a trusted issuer signed for this resource and nobody revoked, an account's
/// key or password, a certificate. Only [`ResourceServer`](crate::ResourceServer) makes one.
#[derive(Clone, Debug)]
pub struct Verified {
    caller: Caller,
    standing: Standing,
}

/// What says whether a credential that was good still is.
#[derive(Clone, Debug)]
pub(crate) enum Standing {
    /// A JWT: its end, and the memory of revocations.
    Token,
    /// An opaque token that was looked up: the same.
    Stored,
    /// An opaque token: its issuer, who is asked about it again.
    Opaque(Secret),
    /// The list of accounts.
    Account,
    /// The certificate itself.
    Certificate(Shown),
}

impl Verified {
    pub(crate) fn new(caller: Caller, standing: Standing) -> Self {
        Self { caller, standing }
    }

    pub(crate) fn standing(&self) -> &Standing {
        &self.standing
    }

    /// The same credential, with less that it may do.
    pub(crate) fn of(self, caller: Caller) -> Self {
        Self { caller, ..self }
    }

    pub(crate) fn into_caller(self) -> Caller {
        self.caller
    }

    /// Whom the token speaks for.
    #[must_use]
    pub fn caller(&self) -> &Caller {
        &self.caller
    }
}

/// Verifies tokens, and remembers those that it verified.
pub(crate) struct Verifier {
    /// By SHA-256 of the token: what is in memory cannot be sent again.
    remembered: Cache<[u8; 32], Remembered>,
}

#[derive(Clone)]
struct Remembered {
    caller: Caller,
    /// The issuer's place among the settings.
    issuer: usize,
    /// The keys that it was verified with. With other keys it must be verified again.
    keys: Arc<VerifyingKeys>,
}

impl Verifier {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self { remembered: Cache::new(settings.remembered_tokens) }
    }

    pub(crate) fn verify(&self, token: Unverified<'_>, settings: &Settings) -> Result<Verified, Refusal> {
        let now = settings.clock.now();
        let key = token_digest(token);
        let (caller, was_remembered) = match self.remembered.get(&key) {
            Some(known) if known.still_signed(settings) => {
                unexpired(&known.caller, now, settings)?;
                (known.caller, true)
            }
            _ => {
                let fresh = read(token, now, settings)?;
                let caller = fresh.caller.clone();
                self.remembered.insert(key, fresh);
                (caller, false)
            }
        };
        unrevoked(&caller, settings)?;
        if let Some(verifications) = &settings.verifications {
            verifications.count(was_remembered);
        }
        Ok(Verified { caller, standing: Standing::Token })
    }

    /// Fetches the keys of a token's issuer again, if they are fetched at all. Says whether it is worth
    /// another try.
    pub(crate) async fn fetch_keys_for(&self, token: Unverified<'_>, settings: &Settings) -> bool {
        let Ok(jwt) = UnverifiedJwt::parse(token.0) else { return false };
        let Ok((_, trusted)) = trusted_issuer(&jwt, settings) else { return false };
        let Some(remote) = trusted.keys.remote() else { return false };
        let before = remote.current();
        remote.fetch_because_of(&before).await;
        !Arc::ptr_eq(&before, &remote.current())
    }
}

impl Remembered {
    fn still_signed(&self, settings: &Settings) -> bool {
        let issuer = settings.issuers.get(self.issuer);
        issuer.is_some_and(|issuer| Arc::ptr_eq(&issuer.keys.current(), &self.keys))
    }
}

pub(crate) fn token_digest(token: Unverified<'_>) -> [u8; 32] {
    let mut key = [0; 32];
    key.copy_from_slice(digest(&SHA256, token.0.as_bytes()).as_ref());
    key
}

/// Whether a JWT that was verified still counts. Revoked or not comes first: what goes on with an expired token must know.
pub(crate) fn still_counts(caller: &Caller, settings: &Settings) -> Result<(), Refusal> {
    unrevoked(caller, settings)?;
    unexpired(caller, settings.clock.now(), settings)
}

/// RFC 7519 §4.1.4, asked again each time a remembered token comes.
fn unexpired(caller: &Caller, now: Timestamp, settings: &Settings) -> Result<(), Refusal> {
    if now < caller.expires().after(settings.leeway) { Ok(()) } else { Err(JoseError::Expired.into()) }
}

/// RFC 7009 §2: a revoked token is dead at once. What may have been revoked is not let in either.
pub(crate) fn unrevoked(caller: &Caller, settings: &Settings) -> Result<(), Refusal> {
    match settings.revocations.contains(caller.token_id()) {
        Some(false) => Ok(()),
        Some(true) => Err(Refusal::Revoked),
        None => Err(Refusal::RevocationsUnavailable),
    }
}

/// RFC 9068 §4.
fn read(token: Unverified<'_>, now: Timestamp, settings: &Settings) -> Result<Remembered, Refusal> {
    let jwt = UnverifiedJwt::parse(token.0)?;
    let (index, trusted) = trusted_issuer(&jwt, settings)?;
    let keys = trusted.keys.current();
    if keys.is_empty() {
        return Err(Refusal::KeysUnavailable);
    }
    // The same resource with and without the slash of an empty path (RFC 3986 §6.2.3): issuers write what clients ask for.
    let own = [settings.resource.as_str(), settings.resource.url().as_str()];
    let audience: Vec<&str> = own.into_iter().chain(trusted.audiences.iter().map(String::as_str)).collect();
    let expected = Expected {
        issuer: &trusted.issuer,
        audience: &audience,
        typ: &trusted.types.iter().map(String::as_str).collect::<Vec<_>>(),
        now,
        leeway: settings.leeway,
    };
    let verified = jwt.verify(&keys, &expected)?;
    // Its claims are taken over, not copied.
    drop(jwt);
    if trusted.kind.as_ref().is_some_and(|kind| !kind.is_of(verified.all())) {
        return Err(JoseError::WrongType.into());
    }
    let names = &trusted.claims;
    let subject = names.subject(verified.all())?.to_owned();
    let client = names.client(verified.all())?.to_owned();
    let caller = Caller::new(Said {
        // RFC 9068 §2.2: without a name of its own a token cannot be revoked.
        token_id: match &verified.claims().id {
            Some(id) => id.clone(),
            None if trusted.id_required => return Err(JoseError::Decode("jti is missing".to_owned()).into()),
            None => String::new(),
        },
        expires: verified.claims().expires_at,
        granted: Granted {
            principal: principal_of(&trusted.issuer, &subject, settings.own_issuer.as_ref()),
            issuer: trusted.issuer.to_string(),
            subject,
            client,
            ..names.granted(verified.into_all())
        },
    });
    names.check_tenant(caller.granted())?;
    Ok(Remembered { caller, issuer: index, keys })
}

fn trusted_issuer<'s>(
    jwt: &UnverifiedJwt<'_>,
    settings: &'s Settings,
) -> Result<(usize, &'s TrustedIssuer), Refusal> {
    let claimed = jwt.unverified_issuer().ok_or(JoseError::MissingIssuer)?;
    let mut issuers = settings.issuers.iter().enumerate();
    issuers.find(|(_, trusted)| trusted.issuer.as_str() == claimed).ok_or(Refusal::UntrustedIssuer)
}
