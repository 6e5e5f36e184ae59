//! A third party's access token, and which link between two accounts it came of.

use std::fmt;
use std::sync::{Arc, OnceLock};

use http::HeaderValue;
use http::header::{AUTHORIZATION, HeaderName};

use crate::secret::Secret;

/// An access token that a third party gave for a person who has linked an account there. Clones share it, and with it the field
/// values that are made of it, each once: a request more costs no copy of the token.
#[derive(Clone)]
pub struct LinkedToken(Arc<Inner>);

struct Inner {
    token: Secret,
    link: Box<str>,
    version: i64,
    bearer: OnceLock<Option<HeaderValue>>,
    alone: OnceLock<Option<HeaderValue>>,
}

impl LinkedToken {
    /// The token of that version, of that link: whoever links another account, or the same one again, has another link. With each
    /// renewal the version of a link's token grows.
    pub fn new(token: Secret, link: impl Into<Box<str>>, version: i64) -> Self {
        let (bearer, alone) = (OnceLock::new(), OnceLock::new());
        Self(Arc::new(Inner { token, link: link.into(), version, bearer, alone }))
    }

    /// The token itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.token.expose()
    }

    /// The link that it came of. It opens nothing.
    #[must_use]
    pub fn link(&self) -> &str {
        &self.0.link
    }

    /// Which of the link's tokens it is.
    #[must_use]
    pub fn version(&self) -> i64 {
        self.0.version
    }

    /// How it goes in that field: behind `Bearer` in `Authorization` (RFC 6750 §2.1), alone in every other. `None` where it holds
    /// what no field can say.
    #[must_use]
    pub fn in_field(&self, field: &HeaderName) -> Option<HeaderValue> {
        let (known, scheme) = match *field {
            AUTHORIZATION => (&self.0.bearer, "Bearer "),
            _ => (&self.0.alone, ""),
        };
        known.get_or_init(|| self.value_behind(scheme)).clone()
    }

    fn value_behind(&self, scheme: &str) -> Option<HeaderValue> {
        let mut value = HeaderValue::try_from(format!("{scheme}{}", self.expose())).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

impl fmt::Debug for LinkedToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("LinkedToken");
        shown.field("link", &self.0.link).field("version", &self.0.version).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_made_once_and_says_nothing_to_a_log() {
        let token = LinkedToken::new(Secret::new("canary"), "link", 3);
        let other = HeaderName::from_static("x-token");
        assert_eq!(token.in_field(&AUTHORIZATION).unwrap(), "Bearer canary");
        assert_eq!(token.in_field(&other).unwrap(), "canary");
        for field in [AUTHORIZATION, other] {
            let (one, two) = (token.in_field(&field).unwrap(), token.clone().in_field(&field).unwrap());
            assert_eq!(one.as_bytes().as_ptr(), two.as_bytes().as_ptr(), "one value for all");
            assert!(one.is_sensitive() && !format!("{one:?}{token:?}").contains("canary"));
        }
        assert_eq!((token.expose(), token.link(), token.version()), ("canary", "link", 3));
    }

    #[test]
    fn what_no_field_can_say_is_in_none() {
        let token = LinkedToken::new(Secret::new("two\nlines"), "link", 0);
        assert!(token.in_field(&AUTHORIZATION).is_none());
    }
}
