//! The proof that a request may pass.

use crate::caller::Caller;

/// Something that a caller is permitted to do. Only [`ResourceServer::admit`] makes one, so whoever
/// takes a `Permitted` cannot be reached by a request that nobody checked.
///
/// [`ResourceServer::admit`]: crate::ResourceServer::admit
#[derive(Debug)]
pub struct Permitted<T> {
    inner: T,
    caller: Caller,
}

impl<T> Permitted<T> {
    pub(crate) fn new(inner: T, caller: Caller) -> Self {
        Self { inner, caller }
    }

    /// Who it is permitted to.
    #[must_use]
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// What is permitted.
    #[must_use]
    pub fn get(&self) -> &T {
        &self.inner
    }

    /// Takes the two apart. There is no way back.
    #[must_use]
    pub fn into_parts(self) -> (T, Caller) {
        (self.inner, self.caller)
    }
}
