//! Proof of possession (RFC 9449) at the resource: the proof's own rules are the protocol crate's; nonces and the
//! memory of proofs are here.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use hallpass_protocol::challenge::Challenge;
use hallpass_protocol::dpop::{self, ExpectedProof, VerifiedProof};
use hallpass_protocol::jose::Algorithm;
use hallpass_protocol::secret::Secret;
use hallpass_protocol::time::Timestamp;
use http::{HeaderMap, Method};
use url::Url;

use crate::nonce::{Nonces, Worth};
use crate::refusal::Refusal;

/// The most proofs that are remembered in this process. Each is some 80 bytes.
const REMEMBERED: usize = 100_000;

/// How DPoP is done.
#[derive(Clone, Debug)]
pub struct Dpop {
    /// Whether tokens that are bound to no key are refused.
    pub required: bool,
    /// Whether a proof must hold a nonce of this server (RFC 9449 §9): it then was made after the nonce.
    pub nonces: bool,
    /// How old a proof may be, and how far ahead: five minutes.
    pub window: Duration,
    /// Which proofs were there before.
    pub proofs: Proofs,
}

impl Default for Dpop {
    fn default() -> Self {
        Self { required: false, nonces: false, window: Duration::from_secs(300), proofs: Proofs::default() }
    }
}

/// Remembers proofs, each until it is too old. Replicas that share one take no proof twice between them.
#[derive(Clone)]
pub struct Proofs(Arc<Remember>);

type Remember = dyn Fn(&[u8; 32], Timestamp, Timestamp) -> Option<bool> + Send + Sync;

impl Proofs {
    /// `remember` gets the SHA-256 of key and id, when the proof ends, and the time now. It says whether the proof is new,
    /// looking and noting in one step; `None` where it cannot tell, which refuses the request with 503.
    #[must_use]
    pub fn new(
        remember: impl Fn(&[u8; 32], Timestamp, Timestamp) -> Option<bool> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(remember))
    }
}

impl Default for Proofs {
    /// In this process.
    fn default() -> Self {
        let seen: Mutex<HashMap<[u8; 32], Timestamp>> = Mutex::default();
        Self::new(move |proof, ends, now| {
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            if seen.len() >= REMEMBERED {
                seen.retain(|_, ends| now < *ends);
                if seen.len() >= REMEMBERED {
                    return None;
                }
            }
            Some(seen.insert(*proof, ends).is_none_or(|before| before <= now))
        })
    }
}

impl std::fmt::Debug for Proofs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Proofs")
    }
}

/// Checks proofs.
pub(crate) struct Gate {
    settings: Dpop,
    nonces: Nonces,
}

impl Gate {
    pub(crate) fn new(settings: Dpop) -> Self {
        Self { nonces: Nonces::new(settings.window), settings }
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

    /// RFC 9449 §4.3, all twelve rules; `jkt` is the key that the token is bound to.
    pub(crate) fn check(
        &self,
        headers: &HeaderMap,
        method: &Method,
        url: &Url,
        token: &str,
        jkt: &str,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let proof = dpop::proof_of(headers)?.ok_or(Refusal::NoProof)?;
        let token = Secret::new(token);
        let expected =
            ExpectedProof { method, url, access_token: Some(&token), now, window: self.settings.window };
        let proof = dpop::verify(proof, &expected)?;
        // Rule 12, second half.
        if proof.thumbprint() != jkt {
            return Err(Refusal::OtherKey);
        }
        self.check_nonce(&proof, now)?;
        self.check_new(&proof, now)
    }

    /// Rule 10.
    fn check_nonce(&self, proof: &VerifiedProof, now: Timestamp) -> Result<(), Refusal> {
        let good = || proof.nonce().is_some_and(|nonce| self.nonces.worth(nonce, now) == Worth::Good);
        if !self.settings.nonces || good() { Ok(()) } else { Err(Refusal::NonceNeeded) }
    }

    /// RFC 9449 §11.1.
    fn check_new(&self, proof: &VerifiedProof, now: Timestamp) -> Result<(), Refusal> {
        let name = format!("{} {}", proof.thumbprint(), proof.id());
        let mut key = [0; 32];
        key.copy_from_slice(digest(&SHA256, name.as_bytes()).as_ref());
        match (self.settings.proofs.0)(&key, proof.ends(), now) {
            Some(true) => Ok(()),
            Some(false) => Err(Refusal::ReplayedProof),
            None => Err(Refusal::Busy),
        }
    }
}
