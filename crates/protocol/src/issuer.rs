//! Issuer identifiers (RFC 8414 §2).

use std::hash::{Hash, Hasher};

use url::Url;

use crate::text::impl_text;
use crate::uri;

/// The identifier of an authorization server.
///
/// Kept exactly as written, and compared by simple string comparison: no case folding, no
/// default-port elision, no slash taken away (RFC 9207 §2.4, RFC 8414 §3.3).
#[derive(Clone)]
pub struct Issuer {
    text: String,
    url: Url,
}

/// Why a text identifies no issuer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IssuerError {
    /// Longer than 2048 bytes.
    #[error("the issuer is longer than {} bytes", uri::MAX_LEN)]
    TooLong,
    /// RFC 3986 §2: a character that no URI has.
    #[error("the issuer holds characters that no URI may hold; percent-encode them")]
    Characters,
    /// RFC 8414 §2: a URL.
    #[error("the issuer is not an absolute URL such as https://auth.example.com")]
    NotAbsolute,
    /// RFC 8414 §2: the `https` scheme. Plain `http` is for this very machine, in development.
    #[error("the issuer is not https; plain http is for localhost, 127.0.0.1 and [::1] only")]
    Scheme,
    /// RFC 8414 §2: no query.
    #[error("the issuer has a query (?…); leave it out")]
    Query,
    /// RFC 8414 §2: no fragment.
    #[error("the issuer has a fragment (#…); leave it out")]
    Fragment,
    /// RFC 9110 §4.2.4: no user name or password.
    #[error("the issuer holds a user name or password; leave it out")]
    Userinfo,
}

impl Issuer {
    /// Checks an issuer identifier.
    ///
    /// # Errors
    /// One variant of [`IssuerError`] for each rule.
    pub fn parse(text: &str) -> Result<Self, IssuerError> {
        if text.len() > uri::MAX_LEN {
            return Err(IssuerError::TooLong);
        }
        if !uri::is_uri_text(text) {
            return Err(IssuerError::Characters);
        }
        if text.contains('#') {
            return Err(IssuerError::Fragment);
        }
        if text.contains('?') {
            return Err(IssuerError::Query);
        }
        let url = Url::parse(text).map_err(|_| IssuerError::NotAbsolute)?;
        let secure = url.scheme() == "https" || (url.scheme() == "http" && uri::is_loopback(&url));
        if !secure {
            return Err(IssuerError::Scheme);
        }
        // `https:host` and `https:///host` are errors that browsers forgive.
        if uri::authority(text).is_none_or(str::is_empty) {
            return Err(IssuerError::NotAbsolute);
        }
        if uri::has_userinfo(text) {
            return Err(IssuerError::Userinfo);
        }
        Ok(Self { text: text.to_owned(), url })
    }

    /// The identifier, exactly as given.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The same as a URL, to build endpoints on.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Where the metadata may be, in the order in which MCP has clients try (MCP 2026-07-28,
    /// "Authorization Server Metadata Discovery"; RFC 8414 §3.1 and §5). Two places for an issuer
    /// without a path, three for one with.
    pub fn metadata_urls(&self) -> Vec<Url> {
        // RFC 8414 §3.1: a slash at the end is removed before anything is inserted.
        let path = self.url.path().trim_end_matches('/');
        let mut paths = vec![
            format!("/.well-known/oauth-authorization-server{path}"),
            format!("/.well-known/openid-configuration{path}"),
        ];
        if !path.is_empty() {
            paths.push(format!("{path}/.well-known/openid-configuration"));
        }
        let at = |path: String| {
            let mut url = self.url.clone();
            url.set_path(&path);
            url
        };
        paths.into_iter().map(at).collect()
    }
}

impl PartialEq for Issuer {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Issuer {}

impl PartialEq<str> for Issuer {
    fn eq(&self, other: &str) -> bool {
        self.text == other
    }
}

impl Hash for Issuer {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl_text!(Issuer, IssuerError);
