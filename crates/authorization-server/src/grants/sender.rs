//! Who asks for a token: a client that is believed, and the key that it holds.

use super::{Binding, Refusal};
use crate::clients::AuthenticatedClient;

/// Of one token request.
pub(crate) struct Sender<'a> {
    pub(crate) client: &'a AuthenticatedClient,
    /// What the tokens will be bound to.
    pub(crate) binding: Option<Binding>,
}

impl Sender<'_> {
    /// Every grant begins with these.
    pub(super) fn check(&self) -> Result<(), Refusal> {
        self.check_dpop_client()
    }

    /// RFC 9449 §5.2: a client that has said that it uses DPoP always uses it.
    fn check_dpop_client(&self) -> Result<(), Refusal> {
        let always = self.client.client().is_some_and(|client| client.details.dpop_bound_access_tokens);
        let key = matches!(self.binding, Some(Binding::Key(_)));
        (key || !always).then_some(()).ok_or(Refusal::NoProof)
    }

    /// A client that showed more than its id when it was granted something shows it again.
    pub(super) fn check_confidential(&self, was_confidential: bool) -> Result<(), Refusal> {
        let still = self.client.is_proven() || !was_confidential;
        still.then_some(()).ok_or(Refusal::NotProven)
    }

    /// RFC 9449 §5 and §10: what is bound to a key is of use to its holder alone.
    pub(super) fn check_bound(&self, bound_to: Option<&str>) -> Result<(), Refusal> {
        let Some(bound_to) = bound_to else { return Ok(()) };
        let same = self.binding.as_ref().is_some_and(|binding| binding.as_text() == bound_to);
        same.then_some(()).ok_or(Refusal::OtherKey)
    }

    /// What a new refresh token is bound to. One of a confidential client is bound to its authentication, so the client
    /// can take another key (RFC 9449 §5).
    pub(super) fn refresh_binding(&self) -> Option<&str> {
        self.binding.as_ref().filter(|_| !self.client.is_proven()).map(Binding::as_text)
    }
}
