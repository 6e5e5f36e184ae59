//! Digest (RFC 7616): `auth`, nonces that end, and each count of a nonce once.

use std::net::IpAddr;
use std::time::Duration;

use hallpass_protocol::challenge::Challenge;
use hallpass_protocol::digest::{self, DigestAlgorithm, DigestCredentials};
use hallpass_protocol::secret::Secret;
use hallpass_protocol::time::Timestamp;
use http::{Method, Uri};

use super::guesses::Guesses;
use super::{Account, Accounts, Shows};
use crate::nonce::{Nonces, Worth};
use crate::refusal::Refusal;
use crate::replays::{Once, Replays, Seen};
use crate::settings::Settings;
use crate::verify::Verified;

/// How long a nonce is good for: five minutes.
const LIFETIME: Duration = Duration::from_secs(300);

/// Which algorithms are offered, the first one first: clients take the first that they know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DigestScheme {
    /// MD5 is offered only where it stands here by name.
    pub algorithms: Vec<DigestAlgorithm>,
}

impl Default for DigestScheme {
    /// SHA-256, which every client with Digest knows, then SHA-512/256.
    fn default() -> Self {
        Self { algorithms: vec![DigestAlgorithm::Sha256, DigestAlgorithm::Sha512Trunc256] }
    }
}

pub(crate) struct Digest {
    scheme: DigestScheme,
    nonces: Nonces,
    replays: Replays,
}

impl Digest {
    /// None where it is off.
    pub(crate) fn of(settings: &Settings) -> Option<Self> {
        let scheme = settings.accounts.as_ref()?.digest.clone()?;
        let nonces = settings.nonces.for_scheme("digest", &settings.resource, LIFETIME);
        Some(Self { scheme, nonces, replays: settings.replays.clone() })
    }

    /// RFC 7616 §3.3: one for each algorithm. `stale` says that the password was right.
    pub(crate) fn challenges(&self, realm: &str, stale: bool, now: Timestamp) -> Vec<Challenge> {
        let nonce = self.nonces.issue(now);
        let one = |algorithm: &DigestAlgorithm| {
            let challenge = Challenge::new(digest::SCHEME)
                .with("realm", realm)
                .with("qop", "auth")
                .with("algorithm", algorithm.name())
                .with("nonce", nonce.clone())
                .with("charset", "UTF-8")
                .with("userhash", "false");
            if stale { challenge.with("stale", "true") } else { challenge }
        };
        self.scheme.algorithms.iter().map(one).collect()
    }

    /// RFC 7616 §3.4.
    pub(crate) async fn verify(
        &self,
        credentials: &str,
        method: &Method,
        uri: &Uri,
        (from, guesses): (Option<IpAddr>, &Guesses),
        accounts: &Accounts,
        settings: &Settings,
    ) -> Result<Verified, Refusal> {
        let said = DigestCredentials::parse(credentials).map_err(Refusal::Digest)?;
        let now = settings.clock.now();
        if !self.scheme.algorithms.contains(&said.algorithm) {
            return Err(Refusal::Digest(digest::DigestError::Algorithm));
        }
        // What was hashed is what was asked for (RFC 7616 §3.4.6).
        let target = uri.path_and_query().map_or("", |target| target.as_str());
        if said.uri != target {
            return Err(Refusal::OtherTarget);
        }
        let worth = self.nonces.worth(&said.nonce, now);
        if worth == Worth::Foreign {
            return Err(Refusal::StaleNonce);
        }
        let of_that_name = |account: &Account| {
            account.name == said.username && matches!(account.shows, Shows::Digest { .. })
        };
        let attempt = guesses.begin(&said.username, from, now)?;
        let account = accounts.find(now, of_that_name)?.ok_or(Refusal::WrongPassword)?;
        let Shows::Digest { realm, ha1 } = &account.shows else { return Err(Refusal::WrongPassword) };
        let ha1 = ha1.get(said.algorithm.name()).filter(|_| *realm == settings.realm && said.realm == *realm);
        if !ha1.is_some_and(|ha1| said.fits(&Secret::new(ha1.as_str()), method)) {
            return Err(Refusal::WrongPassword);
        }
        guesses.succeeded(&attempt);
        // Only who knows the password learns what became of the nonce, and only such use it up.
        if worth == Worth::Stale {
            return Err(Refusal::StaleNonce);
        }
        self.check_new(&said, &account, now).await?;
        Ok(account.verified(settings))
    }

    /// RFC 7616 §3.4: a count is there once. Requests of one client may overtake each other, so it need not rise.
    async fn check_new(
        &self,
        said: &DigestCredentials,
        account: &Account,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let ends = self.nonces.ends(&said.nonce).ok_or(Refusal::StaleNonce)?;
        let id = format!("digest {} {}", said.nonce, said.count);
        match self.replays.see(Once { party: &account.id, id: &id, ends }, now).await {
            Seen::New => Ok(()),
            Seen::Before => Err(Refusal::StaleNonce),
            Seen::Unknown => Err(Refusal::ReplaysUnavailable),
        }
    }
}
