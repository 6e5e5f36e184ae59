//! Names that people log in with.

/// A name as it was given, and the form in which two names are the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UserName {
    pub(crate) shown: String,
    pub(crate) key: String,
}

/// Why a name cannot be had.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UserNameError {
    /// Nothing but spaces.
    #[error("the name is empty")]
    Empty,
    /// More than 64 characters.
    #[error("the name is longer than 64 characters")]
    TooLong,
    /// Control characters or marks that turn text around.
    #[error("the name holds characters that cannot be seen")]
    Invisible,
}

const LONGEST: usize = 64;

impl UserName {
    /// Spaces at both ends are dropped, and case does not matter.
    pub(crate) fn parse(text: &str) -> Result<Self, UserNameError> {
        let shown = text.trim();
        if shown.is_empty() {
            return Err(UserNameError::Empty);
        }
        if shown.chars().count() > LONGEST {
            return Err(UserNameError::TooLong);
        }
        if crate::pages::shown(shown) != shown {
            return Err(UserNameError::Invisible);
        }
        Ok(Self { shown: shown.to_owned(), key: shown.to_lowercase() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_and_outer_spaces_do_not_matter() {
        let name = UserName::parse(" Ada ").unwrap();
        assert_eq!((name.shown.as_str(), name.key.as_str()), ("Ada", "ada"));
    }

    #[test]
    fn each_rule_refuses() {
        assert_eq!(UserName::parse("  "), Err(UserNameError::Empty));
        assert_eq!(UserName::parse(&"x".repeat(65)), Err(UserNameError::TooLong));
        assert_eq!(UserName::parse("a\u{202e}b"), Err(UserNameError::Invisible));
        assert_eq!(UserName::parse("a\nb"), Err(UserNameError::Invisible));
    }
}
