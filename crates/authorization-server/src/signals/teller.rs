//! Whose word counts: an issuer that the operator trusts, or a provider that people sign in through; signed with its own keys,
//! and meant for this server.

use hallpass_protocol::jose::{Expected, JoseError, UnverifiedJwt, VerifiedEvent};

use super::LEEWAY;
use crate::delegation::TrustedIssuer;
use crate::login::SignIn;
use crate::server::Inner;
use crate::store::StoreError;

/// What is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// Somebody has logged out (OpenID Connect Back-Channel Logout 1.0).
    Logout,
    /// Something has happened to somebody (OpenID Shared Signals Framework 1.0).
    Signal,
}

/// Who tells it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Teller<'a> {
    /// An issuer of assertions.
    Issuer(&'a TrustedIssuer),
    /// A provider that people sign in through.
    Provider(&'a SignIn),
}

/// Why nothing is taken as told.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotTold {
    #[error("it is of nobody whose word is taken here")]
    Issuer,
    #[error(transparent)]
    Token(#[from] JoseError),
    #[error("the keys of its issuer cannot be had right now; try again")]
    Unreachable,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl<'a> Teller<'a> {
    /// Whoever the token names. Of one issuer by both ways, the one that it speaks to.
    pub(crate) async fn of(
        server: &'a Inner,
        token: &UnverifiedJwt<'_>,
        told: Told,
    ) -> Result<Self, NotTold> {
        let named = token.unverified_issuer().unwrap_or_default();
        let issuers = server.settings.trusted_issuers.iter().map(Teller::Issuer);
        let all = issuers.chain(server.settings.sign_in.iter().map(Teller::Provider));
        let all: Vec<_> = all.filter(|teller| teller.is(named) && teller.audience(told).is_some()).collect();
        let spoken_to = |teller: &&Teller<'_>| {
            let audience = token.unverified_claims().get("aud").cloned().unwrap_or_default();
            let audience =
                serde_json::from_value::<hallpass_protocol::Audience>(audience).unwrap_or_default();
            teller.audience(told).is_some_and(|ours| audience.contains(ours))
        };
        let teller = *all.iter().find(spoken_to).or(all.first()).ok_or(NotTold::Issuer)?;
        let row = server.store.find_trusted_issuer(named).await?;
        let off = row.map_or(matches!(teller, Teller::Issuer(_)), |row| row.disabled);
        if off { Err(NotTold::Issuer) } else { Ok(teller) }
    }

    fn is(&self, named: &str) -> bool {
        match self {
            Self::Issuer(trusted) => trusted.issuer == *named,
            Self::Provider(way) => {
                let settings = way.provider.settings();
                // Without ID tokens there is nothing that it signs.
                settings.profile.people.is_none()
                    && settings.profile.same_issuer(settings.issuer.as_str(), named)
            }
        }
    }

    /// Who this server is there. A provider that people sign in through may always say that they have logged out.
    fn audience(&self, told: Told) -> Option<&'a str> {
        match (*self, told) {
            (Self::Issuer(trusted), Told::Logout) => trusted.logout_audience.as_deref(),
            (Self::Issuer(trusted), Told::Signal) => trusted.signals_audience.as_deref(),
            (Self::Provider(way), Told::Logout) => Some(way.provider.settings().client_id.as_str()),
            (Self::Provider(way), Told::Signal) => way.signals_audience.as_deref(),
        }
    }

    /// The issuer, where it has a say in what came through it, and in nothing else.
    pub(crate) fn through<'i>(&self, issuer: &'i str) -> Option<&'i str> {
        matches!(self, Self::Provider(_)).then_some(issuer)
    }

    /// Whether it may speak for addresses of this domain, which is in lower case.
    pub(crate) fn speaks_for(&self, domain: &str) -> bool {
        let listed = match self {
            Self::Issuer(trusted) => {
                trusted.accounts.as_ref().map(|accounts| accounts.email_domains.as_slice())
            }
            // By its own claim of an organization, where it has one, and not by the end of an address.
            Self::Provider(way) if way.provider.settings().profile.hosted_domain.is_some() => None,
            Self::Provider(way) => Some(way.who.domains.as_slice()),
        };
        listed.into_iter().flatten().any(|listed| listed.eq_ignore_ascii_case(domain))
    }

    /// Signature, type, issuer, audience and times.
    pub(crate) async fn verify(
        &self,
        server: &Inner,
        token: &UnverifiedJwt<'_>,
        told: Told,
        typ: &[&str],
    ) -> Result<VerifiedEvent, NotTold> {
        let now = server.store.now();
        let (issuer, keys) = match self {
            Self::Issuer(trusted) => {
                let keys = trusted.keys(server, token).await.map_err(|_| NotTold::Unreachable)?;
                (trusted.issuer.clone(), keys)
            }
            Self::Provider(way) => way.provider.keys(token, now).await.map_err(|error| {
                tracing::warn!(provider = way.name, %error, "the keys of a provider cannot be had");
                NotTold::Unreachable
            })?,
        };
        let audience: Vec<&str> = self.audience(told).into_iter().collect();
        let expected = Expected { issuer: &issuer, audience: &audience, typ, now, leeway: LEEWAY };
        Ok(token.verify_event(&keys, &expected)?)
    }
}
