//! The proof that a request may pass.

use crate::caller::Caller;
use crate::policy::Asked;
use crate::verify::Verified;

/// Something that a caller is permitted to do. Only [`ResourceServer::admit`] makes one, so whoever
/// takes a `Permitted` cannot be reached by a request that nobody checked.
///
/// [`ResourceServer::admit`]: crate::ResourceServer::admit
#[derive(Debug)]
pub struct Permitted<T> {
    inner: T,
    verified: Verified,
    lists: Vec<Asked>,
}

impl<T> Permitted<T> {
    pub(crate) fn new(inner: T, verified: Verified, lists: Vec<Asked>) -> Self {
        Self { inner, verified, lists }
    }

    /// The lists that it asks for, of kinds that policy has rules for: their answers may say what each thing on
    /// them needs.
    #[must_use]
    pub fn lists(&self) -> &[Asked] {
        &self.lists
    }

    /// Who it is permitted to.
    #[must_use]
    pub fn caller(&self) -> &Caller {
        self.verified.caller()
    }

    /// By which credential: to ask again later whether it is still good.
    #[must_use]
    pub fn verified(&self) -> &Verified {
        &self.verified
    }

    /// What is permitted.
    #[must_use]
    pub fn get(&self) -> &T {
        &self.inner
    }

    /// Takes the two apart. There is no way back.
    #[must_use]
    pub fn into_parts(self) -> (T, Caller) {
        (self.inner, self.verified.into_caller())
    }
}

impl<B> Permitted<http::Request<B>> {
    /// Changes header fields that policy does not look at, such as `Accept-Encoding`. What was judged, method,
    /// URL and body, stays out of reach.
    #[must_use]
    pub fn map_headers(mut self, change: impl FnOnce(&mut http::HeaderMap)) -> Self {
        change(self.inner.headers_mut());
        self
    }
}
