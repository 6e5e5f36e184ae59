//! Proof of possession (RFC 9449) at the resource: the proof's own rules are the protocol crate's; nonces are here, and
//! that each proof counts once.

use std::time::Duration;

use hallpass_protocol::challenge::Challenge;
use hallpass_protocol::dpop::{self, ExpectedProof, VerifiedProof};
use hallpass_protocol::jose::Algorithm;
use hallpass_protocol::secret::Secret;
use hallpass_protocol::time::Timestamp;
use http::{HeaderMap, Method};
use url::Url;

use crate::caller::Caller;
use crate::nonce::{Nonces, Worth};
use crate::refusal::Refusal;
use crate::replays::{Once, Replays, Seen};
use crate::settings::Settings;

/// How DPoP is done.
#[derive(Clone, Debug)]
pub struct Dpop {
    /// Whether tokens that are bound to no key are refused.
    pub required: bool,
    /// Whether a proof must hold a nonce of this server (RFC 9449 §9): it then was made after the nonce.
    pub nonces: bool,
    /// How old a proof may be, and how far ahead: five minutes.
    pub window: Duration,
}

impl Default for Dpop {
    fn default() -> Self {
        Self { required: false, nonces: false, window: Duration::from_secs(300) }
    }
}

/// Checks proofs.
pub(crate) struct Gate {
    settings: Dpop,
    nonces: Nonces,
    replays: Replays,
}

/// A bound token and its sender's request.
pub(crate) struct Bound<'a> {
    pub(crate) headers: &'a HeaderMap,
    pub(crate) method: &'a Method,
    pub(crate) url: &'a Url,
    pub(crate) aliases: &'a [Url],
    pub(crate) token: &'a str,
    /// The key that the token is bound to.
    pub(crate) jkt: &'a str,
    pub(crate) caller: &'a Caller,
}

impl Gate {
    /// None where it is off.
    pub(crate) fn of(settings: &Settings) -> Option<Self> {
        let dpop = settings.dpop.clone()?;
        let nonces = settings.nonces.for_scheme("dpop", &settings.resource, dpop.window);
        Some(Self { settings: dpop, nonces, replays: settings.replays.clone() })
    }

    pub(crate) fn is_required(&self) -> bool {
        self.settings.required
    }

    /// A nonce to send along (RFC 9449 §8.2, §9), where nonces are asked for.
    pub(crate) fn nonce(&self, now: Timestamp) -> Option<String> {
        self.settings.nonces.then(|| self.nonces.issue(now))
    }

    /// RFC 9449 §7.1.
    pub(crate) fn challenge(&self, realm: &str) -> Challenge {
        let algorithms = Algorithm::ALL.map(Algorithm::name).join(" ");
        Challenge::new(dpop::SCHEME).with("realm", realm).with("algs", algorithms)
    }

    /// RFC 9449 §4.3, all twelve rules.
    pub(crate) async fn check(&self, bound: Bound<'_>, now: Timestamp) -> Result<(), Refusal> {
        let proof = dpop::proof_of(bound.headers)?.ok_or(Refusal::NoProof)?;
        let token = Secret::new(bound.token);
        let expected = ExpectedProof {
            method: bound.method,
            url: bound.url,
            aliases: bound.aliases,
            access_token: Some(&token),
            now,
            window: self.settings.window,
        };
        let proof = dpop::verify(proof, &expected)?;
        // Rule 12, second half.
        if proof.thumbprint() != bound.jkt {
            return Err(Refusal::OtherKey);
        }
        self.check_nonce(&proof, now)?;
        self.check_new(&proof, bound.caller, now).await
    }

    /// Rule 10.
    fn check_nonce(&self, proof: &VerifiedProof, now: Timestamp) -> Result<(), Refusal> {
        let good = || proof.nonce().is_some_and(|nonce| self.nonces.worth(nonce, now) == Worth::Good);
        if !self.settings.nonces || good() { Ok(()) } else { Err(Refusal::NonceNeeded) }
    }

    /// RFC 9449 §11.1. The party is the user and not the key, of which one can have many.
    async fn check_new(&self, proof: &VerifiedProof, caller: &Caller, now: Timestamp) -> Result<(), Refusal> {
        let id = format!("dpop {} {}", proof.thumbprint(), proof.id());
        let once = Once { party: caller.principal(), id: &id, ends: proof.ends() };
        match self.replays.see(once, now).await {
            Seen::New => Ok(()),
            Seen::Before => Err(Refusal::ReplayedProof),
            Seen::Unknown => Err(Refusal::ReplaysUnavailable),
        }
    }
}
