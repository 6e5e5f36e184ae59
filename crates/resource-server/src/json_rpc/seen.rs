//! Each member that is read here stands once in its object, in its own spelling.

use serde::de::Error;

use super::fold::folds_to;

/// Which of some members were seen in one object.
pub(super) struct Seen<const N: usize> {
    names: [&'static str; N],
    seen: [bool; N],
}

impl<const N: usize> Seen<N> {
    pub(super) fn among(names: [&'static str; N]) -> Self {
        Self { names, seen: [false; N] }
    }

    /// The member, if it is one of those; an error if it stands there again, or in a spelling that
    /// only some parsers take for it.
    pub(super) fn note<E: Error>(&mut self, member: &str) -> Result<Option<&'static str>, E> {
        let mut known = self.names.iter().zip(&mut self.seen);
        let Some((name, seen)) = known.find(|(name, _)| folds_to(member, name)) else {
            return Ok(None);
        };
        if member != *name {
            return Err(E::custom(format_args!("a member that some take for \"{name}\"")));
        }
        if std::mem::replace(seen, true) {
            return Err(E::custom(format_args!("member \"{name}\" stands there twice")));
        }
        Ok(Some(name))
    }
}
