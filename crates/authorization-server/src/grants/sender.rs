//! Who asks for a token: a client that is believed, and the keys that it holds.

use hallpass_protocol::time::Timestamp;

use super::{Binding, MustBind, Refusal};
use crate::clients::AuthenticatedClient;
use crate::server::Inner;
use crate::store::SeenBy;

/// Of one token request.
pub(crate) struct Sender<'a> {
    pub(crate) client: &'a AuthenticatedClient,
    /// A DPoP proof that is right, and not yet remembered.
    pub(crate) proof: Option<UnspentProof>,
    /// The certificate that the client has shown, by its thumbprint.
    pub(crate) certificate: Option<String>,
}

/// A DPoP proof that has passed every rule but the last: that it was not there before.
pub(crate) struct UnspentProof {
    pub(crate) thumbprint: String,
    pub(crate) id: String,
    /// Until when it would be taken.
    pub(crate) ends: Timestamp,
}

/// Before a certificate's thumbprint, where it is stored in the place of a key's.
const CERTIFICATE: &str = "x5t#S256:";

/// Whether what is stored in the place of a key is a certificate.
pub(super) fn is_certificate(bound_to: &str) -> bool {
    bound_to.starts_with(CERTIFICATE)
}

impl Sender<'_> {
    /// Every grant begins with these.
    pub(super) fn check(&self) -> Result<(), Refusal> {
        self.check_must_bind(MustBind::default())
    }

    /// What the client says of itself now, and what it has said when it began.
    pub(super) fn check_must_bind(&self, began: MustBind) -> Result<(), Refusal> {
        let must = self.must_bind().union(began);
        if must.dpop && self.proof.is_none() {
            return Err(Refusal::NoProof);
        }
        if must.certificate && self.certificate.is_none() {
            return Err(Refusal::NoCertificate);
        }
        Ok(())
    }

    fn must_bind(&self) -> MustBind {
        self.client.client().map(|client| MustBind::of(&client.details)).unwrap_or_default()
    }

    /// A client that showed more than its id when it was granted something shows it again.
    pub(super) fn check_confidential(&self, was_confidential: bool) -> Result<(), Refusal> {
        let still = self.client.is_proven() || !was_confidential;
        still.then_some(()).ok_or(Refusal::NotProven)
    }

    /// RFC 9449 §5 and §10, RFC 8705 §4: what is bound to a key is of use to its holder alone.
    pub(super) fn check_bound(&self, bound_to: Option<&str>) -> Result<(), Refusal> {
        let Some(bound_to) = bound_to else { return Ok(()) };
        let same = match bound_to.strip_prefix(CERTIFICATE) {
            Some(thumbprint) => self.certificate.as_deref() == Some(thumbprint),
            None => self.proof.as_ref().is_some_and(|proof| proof.thumbprint == bound_to),
        };
        same.then_some(()).ok_or(Refusal::OtherKey)
    }

    /// What a new refresh token is bound to. One of a confidential client is bound to its authentication, so the client
    /// can take another key (RFC 9449 §5, RFC 8705 §4).
    pub(super) fn refresh_binding(&self, began: MustBind) -> Option<String> {
        if self.client.is_proven() {
            return None;
        }
        let key = self.proof.as_ref().map(|proof| proof.thumbprint.clone());
        key.or_else(|| self.bound_certificate(began).map(|thumbprint| format!("{CERTIFICATE}{thumbprint}")))
    }

    /// A certificate binds the tokens of clients that have said so (RFC 8705 §3.4).
    fn bound_certificate(&self, began: MustBind) -> Option<String> {
        let binds = self.must_bind().union(began).certificate;
        self.certificate.clone().filter(|_| binds)
    }

    /// What the tokens are bound to. The proof is used up by this (RFC 9449 §11.1), so it is the last thing before a
    /// grant is consumed: what a stranger sends, and what breaks another rule, leaves no row behind.
    pub(super) async fn bind(&self, server: &Inner, began: MustBind) -> Result<Option<Binding>, Refusal> {
        if let Some(proof) = &self.proof {
            let seen = server.store.see_id(SeenBy::DpopProof, &proof.thumbprint, &proof.id, proof.ends);
            if !seen.await? {
                return Err(Refusal::ReplayedProof);
            }
        }
        let key = self.proof.as_ref().map(|proof| proof.thumbprint.clone());
        Ok(Binding::of(key, self.bound_certificate(began)))
    }
}
