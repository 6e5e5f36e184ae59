//! What a server asks for in `WWW-Authenticate` (RFC 9110 §11.6.1), with the parameters of
//! Bearer (RFC 6750 §3) and of protected resource metadata (RFC 9728 §5.1).
//!
//! ```
//! use hallpass_protocol::{Challenge, parse_challenges};
//! use http::{HeaderMap, header::WWW_AUTHENTICATE};
//!
//! let asked = Challenge::bearer()
//!     .with("resource_metadata", "https://h/.well-known/oauth-protected-resource/mcp")
//!     .with("scope", "notes:read");
//! let headers = HeaderMap::from_iter([(WWW_AUTHENTICATE, asked.to_header_value())]);
//!
//! let challenges = parse_challenges(&headers);
//! let bearer = challenges.iter().find(|challenge| challenge.is("bearer"));
//! assert_eq!(bearer, Some(&asked));
//! ```

mod format;
mod parse;
mod scanner;

pub use parse::parse_challenges;

use crate::scope::ScopeSet;

/// One challenge: a scheme with parameters, or with one opaque value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// The scheme, as written. Compare with [`Challenge::is`].
    pub scheme: String,
    content: Content,
}

/// RFC 9110 §11.3: either a `token68`, or any number of parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Content {
    Params(Vec<(String, String)>),
    Token68(String),
}

impl Challenge {
    /// A challenge without parameters.
    pub fn new(scheme: impl Into<String>) -> Self {
        Self { scheme: scheme.into(), content: Content::Params(Vec::new()) }
    }

    /// A Bearer challenge without parameters.
    pub fn bearer() -> Self {
        Self::new("Bearer")
    }

    /// Sets a parameter; one of that name, in any case, is replaced, since a name may occur once
    /// only (RFC 9110 §11.2).
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let (name, value) = (name.into(), value.into());
        let mut params = match self.content {
            Content::Params(params) => params,
            Content::Token68(_) => Vec::new(),
        };
        match params.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(&name)) {
            Some(known) => known.1 = value,
            None => params.push((name, value)),
        }
        self.content = Content::Params(params);
        self
    }

    /// Whether this is the scheme of that name; case does not count (RFC 9110 §11.1).
    pub fn is(&self, scheme: &str) -> bool {
        self.scheme.eq_ignore_ascii_case(scheme)
    }

    /// A parameter's value; the case of the name does not count.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// All parameters, in order.
    pub fn params(&self) -> impl Iterator<Item = (&str, &str)> {
        let params = match &self.content {
            Content::Params(params) => params.as_slice(),
            Content::Token68(_) => &[],
        };
        params.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The opaque value that some schemes (Negotiate) carry in place of parameters.
    pub fn token68(&self) -> Option<&str> {
        match &self.content {
            Content::Params(_) => None,
            Content::Token68(value) => Some(value),
        }
    }

    /// `realm` (RFC 9110 §11.5).
    pub fn realm(&self) -> Option<&str> {
        self.param("realm")
    }

    /// `scope` (RFC 6750 §3); `None` as well if it is not a list of scopes.
    pub fn scope(&self) -> Option<ScopeSet> {
        self.param("scope").and_then(|text| ScopeSet::parse(text).ok())
    }

    /// `resource_metadata` (RFC 9728 §5.1).
    pub fn resource_metadata(&self) -> Option<&str> {
        self.param("resource_metadata")
    }

    /// `error` (RFC 6750 §3).
    pub fn error(&self) -> Option<&str> {
        self.param("error")
    }

    /// `error_description` (RFC 6750 §3).
    pub fn error_description(&self) -> Option<&str> {
        self.param("error_description")
    }
}

/// RFC 9110 §5.6.2.
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
