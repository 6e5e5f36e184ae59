//! Scopes (RFC 6749 §3.3): single tokens, and sets of them.

mod set;

pub use set::ScopeSet;

use crate::text::impl_text;

/// The most scopes that are taken from one text. Far more than any server has; it bounds the work.
pub const MAX_SCOPES: usize = 256;

/// One `scope-token`: printable ASCII without space, `"` and `\`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope(String);

/// Why a text is no scope.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScopeError {
    /// RFC 6749 §3.3: a token has at least one character.
    #[error("a scope is empty; leave it out instead")]
    Empty,
    /// RFC 6749 §3.3: `%x21 / %x23-5B / %x5D-7E`.
    #[error("a scope holds {0:?}; only printable ASCII without space, quote and backslash may stand in one")]
    Character(char),
    /// More than [`MAX_SCOPES`].
    #[error("more than {MAX_SCOPES} scopes in one list; ask for fewer")]
    TooMany,
}

impl Scope {
    /// Checks one token.
    ///
    /// # Errors
    /// [`ScopeError::Empty`] and [`ScopeError::Character`].
    pub fn parse(text: &str) -> Result<Self, ScopeError> {
        if text.is_empty() {
            return Err(ScopeError::Empty);
        }
        match text.chars().find(|c| !is_scope_char(*c)) {
            Some(bad) => Err(ScopeError::Character(bad)),
            None => Ok(Self(text.to_owned())),
        }
    }

    /// The token.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_scope_char(c: char) -> bool {
    matches!(c, '\u{21}' | '\u{23}'..='\u{5b}' | '\u{5d}'..='\u{7e}')
}

impl AsRef<str> for Scope {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl_text!(Scope, ScopeError);
