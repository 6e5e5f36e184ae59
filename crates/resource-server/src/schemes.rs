//! Every way of showing who calls, each in its own room; here they meet.

use std::net::IpAddr;

use hallpass_protocol::challenge::Challenge;
use hallpass_protocol::forwarded::ClientAddress;
use hallpass_protocol::is_loopback;
use hallpass_protocol::jose::{JoseError, MAX_JWT_LEN, UnverifiedJwt};
use hallpass_protocol::time::Timestamp;
use http::request::Parts;
use url::Url;

use crate::accounts::basic::Basic;
use crate::accounts::digest::Digest;
use crate::accounts::guesses::Guesses;
use crate::accounts::{Accounts, is_key};
use crate::agreed::Bounds;
use crate::binding::Binding;
use crate::certificate::{Shown, peer_of};
use crate::credential::{self, Credential, Unverified};
use crate::dpop::{Bound, Gate};
use crate::introspection::Introspector;
use crate::refusal::Refusal;
use crate::settings::{OwnAccounts, Settings};
use crate::stored::{self, LookUp};
use crate::verify::{Standing, Verified, Verifier, still_counts, unrevoked};

/// What remembers something between requests, of the schemes that are on.
pub(crate) struct Schemes {
    stored: Option<LookUp>,
    introspector: Option<Introspector>,
    bounds: Option<Bounds>,
    dpop: Option<Gate>,
    basic: Option<Basic>,
    digest: Option<Digest>,
    guesses: Guesses,
}

impl Schemes {
    pub(crate) fn new(settings: &Settings) -> Self {
        let remembered = settings.remembered_tokens;
        let introspection = settings.introspection.clone();
        let accounts = settings.accounts.as_ref();
        Self {
            stored: LookUp::of(settings),
            introspector: introspection.map(|settings| Introspector::new(settings, remembered)),
            bounds: Bounds::of(settings),
            dpop: Gate::of(settings),
            basic: accounts.filter(|accounts| accounts.basic).map(|_| Basic::new()),
            digest: Digest::of(settings),
            guesses: Guesses::default(),
        }
    }

    /// Who sent a request. What is not asked for nearly every one is in a box: all that waits in here is handed on with each.
    pub(crate) async fn authenticate(
        &self,
        parts: &Parts,
        verifier: &Verifier,
        settings: &Settings,
    ) -> Result<Verified, Refusal> {
        let accounts = settings.accounts.as_ref();
        let keys = accounts.filter(|accounts| accounts.keys);
        let presented = credential::presented(&parts.headers, &parts.uri, keys.is_some())?;
        let certificate = settings.certificates.shown(&parts.headers, &parts.extensions)?;
        match presented {
            None => certificate_alone(certificate.as_ref(), settings),
            Some(Credential::Key(key)) => by_key(key, keys, settings),
            Some(Credential::Bearer(key)) if keys.is_some() && is_key(key.0) => by_key(key, keys, settings),
            Some(Credential::Bearer(token)) => {
                let verified = self.token(token, verifier, settings).await?;
                let binding = Binding::of(verified.caller().claims())?;
                if binding.jkt.is_some() {
                    return Err(Refusal::SentAsBearer);
                }
                bound_to_certificate(&binding, certificate.as_ref())?;
                let bound_only = self.dpop.as_ref().is_some_and(Gate::is_required);
                if bound_only && binding.x5t.is_none() { Err(Refusal::BoundOnly) } else { Ok(verified) }
            }
            Some(Credential::Dpop(token)) => {
                Box::pin(self.by_key_bound_token(token, certificate, parts, verifier, settings)).await
            }
            Some(Credential::Basic(credentials)) => {
                let (basic, list) = on(self.basic.as_ref(), accounts)?;
                passwords_are_safe(settings)?;
                let from = counted_address(parts, settings);
                Box::pin(basic.verify(credentials.0, from, &self.guesses, list, settings)).await
            }
            Some(Credential::Digest(credentials)) => {
                let (digest, list) = on(self.digest.as_ref(), accounts)?;
                let from = counted_address(parts, settings);
                let counted = (from, &self.guesses);
                Box::pin(digest.verify(credentials.0, &parts.method, &parts.uri, counted, list, settings))
                    .await
            }
        }
    }

    /// RFC 9449 §7.
    async fn by_key_bound_token(
        &self,
        token: Unverified<'_>,
        certificate: Option<Shown>,
        parts: &Parts,
        verifier: &Verifier,
        settings: &Settings,
    ) -> Result<Verified, Refusal> {
        let gate = self.dpop.as_ref().ok_or(Refusal::OtherScheme)?;
        let verified = self.token(token, verifier, settings).await?;
        let binding = Binding::of(verified.caller().claims())?;
        let jkt = binding.jkt.as_deref().ok_or(Refusal::NotBound)?;
        // As clients reach it, whatever Host says.
        let here = |url: &Url| {
            let mut url = url.clone();
            url.set_path(parts.uri.path());
            url
        };
        let url = here(settings.resource.url());
        let aliases: Vec<Url> = settings.aliases.iter().map(here).collect();
        let bound = Bound {
            headers: &parts.headers,
            method: &parts.method,
            url: &url,
            aliases: &aliases,
            token: token.0,
            jkt,
            caller: verified.caller(),
        };
        gate.check(bound, settings.clock.now()).await?;
        bound_to_certificate(&binding, certificate.as_ref())?;
        Ok(verified)
    }

    /// An access token: one that is looked up; a JWT with the keys that are at hand, or with newer ones; anything else by
    /// asking. Where it was handed on, what was agreed to bounds it.
    pub(crate) async fn token(
        &self,
        token: Unverified<'_>,
        verifier: &Verifier,
        settings: &Settings,
    ) -> Result<Verified, Refusal> {
        let verified = match self.stored.as_ref().filter(|stored| stored.may_know(token)) {
            Some(stored) => Box::pin(self.look_up(stored, token, settings)).await?,
            None => match verifier.verify(token, settings) {
                Ok(verified) => verified,
                Err(refusal) => Box::pin(self.ask_about(token, refusal, verifier, settings)).await?,
            },
        };
        match &self.bounds {
            Some(bounds) => Box::pin(bounds.bound(token, verified, settings)).await,
            None => Ok(verified),
        }
    }

    /// The same where nobody can be asked.
    pub(crate) fn bound_at_once(
        &self,
        token: Unverified<'_>,
        verified: Verified,
        settings: &Settings,
    ) -> Result<Verified, Refusal> {
        match &self.bounds {
            Some(bounds) => bounds.bound_at_once(token, verified, settings),
            None => Ok(verified),
        }
    }

    /// An opaque token of an issuer whose store is at hand.
    async fn look_up(
        &self,
        stored: &LookUp,
        token: Unverified<'_>,
        settings: &Settings,
    ) -> Result<Verified, Refusal> {
        if let Some(verified) = stored.verify(token, settings).await? {
            return Ok(verified);
        }
        // Another issuer's may begin alike.
        match &self.introspector {
            Some(introspector) => introspector.verify(token.0, settings).await,
            None => Err(Refusal::Inactive),
        }
    }

    /// A token that is no good with the keys at hand, for this reason.
    async fn ask_about(
        &self,
        token: Unverified<'_>,
        refusal: Refusal,
        verifier: &Verifier,
        settings: &Settings,
    ) -> Result<Verified, Refusal> {
        match (&refusal, &self.introspector) {
            (Refusal::Token(JoseError::UnknownKey(_)) | Refusal::KeysUnavailable, _) => {
                match verifier.fetch_keys_for(token, settings).await {
                    true => verifier.verify(token, settings),
                    false => Err(refusal),
                }
            }
            (_, Some(introspector)) if is_opaque(token, introspector, &refusal) => {
                introspector.verify(token.0, settings).await
            }
            _ => Err(refusal),
        }
    }

    /// Whether a credential that was good still is.
    pub(crate) async fn recheck(&self, verified: &Verified, settings: &Settings) -> Result<(), Refusal> {
        let caller = verified.caller();
        match (verified.standing(), &self.introspector, &settings.accounts) {
            (Standing::Opaque(token), Some(introspector), _) => {
                introspector.recheck(token, caller, settings).await?;
                // One that was handed on may have been taken back here.
                if self.bounds.is_some() { unrevoked(caller, settings) } else { Ok(()) }
            }
            (Standing::Account, _, Some(accounts)) => {
                accounts.list.still_has(caller.token_id(), settings.clock.now())
            }
            (Standing::Stored, ..) => stored::still_counts(caller, settings),
            (Standing::Certificate(shown), ..) => settings.certificates.verify(shown, settings).map(drop),
            _ => still_counts(caller, settings),
        }
    }

    /// RFC 9449 §7.1.
    pub(crate) fn dpop_challenge(&self, settings: &Settings) -> Option<Challenge> {
        self.dpop.as_ref().map(|gate| gate.challenge(&settings.realm))
    }

    /// RFC 9449 §9.
    pub(crate) fn dpop_nonce(&self, now: Timestamp) -> Option<String> {
        self.dpop.as_ref().and_then(|gate| gate.nonce(now))
    }

    /// Schemes beside Bearer and DPoP, the safer one first.
    pub(crate) fn other_challenges(
        &self,
        settings: &Settings,
        refusal: &Refusal,
        now: Timestamp,
    ) -> Vec<Challenge> {
        let realm = &settings.realm;
        let stale = matches!(refusal, Refusal::StaleNonce);
        let digest = self.digest.iter().flat_map(|digest| digest.challenges(realm, stale, now));
        let basic = self.basic.iter().filter(|_| passwords_are_safe(settings).is_ok());
        // RFC 7617 §2.1.
        let basic = basic.map(|_| Challenge::new("Basic").with("realm", realm).with("charset", "UTF-8"));
        digest.chain(basic).collect()
    }
}

/// A scheme and the accounts behind it, if it is on.
fn on<'a, S>(
    scheme: Option<&'a S>,
    accounts: Option<&'a OwnAccounts>,
) -> Result<(&'a S, &'a Accounts), Refusal> {
    scheme.zip(accounts).map(|(scheme, accounts)| (scheme, &accounts.list)).ok_or(Refusal::OtherScheme)
}

fn by_key(key: Unverified<'_>, keys: Option<&OwnAccounts>, settings: &Settings) -> Result<Verified, Refusal> {
    keys.ok_or(Refusal::OtherScheme)?.list.by_key(key.0, settings)
}

/// No other credential: the certificate counts, if certificates alone do here.
fn certificate_alone(certificate: Option<&Shown>, settings: &Settings) -> Result<Verified, Refusal> {
    match certificate {
        Some(shown) if !settings.certificates.accounts.is_empty() => {
            settings.certificates.verify(shown, settings)
        }
        _ => Err(Refusal::NoCredential),
    }
}

/// Whose wrong passwords are counted together. Behind a proxy that says nothing of its clients is everybody, and before this machine's own
/// often enough one is.
fn counted_address(parts: &Parts, settings: &Settings) -> Option<IpAddr> {
    if let Some(ClientAddress(client)) = parts.extensions.get() {
        return client.filter(|client| !client.is_loopback());
    }
    let peer = peer_of(&parts.extensions)?;
    (!peer.is_loopback() && !settings.certificates.proxies.contains(&peer)).then_some(peer)
}

/// RFC 8705 §3.
fn bound_to_certificate(binding: &Binding, certificate: Option<&Shown>) -> Result<(), Refusal> {
    let Some(expected) = &binding.x5t else { return Ok(()) };
    let shown = certificate.map(Shown::thumbprint);
    if shown.as_ref() == Some(expected) { Ok(()) } else { Err(Refusal::OtherCertificate) }
}

/// RFC 7617 §4. What clients reach is the resource's own URL.
fn passwords_are_safe(settings: &Settings) -> Result<(), Refusal> {
    let url = settings.resource.url();
    if url.scheme() == "https" || is_loopback(url) { Ok(()) } else { Err(Refusal::PlainPassword) }
}

/// Whether only its issuer can say what the token is: it is no JWT, or a JWT of an issuer that is to be asked.
fn is_opaque(token: Unverified<'_>, introspector: &Introspector, refusal: &Refusal) -> bool {
    match UnverifiedJwt::parse(token.0) {
        Err(_) => token.0.len() <= MAX_JWT_LEN,
        Ok(jwt) => {
            matches!(refusal, Refusal::UntrustedIssuer)
                && jwt.unverified_issuer() == Some(introspector.issuer().as_str())
        }
    }
}
